"""The operator on the CPU by the fastest ATen kernels that there are: where `native` does not take the input.

Tensors are (N, C, ...), dense in the order of their shape or channels_last. Statistics are float32, or float64 for a
float64 input.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

from switchseg.norms.operator.call import Gradients, Inputs, Kept, Options, Saved
from switchseg.norms.operator.mixing import mix, mix_backward
from switchseg.norms.operator.plan import Absent, Plan, Signature
from switchseg.norms.operator.tracking import move
from switchseg.norms.reference import statistics_dtype

name = "aten"
keeps_output = True

_TYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def obstacle(dtype: torch.dtype) -> str:
    """Say what keeps these kernels from taking inputs of `dtype`, "" if nothing does."""
    return "" if dtype in _TYPES else f"there are no kernels for {dtype}"


def plan(signature: Signature) -> Plan:
    """Return how layers of a signature are computed; see `plan.Backend`."""
    return _Plan(signature, keeps_output)


class _Plan(Plan):
    def __init__(self, signature: Signature, keeps_output: bool) -> None:
        super().__init__(signature, keeps_output)
        self._addresses_of_saved = self.forms(self.saved).reader(exact=False)

    def forward(self, inputs: Inputs, addresses: bytes) -> tuple[Tensor, Tensor]:
        return _forward(inputs, self.options)

    def backward(self, grad: Tensor, saved: Saved) -> Gradients:
        if self._addresses_of_saved((grad, saved.x, saved.y, saved.weight, saved.kept)) is None:
            return self.backward(*self.laid_out(grad, saved))
        return _backward(grad, saved, self.options, self.signature.absent)


def _forward(inputs: Inputs, options: Options) -> tuple[Tensor, Tensor]:
    x, weight, bias = inputs.x, inputs.weight, inputs.bias
    images, channels = x.shape[:2]
    moments, normalized, rstd_in = _normalize_maps(x, options.eps)
    numbers = moments.new_empty(Kept.size(images, channels))
    kept = Kept(numbers, images, channels)
    kept.moments.copy_(moments)
    mean, var = mix(inputs, options, kept).unbind()
    kept.mean.copy_(mean)
    rstd = torch.rsqrt(var + options.eps, out=kept.rstd)
    scale = rstd if weight is None else rstd * weight
    offset = (-mean if rstd_in is None else moments[0] - mean) * scale
    shift = offset if bias is None else offset + bias
    if normalized is None or rstd_in is None:
        y = _affine(x, scale, shift)
    else:
        # It was divided by its own deviation already; the same pass takes that back.
        y = _affine(normalized, scale / rstd_in, shift, out=normalized)
    if inputs.residual is not None:
        y.add_(inputs.residual)
    if options.relu:
        y.relu_()
    move(inputs, options, kept.batch.view(2, -1))
    return y, numbers


def _backward(grad: Tensor, saved: Saved, options: Options, absent: Absent) -> Gradients:
    x, weight = saved.x, saved.weight
    images, channels = x.shape[:2]
    kept = Kept(saved.kept, images, channels)
    if saved.y is not None:
        grad = torch.ops.aten.threshold_backward(grad, saved.y, 0)
    elements = x.numel() // channels
    length = elements // images
    sums, products = _gradient_sums(grad, x, kept.mean, kept.rstd)
    scale = kept.rstd if weight is None else kept.rstd * weight
    # From y = (x - mean) rstd weight + bias with rstd = (var + eps) ** -1/2; `products` has one rstd in it.
    grad_mixed = torch.stack([sums * -1.0, kept.rstd * products * -0.5]).mul_(scale)
    grad_moments, mixes = mix_backward(grad_mixed, kept, options, elements)
    shift, slope = grad_moments.mul_(_per_element(length, kept.mean.dtype)).unbind()
    # A map's own mean is taken out here, on N x C numbers, so that an affine map of x itself is enough.
    shift.addcmul_(slope, kept.moments[0], value=-1)
    return Gradients(
        _gradient_affine(grad, x, scale, slope, shift),
        None if absent.residual else grad,
        *mixes,
        None if weight is None else products.sum(0),
        None if absent.bias else sums.sum(0),
    )


def _normalize_maps(x: Tensor, eps: float) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the means and unbiased variances (2, N, C) of the maps of `x`, and its normalization if it came for free.

    What may come for free is y = (x - mean) rstd, in a new tensor, and rstd (N, C), 1 / sqrt(biased variance + eps).
    """
    dtype = statistics_dtype(x.dtype)
    images, channels = x.shape[:2]
    length = x.numel() // (images * channels)
    unbiased = length / max(1, length - 1)
    if not x.is_contiguous():
        # Around a pixel of each map's own: plain sums, and an affine map of x itself, would cancel at a large mean.
        shape = (images, channels, *[1] * (x.dim() - 2))
        origin = x
        for size in x.shape[2:]:
            origin = origin.select(2, size // 2)
        origin = origin.to(dtype)
        centered = torch.sub(x.to(dtype), origin.view(shape), out=torch.empty_like(x, dtype=dtype))
        pairs = [torch.batch_norm_update_stats(image, None, None, 0.0) for image in _images(centered)]
        moments = torch.stack([torch.stack(pair) for pair in pairs], 1)
        moments[1] *= unbiased
        centered.sub_(moments[0].view(shape))
        moments[0] += origin
        return moments, *((None, None) if x.dtype != dtype else (centered, torch.ones_like(origin)))
    half = x.dtype != dtype
    # One group per map: two-pass statistics for the price of two plain sums, which would cancel at a large mean.
    # Weights make the statistics of half precision float32.
    ones = torch.ones(channels, dtype=dtype, device=x.device) if half else None
    y, mean, rstd = torch.native_group_norm(x, ones, None, images, channels, length, channels, eps)
    var = rstd.pow(-2).sub_(eps).mul_(unbiased) if length > 1 else torch.zeros_like(rstd)
    moments = torch.stack([mean, var])
    # What has been rounded to half precision is no start for a second step.
    return (moments, None, None) if half else (moments, y, rstd)


def _affine(x: Tensor, scale: Tensor, shift: Tensor, out: Tensor | None = None) -> Tensor:
    """Return x * scale + shift for `scale` and `shift` (N, C), in `out` where given, which may be `x` itself."""
    if not x.is_contiguous():
        shape = (*scale.shape, *[1] * (x.dim() - 2))
        return torch.addcmul(shift.view(shape), x, scale.view(shape)).to(x.dtype)
    out = torch.empty_like(x) if out is None else out
    zeros, ones, unused = _constants(scale.numel(), scale.dtype)
    # Evaluation-mode batch norm of one image with N C channels: the only affine map in ATen that costs one pass.
    torch.native_batch_norm(
        _rows(x), scale.view(-1), shift.view(-1), zeros, ones, False, 0.0, 0.0, out=(_rows(out), *unused)
    )
    return out


def _gradient_sums(grad: Tensor, x: Tensor, mean: Tensor, rstd: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums of grad and of grad (x - mean) rstd over every map, both (N, C) like `mean` and `rstd`."""
    if x.is_contiguous():
        products, sums = _channel_sums(_rows(grad), _rows(x), mean.view(-1), rstd.view(-1))
        return sums.view_as(mean), products.view_as(mean)
    pairs = [_channel_sums(*image) for image in zip(_images(grad), _images(x), mean, rstd, strict=True)]
    products, sums = (torch.stack(rows) for rows in zip(*pairs, strict=True))
    return sums, products


def _gradient_affine(grad: Tensor, x: Tensor, scale: Tensor, slope: Tensor, shift: Tensor) -> Tensor:
    """Return grad * scale + x * slope + shift for coefficients (N, C)."""
    # At a large mean the last two terms nearly cancel; they come first, where nothing else has been rounded to their
    # size, and where the sum is fused.
    shape = (*scale.shape, *[1] * (x.dim() - 2))
    if x.is_contiguous() and x.dtype == scale.dtype:
        return _affine(x, slope, shift).addcmul_(grad, scale.view(shape))
    result = torch.addcmul(shift.view(shape), x, slope.view(shape))  # float32 for half precision
    return result.addcmul_(grad, scale.view(shape)).to(x.dtype)


def _channel_sums(grad: Tensor, x: Tensor, mean: Tensor, rstd: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums of grad (x - mean) rstd and of grad per channel, batch norm's parameter gradients."""
    _, products, sums = torch.ops.aten.native_batch_norm_backward.default(
        grad, x, rstd, None, None, mean, rstd, True, 0.0, [False, True, True]
    )
    return products, sums


@lru_cache(maxsize=256)
def _per_element(length: int, dtype: torch.dtype) -> Tensor:
    """Return what the gradients of a map's mean and variance are multiplied by in those of its `length` elements."""
    # Cached for all callers: a tensor made in inference mode could not be used where autograd records.
    with torch.inference_mode(False):
        factors = [1 / length, 2 / (length - 1) if length > 1 else 0]
        return torch.tensor(factors, dtype=dtype, device="cpu").view(2, 1, 1)


@lru_cache(maxsize=256)
def _constants(size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """Return `size` zeros and ones, and two empty tensors for results that nobody wants; to be read only."""
    with torch.inference_mode(False):
        zeros = torch.zeros(size, dtype=dtype, device="cpu")
        return zeros, torch.ones_like(zeros), (zeros.new_empty(0), zeros.new_empty(0))


def _rows(x: Tensor) -> Tensor:
    """View contiguous maps (N, C, ...) as the channels of one image (1, N C, L)."""
    return x.view(1, x.shape[0] * x.shape[1], -1)


def _images(x: Tensor) -> Iterator[Tensor]:
    """View a channels_last tensor as N images (1, C, L, 1), channels_last too."""
    pixels = x.movedim(1, -1).flatten(1, -2)  # [N, L, C]
    return iter(pixels.unsqueeze(2).permute(0, 3, 1, 2).split(1))  # type: ignore[no-untyped-call]
