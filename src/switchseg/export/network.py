"""What is exported: the network, with as much of the way from image to labels as is wanted."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config
from torch.utils._sympy.numbers import int_oo
from torch.utils._sympy.value_ranges import ValueRanges

from switchseg.config.inference import Rule
from switchseg.errors import UserError, first_line
from switchseg.export.norms import fix_mixtures
from switchseg.export.timm_sizes import traceable_sizes
from switchseg.models.segmenter import Segmenter
from switchseg.norms import fold_norms

Output = Literal["logits", "probabilities", "labels"]

EXAMPLE_SIZE = (2, 3, 160, 192)
"""(N, 3, H, W) of the images that `Deployed.example` makes."""

FIRST_SIZE = (1, 3, 64, 64)
"""(N, 3, H, W) of the image that a network sees before it is traced."""

TRACED_SIZE = (2, 3, 899, 963)
"""(N, 3, H, W) of the images that are traced; only shapes are computed. No two numbers are equal or 1, which would tie
or freeze sizes. At strides from 4 to 32 the maps are larger than the windows of any encoder, and their sides multiples
neither of 2 nor of 7, 8 or 12: an encoder that pads where it must takes the way with padding, which may then be of no
cell."""


_SPELLED_OUT = ("LocallyGroupedAttn",)
"""Attention of timm in five dimensions, for which ONNX has no operator: it is written as products and a softmax."""


@dataclass(frozen=True, kw_only=True)
class Interface:
    """What an exported network takes and returns, whatever its file format."""

    preprocess: bool = False
    """True: RGB uint8 images [N, 3, H, W]. False: float32 images, normalized as the model's `preprocessing` says."""
    output: Output = "logits"
    """logits [N, C, h, w] at the decoder's stride; probabilities [N, C, H, W] or labels uint8 [N, H, W] (int32 beyond
    255 classes) at the size of the images."""

    def describe(self) -> str:
        """Return in a few words what goes in and what comes out."""
        images = "RGB uint8 images" if self.preprocess else "normalized float32 images"
        return f"{images} [N, 3, H, W] -> {self.output}"


class Deployed(nn.Module):
    """A copy of the model in evaluation mode behind an interface, with nothing in its norms that training needs.

    BatchNorms are folded into the convolutions before them, and shares are numbers.

    Args:
        model: Left as it is.
        interface: What goes in and what comes out.
        rule: The scales and windows at which images are to be shown to the file; it tells whoever uses it.

    Raises:
        UserError: `rule` asks for the statistics of whole images, which a file cannot gather.
    """

    def __init__(self, model: Segmenter, interface: Interface, rule: Rule = Rule()) -> None:  # noqa: B008 - frozen
        if rule.whole_image_statistics:
            raise UserError("--whole-image-statistics: a file sees one window at a time; `switchseg predict` has them")
        super().__init__()
        self.rule = rule
        self.network = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
        fold_norms(self.network)
        fix_mixtures(self.network)
        for module in self.network.modules():
            # By name, so that timm's model files need not be imported to look for one of them.
            if type(module).__name__ in _SPELLED_OUT:
                module.fused_attn = False  # type: ignore[assignment]
        self.spec = model.spec
        self.interface = interface

    def forward(self, images: Tensor) -> Tensor:
        """Return what `interface.output` says of images [N, 3, H, W]."""
        return self.finished(self.logits(images), images)

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits [N, C, h, w] of images as they go in."""
        inputs = self.spec.preprocessing.normalize(images) if self.interface.preprocess else images
        logits: Tensor = self.network(inputs)
        return logits

    def finished(self, logits: Tensor, images: Tensor) -> Tensor:
        """Turn the logits of images into what comes out."""
        if self.interface.output == "logits":
            return logits
        logits = F.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=False)
        if self.interface.output == "probabilities":
            return logits.softmax(1)
        # 8 bits: a map of int64, which argmax returns, is eight times as large.
        return logits.argmax(1).to(torch.uint8 if self.spec.num_classes <= 255 else torch.int32)

    def example(self, size: tuple[int, ...] = EXAMPLE_SIZE, seed: int = 0) -> Tensor:
        """Return images of the kind that the network takes: smooth random ones, as noise says little about a model."""
        generator = torch.Generator("cpu").manual_seed(seed)
        # On the CPU with a generator of its own: the same images on every machine, whatever was drawn before.
        coarse = 255 * torch.rand(size[0], 3, 6, 8, generator=generator, device="cpu")
        fine = F.interpolate(coarse, size=size[-2:], mode="bicubic", align_corners=False)
        pixels = (fine + 20 * torch.randn(size, generator=generator, device="cpu")).clamp(0, 255).to(torch.uint8)
        return pixels if self.interface.preprocess else self.spec.preprocessing.normalize(pixels)

    def describe(self) -> str:
        """Return, as JSON, what a program needs to know to use the file as `switchseg predict` does.

        That is the content of a model's config.json, the kind of `input` and `output`, the `stride` of the logits, and
        the `rule`: short sides, longest side, the multiple that sides are rounded up to, how they are resized, whether
        the mirrored image is averaged in, windows and their stride; all in pixels.
        """
        kind = "RGB uint8" if self.interface.preprocess else "normalized float32"
        description = {**self.spec.to_json(), "input": kind, "output": self.interface.output}
        description |= {"stride": self.network.stride, "rule": asdict(self.rule)}
        return json.dumps(description, ensure_ascii=False)


class WithLogits(nn.Module):
    """A network that also returns its logits: labels at another size than the input's are made of them."""

    def __init__(self, network: Deployed) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the network returns, and its logits."""
        logits = self.network.logits(images)
        return self.network.finished(logits, images), logits


@contextlib.contextmanager
def refused(network: Deployed) -> Iterator[None]:
    """Turn whatever an exporter raises of a network that it cannot take into a UserError."""
    try:
        yield
    except UserError:
        raise
    # Exporters raise whatever their passes stumble over; the types differ from version to version of torch.
    except Exception as error:
        raise UserError(
            f"encoder {network.spec.encoder!r} with decoder {network.spec.decoder!r} cannot be exported "
            f"({first_line(error)})"
        ) from error


def trace(network: Deployed, *, with_logits: bool = False) -> ExportedProgram:
    """Return the network as a program of ATen operators whose batch size, height and width are free.

    Raises:
        UserError: torch cannot trace it.
    """
    module = WithLogits(network) if with_logits else network
    example = network.example(TRACED_SIZE)
    free = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    # Without this, tracing assumes that no map ever has a side of 1, and makes the program refuse such images.
    oblivious = _config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with torch.no_grad(), oblivious, refused(network), traceable_sizes():
        # What attention keeps from its first call on has to be there: tracing would lose it.
        module(network.example(FIRST_SIZE))
        program = torch.export.export(module, (example,), dynamic_shapes={"images": free})
    # Some families' code asks for sizes, mostly to choose an order in memory, and each answer would become a condition
    # on the images. Whether the program is right at other sizes is not assumed but compared, before it is written.
    program._guards_code = []
    program.range_constraints.update(dict.fromkeys(program.range_constraints, ValueRanges(1, int_oo)))
    return program
