"""The forward pass of a model that labels images."""

from __future__ import annotations

import threading

from torch import Tensor

from switchseg.engine.capture import CudaGraphs, Recordings
from switchseg.engine.precision import Precision, computing
from switchseg.models.segmenter import Segmenter
from switchseg.norms.image_statistics import ImageStatistics


class Network:
    """A model in evaluation mode, on the device to compute on. Threads may share it.

    Args:
        model: The model. Its weights may change in place.
        precision: fp32, or the type that autocast computes in.
        capture: On a GPU, record the pass of each input shape that comes again as a CUDA graph.
    """

    def __init__(self, model: Segmenter, precision: Precision = "fp32", capture: bool = False) -> None:
        self.model, self._precision = model, precision
        capture = capture and next(model.parameters()).is_cuda
        self.recordings = Recordings(self._logits, CudaGraphs() if capture else None)
        self._image_statistics: ImageStatistics | None = None
        self._lock = threading.Lock()

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the logits [N, C, h, w] of normalized images [N, 3, H, W]."""
        logits = self.recordings(inputs)
        assert logits is not None
        return logits

    def eagerly(self, inputs: Tensor) -> Tensor:
        """Return the same without a graph or a compiled network: through the modules as they are now."""
        with computing(self._precision, inputs.device):
            logits = self.model.forward(inputs)
        assert isinstance(logits, Tensor), "the model must be in evaluation mode"
        return logits

    @property
    def image_statistics(self) -> ImageStatistics:
        """The statistics that the model's norms take from images."""
        with self._lock:
            if self._image_statistics is None:
                self._image_statistics = ImageStatistics(self.model)
            return self._image_statistics

    def _logits(self, inputs: Tensor) -> Tensor:
        with computing(self._precision, inputs.device):
            logits = self.model(inputs)
        assert isinstance(logits, Tensor), "the model must be in evaluation mode"
        return logits
