"""The Python interface for using a model: `Predictor(path)(image) -> Prediction`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from switchseg.checkpoints.model_directory import find_model, load_model
from switchseg.classes import Classes
from switchseg.config import yaml
from switchseg.config.inference import Compute, Rule
from switchseg.config.schema import RunConfig
from switchseg.data.images import read_image, rgb_pixels
from switchseg.distributed import choose_device
from switchseg.engine.fusion import fuse
from switchseg.engine.inference import NonFiniteError, Pixels, logit_maps
from switchseg.engine.network import Network, prepare
from switchseg.engine.prediction import Prediction
from switchseg.errors import UserError

ImageLike: TypeAlias = "str | os.PathLike[str] | Image.Image | npt.NDArray[Any] | Tensor"


class Predictor:
    """A model ready to label images. Threads may share it.

    Args:
        path: A model directory or a run directory.
        rule: Scales, windows and flips; the single-scale rule of the run unless given (short side 450 for a model).
        device: auto, cpu, cuda or cuda:INDEX.
        compute: Precision, memory layout, and how many images of equal size go through the network at once.

    Raises:
        UserError: there is no such model or device, or the rule has a threshold and the model not two classes.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        rule: Rule | None = None,
        device: str = "auto",
        compute: Compute = Compute(),  # noqa: B008 - frozen
    ) -> None:
        self.rule = rule or usual_rule(path)
        self.compute = compute
        self.path = find_model(Path(path))
        self.model = prepare(load_model(self.path), compute, choose_device(device))
        self.network = Network(self.model, compute)
        self._cut = self.rule.cut(self.classes)

    @property
    def classes(self) -> Classes:
        """The classes that the labels stand for."""
        return self.model.spec.classes

    def __call__(self, image: ImageLike) -> Prediction:
        """Label one image.

        Args:
            image: A path, a PIL image, an RGB array [H, W, 3] or grey array [H, W] of uint8, or an RGB tensor
                [3, H, W] of uint8 or of floats from 0 to 1.

        Raises:
            UserError: the file cannot be read, or the model's output is not finite.
            TypeError, ValueError: the array or tensor is of another kind or shape.
        """
        return self.batch([image])[0]

    def batch(self, images: Sequence[ImageLike], names: Sequence[str] | None = None) -> list[Prediction]:
        """Label several images, in their order; those of equal size share a pass, up to `compute.images_per_batch`.

        Raises as calling it with one image does; the message names the image as `names` does, or by its path or place.
        """
        if names is None:
            paths = (isinstance(each, (str, os.PathLike)) for each in images)
            names = [str(images[i]) if is_path else f"images[{i}]" for i, is_path in enumerate(paths)]
        pixels = [_named_pixels(image, name) for image, name in zip(images, names, strict=True)]
        by_size: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(pixels):
            by_size.setdefault(image.shape, []).append(index)
        predictions: dict[int, Prediction] = {}
        for indices in by_size.values():
            step = self.compute.images_per_batch
            for start in range(0, len(indices), step):
                chosen = indices[start : start + step]
                labelled = self._label([pixels[i] for i in chosen], [names[i] for i in chosen])
                predictions.update(zip(chosen, labelled, strict=True))
        return [predictions[index] for index in range(len(pixels))]

    def _label(self, images: Sequence[Pixels], names: Sequence[str]) -> list[Prediction]:
        try:
            maps = logit_maps(self.model, images, self.rule, self.compute, self.network)
        except NonFiniteError as error:
            broken = ", ".join(names[index] for index in error.images)
            raise UserError(f"{broken}: {error}; the model is broken, or precision fp32 is needed") from None
        return [
            Prediction(image, *fuse(own, (image.shape[0], image.shape[1]), self._cut), self.classes, tuple(own))
            for image, own in zip(images, maps, strict=True)
        ]


def usual_rule(path: str | os.PathLike[str]) -> Rule:
    """Return the single-scale rule that a run directory's config names; that of 2018 for a model directory."""
    config = Path(path) / "config.yaml"
    if not config.is_file():
        return Rule()
    return yaml.load(config, RunConfig).evaluate.single_rule


def _named_pixels(image: ImageLike, name: str) -> Pixels:
    try:
        return as_pixels(image)
    # A UserError names the file that it is about.
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def as_pixels(image: ImageLike) -> Pixels:
    """Return what `Predictor` takes as an RGB uint8 array [H, W, 3].

    Raises:
        UserError: the file cannot be read, or its pixels have no fixed range.
        TypeError, ValueError: the array or tensor is of another kind or shape.
    """
    if isinstance(image, (str, os.PathLike)):
        return np.asarray(read_image(image), np.uint8)
    if isinstance(image, Image.Image):
        image = rgb_pixels(image)
    elif isinstance(image, Tensor):
        if image.is_floating_point():
            # Negated, so that NaN is refused too; normalized values would be clipped to a picture of nothing.
            if image.numel() and not (image.min() >= 0 and image.max() <= 1):
                raise ValueError("a tensor of floats must hold RGB from 0 to 1, not normalized values")
            image = (image * 255).round().to(torch.uint8)
        image = image.detach().permute(1, 2, 0).cpu().numpy() if image.ndim == 3 else image.detach().cpu().numpy()
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise TypeError(f"an image array must be uint8, not {getattr(image, 'dtype', type(image).__name__)}")
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=-1)
    if image.ndim != 3 or image.shape[-1] not in (3, 4) or 0 in image.shape:
        raise ValueError(f"an image must have the shape [H, W, 3] (a tensor [3, H, W]), not {image.shape}")
    # A fourth channel is alpha. Contiguous, for torch takes no negative strides.
    return np.ascontiguousarray(image[..., :3])
