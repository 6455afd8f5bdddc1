"""ONNX with 8-bit convolutions, and what that costs in mIoU."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from switchseg import files
from switchseg.config.inference import Rule
from switchseg.engine.inference import Pixels, scaled_pixels
from switchseg.errors import UserError
from switchseg.export.network import Deployed, Interface
from switchseg.export.onnx import INPUT, runner, to_onnx
from switchseg.export.parity import Parity, compare
from switchseg.models.segmenter import Segmenter
from switchseg.models.spec import ModelSpec


def export_int8(network: Deployed, path: Path, images: Iterable[Pixels], rule: Rule) -> Parity:
    """Write the network with its convolutions in int8 and return how it compares with the model.

    The statistics and the mixing of the norms stay in float32. The comparison is a report, not a condition: what
    quantization costs is measured on labelled images (`OnnxNetwork`).

    Args:
        network: Must take normalized images and return logits.
        path: The file to write.
        images: RGB uint8 [H, W, 3] of the kind that the model will see; their activations set the ranges.
        rule: The scales at which the images are shown.

    Raises:
        UserError: the interface is another one, there is no image, or a package is missing.
    """
    if network.interface != Interface():
        raise UserError("int8 works on the plain interface: leave --preprocess and --output out")
    content = _quantized(to_onnx(network), _Calibration(network.spec, images, rule))
    parity = compare(network, runner(content))
    with files.replacing(path) as file:
        file.write(content)
    return parity


class OnnxNetwork(nn.Module):
    """An ONNX file of the plain interface in the place of the model that it was made of, to be evaluated like it."""

    def __init__(self, path: Path, model: Segmenter) -> None:
        super().__init__()
        self.spec, self.stride = model.spec, model.stride
        self.anchor = nn.Parameter(torch.empty(0), requires_grad=False)  # says the device and the type
        self._run = runner(path)

    def forward(self, images: Tensor) -> Tensor:
        """Return the file's logits."""
        return torch.from_numpy(np.asarray(self._run(images.contiguous().numpy())))

    @classmethod
    def as_segmenter(cls, path: Path, model: Segmenter) -> Segmenter:
        """Return the file as what evaluation takes."""
        return cast(Segmenter, cls(path, model))


class _Calibration:
    """What onnxruntime calls a CalibrationDataReader: inputs one by one, then None."""

    def __init__(self, spec: ModelSpec, images: Iterable[Pixels], rule: Rule) -> None:
        self._inputs = self._generate(spec, images, rule)
        self.count = 0

    def get_next(self) -> dict[str, Any] | None:
        """Return the next input, or None after the last."""
        return next(self._inputs, None)

    def _generate(self, spec: ModelSpec, images: Iterable[Pixels], rule: Rule) -> Iterator[dict[str, Any]]:
        for image in images:
            for short_side in rule.short_sides:
                self.count += 1
                pixels = torch.from_numpy(scaled_pixels([image], rule, short_side)).permute(0, 3, 1, 2)
                yield {INPUT: spec.preprocessing.normalize(pixels).contiguous().numpy()}


def _quantized(content: bytes, calibration: _Calibration) -> bytes:
    from onnxruntime import quantization

    with tempfile.TemporaryDirectory() as folder, _quiet():
        whole, small = Path(folder, "whole.onnx"), Path(folder, "small.onnx")
        whole.write_bytes(content)
        try:
            quantization.quantize_static(
                whole,
                small,
                calibration,
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                # A range for each output channel: with BatchNorm folded in, the weights of channels differ in size.
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
        except ValueError:
            if calibration.count:
                raise
            # onnxruntime only says that no data was collected.
            raise UserError("int8 needs images to find the ranges of the activations; the data set has none") from None
        return small.read_bytes()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep onnxruntime's advice on optional preprocessing off the terminal."""
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.getLogger().setLevel(level)
