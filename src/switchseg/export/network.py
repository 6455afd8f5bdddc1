"""What is exported: the network, with as much of the way from image to labels as is wanted."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from switchseg.config.inference import Rule
from switchseg.errors import UserError
from switchseg.export.norms import fix_mixtures
from switchseg.models.segmenter import Segmenter
from switchseg.norms import fold_norms

Output = Literal["logits", "probabilities", "labels"]

EXAMPLE_SIZE = (2, 3, 160, 192)
"""(N, 3, H, W) of the images that `Deployed.example` makes."""


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
