"""From an image to its logits at every scale of a rule: the network, shown the whole image or windows of it.

Memory follows the image, not classes x pixels x scales: what is kept of a scale are its logits at the decoder's own
stride, of which `fusion` makes the label map.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from switchseg.config.inference import Compute, Rule
from switchseg.engine.network import Network
from switchseg.engine.window_logits import averaged_logits, whole_logits
from switchseg.engine.windows import Windows
from switchseg.models.segmenter import Segmenter

Pixels = npt.NDArray[np.uint8]


class NonFiniteError(ValueError):
    """A network answered with infinities or what is no number.

    Args:
        message: At which scale.
        images: The places of the images that it answered so, if there were several.
    """

    def __init__(self, message: str, images: Sequence[int] = (0,)) -> None:
        super().__init__(message)
        self.images = tuple(images)


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put the model into evaluation mode; afterwards every layer is in the mode it was in, frozen ones too."""
    # Module by module, since `model.train()` afterwards would thaw frozen norms and stages.
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@torch.inference_mode()
def logit_maps(
    model: Segmenter,
    images: Sequence[Pixels],
    rule: Rule,
    compute: Compute = Compute(),  # noqa: B008 - frozen
    network: Network | None = None,
) -> list[list[Tensor]]:
    """Run the network on images of one size at every scale of the rule.

    Args:
        model: In evaluation mode, on the device to compute on.
        images: RGB uint8, each [H, W, 3].
        rule: The scales, windows and flips.
        compute: The precision and the memory layout of the network's input.
        network: `Network(model, compute)`, kept from call to call; None computes eagerly.

    Returns:
        For each image its logits at the decoder's stride, one float32 [h, w, C] for each scale (and mirror image).

    Raises:
        NonFiniteError: the logits of an image are not finite.
    """
    network = network or Network(model, replace(compute, capture="off"))
    device, dtype = next(model.parameters()).device, next(model.parameters()).dtype
    maps: list[list[Tensor]] = [[] for _ in images]
    finite: list[Tensor] = []
    for short_side in rule.short_sides:
        pixels = _moved(torch.from_numpy(scaled_pixels(images, rule, short_side)), device).permute(0, 3, 1, 2)
        layout = torch.channels_last if compute.channels_last else torch.contiguous_format
        inputs = model.spec.preprocessing.normalize(pixels, dtype).contiguous(memory_format=layout)
        for mirrored in (False, True)[: 1 + rule.flip]:
            logits = _forward(network, inputs.flip(-1) if mirrored else inputs, rule)
            logits = logits.float().flip(-1) if mirrored else logits.float()
            # Kept on the device and read once, after the last scale: each read would wait for it.
            finite.append(torch.isfinite(logits).flatten(1).all(1))
            # Classes last: the tiles are softmaxed over them, which then lie side by side in memory.
            for own, image_logits in zip(maps, logits.permute(0, 2, 3, 1).contiguous(), strict=True):
                own.append(image_logits)
    _require_finite(torch.stack(finite).tolist(), rule)
    return maps


def _require_finite(finite: list[list[bool]], rule: Rule) -> None:
    """Raise a NonFiniteError unless the logits of all images are finite at every scale (and in the mirror)."""
    broken = [index for index, scales in enumerate(zip(*finite, strict=True)) if not all(scales)]
    if broken:
        first = next(index for index, images in enumerate(finite) if not all(images))
        raise NonFiniteError(
            f"the logits at short side {rule.short_sides[first // (1 + rule.flip)]} are not finite", broken
        )


def scaled_pixels(images: Sequence[Pixels], rule: Rule, short_side: int) -> Pixels:
    """Return images of one size [H, W, 3] as the rule scales them to a short side, uint8 [N, h, w, 3]."""
    size = rule.scaled_size(images[0].shape[0], images[0].shape[1], short_side)
    return np.stack([_resized(image, size, rule.resize) for image in images])


def _moved(pixels: Tensor, device: torch.device) -> Tensor:
    # From pinned memory: the host would wait for a copy from any other, and for what was queued before it.
    return pixels.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else pixels.to(device)


def windows_of(rule: Rule, model: Segmenter, size: tuple[int, int]) -> Windows | None:
    """Return the windows that a scaled image of `size` is shown in, None if it is shown whole."""
    if rule.window is None or rule.window >= max(size):
        return None
    if rule.whole_image_statistics:
        # On the grid of the deepest maps, so that strided convolutions see what they see in the whole image.
        return Windows(size, rule.window, rule.stride, max(model.encoder.maps.strides), alike=True)
    # On the grid of the logits, so that overlapping logits meet without resampling.
    return Windows(size, rule.window, rule.stride, model.stride)


def _forward(network: Network, inputs: Tensor, rule: Rule) -> Tensor:
    """Return the logits [N, C, h, w] of normalized images, computed whole or in windows."""
    windows = windows_of(rule, network.model, (inputs.shape[2], inputs.shape[3]))
    if windows is None:
        return network(inputs)
    if rule.whole_image_statistics:
        return torch.cat([whole_logits(network, image, windows) for image in torch.split(inputs, 1)])
    return averaged_logits(network, inputs, windows)


def _resized(image: Pixels, size: tuple[int, int], method: str) -> Pixels:
    height, width = size
    if method == "pil":
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    # OpenCV without antialiasing: the scores of 2018 were made with it.
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
