"""The forward pass of a model that labels images."""

from __future__ import annotations

import threading

import torch
from torch import Tensor, nn

from switchseg.config.inference import Compute
from switchseg.engine.capture import Recordings
from switchseg.engine.cuda_graphs import CudaGraphs
from switchseg.engine.precision import computing
from switchseg.models.segmenter import Segmenter
from switchseg.norms.image_statistics import ImageStatistics


class Network:
    """A model in evaluation mode, on the device to compute on. Threads may share it.

    Args:
        model: The model. Its weights may change in place.
        compute: The precision, and whether passes are recorded.
    """

    def __init__(self, model: Segmenter, compute: Compute = Compute()) -> None:  # noqa: B008 - frozen
        self.model, self._precision = model, compute.precision
        capture = compute.capture == "auto" and next(model.parameters()).is_cuda
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
            # `forward`, as calling a compiled module would run a program made of its modules as they were.
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


def prepare(model: Segmenter, compute: Compute, device: torch.device) -> Segmenter:
    """Move the model to the device in the layout that is wanted, and compile it if that is wanted."""
    model = model.to(device)
    if compute.channels_last:
        lay_out_channels_last(model)
    if compute.compile:
        # One program for all sizes: images come in many, and each would be compiled anew.
        model.compile(dynamic=True)
    return model


def lay_out_channels_last(model: nn.Module) -> None:
    """Keep the channels of a pixel side by side in the weights of convolutions."""
    for parameter in model.parameters():
        # torch's own `to` stumbles over tensors of five dimensions.
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
