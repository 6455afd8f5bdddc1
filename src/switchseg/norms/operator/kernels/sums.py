"""`sums` reads the maps and the gradient, `merge_sums` adds up the spans that they were cut into."""

# ruff: noqa: N803, N806 - compile-time arguments are written in capitals, as in all Triton code
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import triton
import triton.language as tl

from switchseg.norms.operator.kernels.tiles import load_tile, offsets_of, rectified_gradient, scale_and_shift, tile_of


@triton.jit
def sums(
    grad, x, y, masked, kept, partial, weight, bias, images, channels, length, span,
    RELU: tl.constexpr, WHOLE: tl.constexpr, CHANNELS_LAST: tl.constexpr,
    IN: tl.constexpr, BN: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_L: tl.constexpr,
):  # fmt: skip
    """Write the sums of g and of g (x - mean) rstd over one span of every map to partial (spans, 2, N C).

    With RELU g is the gradient where the output was positive. That is known from `y` where something was added before
    the ReLU; then g, which is also what was added's gradient, goes to `masked`. Without `y` it is worked out again.
    WHOLE: the span is the map, there is nothing to merge.
    """
    program = tl.program_id(0)
    split = tl.program_id(1)
    n, row, c, exists, start = tile_of(program, channels, length, CHANNELS_LAST, BLOCK_R)
    lane = tl.arange(0, BLOCK_L)
    begin = split * span
    end = tl.minimum(begin + span, length)
    loaded = load_tile(x, start, begin + lane, end, exists, channels, CHANNELS_LAST)
    loaded_g = load_tile(grad, start, begin + lane, end, exists, channels, CHANNELS_LAST)
    rows = images * channels
    mean = tl.load(kept + 2 * rows + row, mask=exists, other=0.0)
    rstd = tl.load(kept + 3 * rows + row, mask=exists, other=0.0)
    scale, shift = scale_and_shift(rstd, weight, bias, c, exists)
    # Of deviations from the mixed mean, not of the values: a large mean would leave no digits for their products.
    total = tl.zeros([BLOCK_R, BLOCK_L], tl.float32)
    products = tl.zeros([BLOCK_R, BLOCK_L], tl.float32)
    for first in range(begin, end, BLOCK_L):
        values, g = loaded.to(tl.float32), loaded_g.to(tl.float32)
        loaded = load_tile(x, start, first + BLOCK_L + lane, end, exists, channels, CHANNELS_LAST)
        loaded_g = load_tile(grad, start, first + BLOCK_L + lane, end, exists, channels, CHANNELS_LAST)
        mask = exists[:, None] & (first + lane < end)[None, :]
        offsets = offsets_of(start, first + lane, channels, CHANNELS_LAST)
        if y is not None:
            g = tl.where(tl.load(y + offsets, mask=mask, other=0.0) <= 0.0, 0.0, g)
            tl.store(masked + offsets, g.to(masked.dtype.element_ty), mask=mask)
        elif RELU:
            g = rectified_gradient(g, values, mean, scale, shift, x)
        total += g
        products += tl.where(mask, g * (values - mean[:, None]), 0.0)
    span_total, span_products = tl.sum(total, 1), tl.sum(products, 1) * rstd
    if WHOLE:
        own = _of_maps(kept, weight, n, row, c, exists, images, channels, IN, BN)
        _write_sums(partial, span_total, span_products, own, row, exists, rows, program, IN, BN)
    else:
        tl.store(partial + split * 2 * rows + row, span_total, mask=exists)
        tl.store(partial + (split * 2 + 1) * rows + row, span_products, mask=exists)


@triton.jit
def _of_maps(kept, weight, n, row, c, exists, images, channels, IN: tl.constexpr, BN: tl.constexpr):
    """Load what `_write_sums` needs of some maps: rstd, rstd times weight, IN moments and BN moments.

    Where moments are not mixed, rstd stands in for them, and is not read.
    """
    rows = images * channels
    rstd = tl.load(kept + 3 * rows + row, mask=exists, other=0.0)
    scale = rstd
    if weight is not None:
        scale *= tl.load(weight + c, mask=exists, other=0.0).to(tl.float32)
    in_mean, in_var, bn_mean, bn_var = rstd, rstd, rstd, rstd
    if IN >= 0:
        in_mean = tl.load(kept + row, mask=exists, other=0.0)
        in_var = tl.load(kept + rows + row, mask=exists, other=0.0)
    if BN >= 0:
        batch = kept + 4 * rows + 2 * images + c
        bn_mean = tl.load(batch, mask=exists, other=0.0)
        bn_var = tl.load(batch + channels, mask=exists, other=0.0)
    return rstd, scale, in_mean, in_var, bn_mean, bn_var


@triton.jit
def _write_sums(summed, total, products, own, row, exists, rows, program, IN: tl.constexpr, BN: tl.constexpr):
    """Write the sums of some maps to summed (2, N C), and after it what LN and the shares need: parts (programs, 6).

    The six are the sums over the block's channels of the gradients of the mixed mean and variance, by themselves and
    times the IN and the BN moments.
    """
    rstd, scale, in_mean, in_var, bn_mean, bn_var = own
    tl.store(summed + row, total, mask=exists)
    tl.store(summed + rows + row, products, mask=exists)
    # How the loss depends on the mixed moments: y = (x - mean) rstd weight + bias, with rstd = (var + eps) ** -1/2.
    d_mean, d_var = -scale * total, -0.5 * scale * rstd * products
    # Lanes without a channel have loaded zeros, and add nothing to these sums.
    part = summed + 2 * rows + program * 6
    tl.store(part, tl.sum(d_mean, 0))
    tl.store(part + 1, tl.sum(d_var, 0))
    if IN >= 0:
        tl.store(part + 2, tl.sum(d_mean * in_mean, 0))
        tl.store(part + 3, tl.sum(d_var * in_var, 0))
    if BN >= 0:
        tl.store(part + 4, tl.sum(d_mean * bn_mean, 0))
        tl.store(part + 5, tl.sum(d_var * bn_var, 0))


@triton.jit
def merge_sums(
    partial, kept, weight, images, channels, length, spans,
    IN: tl.constexpr, BN: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_S: tl.constexpr,
):  # fmt: skip
    """Add the spans of some maps; what `_write_sums` writes follows the spans in `partial`."""
    rows = images * channels
    program = tl.program_id(0)
    n, row, c, exists, _ = tile_of(program, channels, length, False, BLOCK_C)
    own = _of_maps(kept, weight, n, row, c, exists, images, channels, IN, BN)
    s = tl.arange(0, BLOCK_S)
    mask = exists[:, None] & (s < spans)[None, :]
    source = partial + row[:, None] + (s * 2 * rows)[None, :]
    total = tl.load(source, mask=mask, other=0.0)
    products = tl.load(source + rows, mask=mask, other=0.0)
    summed = partial + spans * 2 * rows
    _write_sums(summed, tl.sum(total, 1), tl.sum(products, 1), own, row, exists, rows, program, IN, BN)
