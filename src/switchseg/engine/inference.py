"""From an image to its label map: the network at every scale of a rule, and one label map fused from them.

Memory follows the image, not classes x pixels x scales: what is kept of a scale are its logits at the decoder's own
stride, and the label map is fused from them in tiles that fit into the processor's cache. This is also the fast way,
so there is no other.
"""

from __future__ import annotations

import contextlib
import itertools
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
from switchseg.engine.windows import Windows, averaged_logits, whole_logits
from switchseg.models.segmenter import Segmenter

Pixels = npt.NDArray[np.uint8]

_TILE_ELEMENTS = {"cpu": 2**18}  # 1 MiB of float32: what one core's cache holds
_TILE_ELEMENTS_GPU = 2**25


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


@torch.inference_mode()
def fuse(
    maps: Sequence[Tensor], size: tuple[int, int], cut: tuple[int, float] | None = None
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.float32]]:
    """Return the class of every pixel, the most probable one unless there is a threshold, and its probability.

    Args:
        maps: Logits [h, w, C] of one image at one or more scales.
        size: (H, W) of the label map in pixels.
        cut: What `Rule.cut` returned.

    Returns:
        labels [H, W], uint8 (int32 beyond 255 classes), and confidence float32 [H, W].
    """
    device = maps[0].device
    # Bytes are what the confusion matrix counts fast and what a palette image holds.
    labels = torch.empty(size, dtype=torch.uint8 if maps[0].shape[-1] <= 255 else torch.int32, device=device)
    confidence = torch.empty(size, device=device)
    for tile, probabilities in probability_tiles(maps, size):
        if cut is None:
            chosen, index = probabilities.max(-1)
        else:
            foreground, threshold = cut
            index = torch.where(probabilities[..., foreground] >= threshold, foreground, 1 - foreground)
            chosen = probabilities.gather(-1, index[..., None])[..., 0]
        labels[tile], confidence[tile] = index.to(labels.dtype), chosen
    return labels.cpu().numpy(), confidence.cpu().numpy()


def probability_tiles(maps: Sequence[Tensor], size: tuple[int, int]) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
    """Yield the fused class probabilities tile by tile: ((rows, columns), float32 [rows, columns, C]).

    Each scale's logits are upsampled bilinearly (align_corners=False) to `size` before the softmax, as in 2018.
    """
    height, width = size
    device, classes = maps[0].device, maps[0].shape[-1]
    pixels = max(1, _TILE_ELEMENTS.get(device.type, _TILE_ELEMENTS_GPU) // classes)
    # As wide as the image where that fits: whole rows lie together in memory.
    across = min(width, pixels)
    down = max(1, pixels // across)
    vertical = [_taps(height, scale.shape[0], device) for scale in maps]
    horizontal = [_taps(width, scale.shape[1], device) for scale in maps]
    for top, left in itertools.product(range(0, height, down), range(0, width, across)):
        rows, columns = slice(top, min(top + down, height)), slice(left, min(left + across, width))
        total: Tensor | None = None
        for scale, (upper, lower, y), (first, second, x) in zip(maps, vertical, horizontal, strict=True):
            lines = torch.lerp(scale[upper[rows]], scale[lower[rows]], y[rows, None, None])
            logits = torch.lerp(lines[:, first[columns]], lines[:, second[columns]], x[columns, None])
            probabilities = logits.softmax(-1)
            total = probabilities if total is None else total.add_(probabilities)
        assert total is not None
        yield (rows, columns), total if len(maps) == 1 else total.div_(len(maps))


def _taps(length: int, source: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the two source indices and the weight of the second for each of `length` bilinear samples."""
    position = (torch.arange(length, dtype=torch.float32, device=device) + 0.5) * (source / length) - 0.5
    # As F.interpolate does: what lies before the first sample takes its value.
    position = position.clamp(min=0)
    first = position.long().clamp(max=source - 1)
    return first, (first + 1).clamp(max=source - 1), position - first


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
