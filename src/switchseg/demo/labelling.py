"""What the page asks for: an upload labelled, a sample labelled, or the same image by other models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import gradio as gr
import numpy as np
import numpy.typing as npt

from switchseg.demo.answer import answer
from switchseg.demo.storage import Storage
from switchseg.demo.uploads import Limits, read_upload
from switchseg.engine.predictor import Predictor
from switchseg.errors import UserError

ALONE = "none"
"""The choice of no second model."""


class Labelling:
    """Answers requests with the viewer's values; visitors are told what is wrong with their image, and nothing else.

    Args:
        predictors: Name on the page -> model.
        samples: Images to pick from, RGB uint8 [H, W, 3].
        limits: What a visitor may ask for.
        storage: Where the uploads lie.
    """

    def __init__(
        self,
        predictors: Mapping[str, Predictor],
        samples: Sequence[npt.NDArray[np.uint8]],
        limits: Limits,
        storage: Storage,
    ) -> None:
        self._predictors, self._samples, self._limits, self._storage = predictors, samples, limits, storage
        # Every visitor's page begins with a sample.
        # Made here, not by a decorator on the method, which would keep every instance alive for the process's life.
        self._sample = lru_cache(maxsize=4 * len(samples))(self._label_sample)

    def upload(self, path: str, model: str, other: str = ALONE) -> tuple[str, str]:
        """Label an uploaded file with one or two models; return the viewer's value and the path.

        Raises:
            gr.Error: the file is refused; the message is for the visitor.
        """
        try:
            image, remark = read_upload(path, self._limits)
            return self._label(image, (model, other), Path(path).stem, remark), path
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None
        # Refused images too: their time begins to run out like that of the others.
        finally:
            self._storage.answered(path)

    def take(self, model: str, other: str, event: gr.SelectData) -> tuple[str, int]:
        """Label the sample that was picked; return the viewer's value and the place of the sample."""
        return self._sample(event.index, model, other), event.index

    def again(self, current: str | int, model: str, other: str) -> str:
        """Label what is shown, the path of an upload or the place of a sample, with other models."""
        if isinstance(current, int):
            return self._sample(current, model, other)
        return self.upload(current, model, other)[0]

    def _label_sample(self, index: int, model: str, other: str) -> str:
        return self._label(self._samples[index], (model, other), f"sample_{index}", "")

    def _label(self, image: npt.NDArray[np.uint8], chosen: Sequence[str], stem: str, remark: str) -> str:
        # A dict drops the second mention, where a model is compared with itself; unknown names include `ALONE`.
        models = dict.fromkeys(name for name in chosen if name in self._predictors)
        return answer({name: self._predictors[name](image) for name in models}, stem=stem, remark=remark)
