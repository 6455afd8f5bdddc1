"""`gradient` carries the sums back to the moments, and reads the maps again, to write the input's gradient."""

# ruff: noqa: N803, N806 - compile-time arguments are written in capitals, as in all Triton code
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import triton
import triton.language as tl

from switchseg.norms.operator.kernels.shares import shares_gradient
from switchseg.norms.operator.kernels.tiles import (
    load_tile,
    offsets_of,
    rectified_gradient,
    scale_and_shift,
    tile_of,
)


@triton.jit
def _mixed_gradients(total, products, rstd, weight, c, exists):
    """Return the gradients of a map's mixed mean and variance from the two sums of `sums`."""
    scale = rstd
    if weight is not None:
        scale *= tl.load(weight + c, mask=exists, other=0.0).to(tl.float32)
    return -scale * total, -0.5 * scale * rstd * products


@triton.jit
def _column_sums(summed, kept, c, exists, images, channels, BLOCK_N: tl.constexpr):
    """Return the sums over images of total rstd, of products rstd², and of total and products themselves."""
    rows = images * channels
    lane = tl.arange(0, BLOCK_N)
    by_mean = tl.zeros([c.shape[0], BLOCK_N], tl.float32)
    by_var = tl.zeros([c.shape[0], BLOCK_N], tl.float32)
    totals = tl.zeros([c.shape[0], BLOCK_N], tl.float32)
    all_products = tl.zeros([c.shape[0], BLOCK_N], tl.float32)
    for first in range(0, images, BLOCK_N):
        mask = exists[:, None] & (first + lane < images)[None, :]
        row = c[:, None] + ((first + lane) * channels)[None, :]
        total = tl.load(summed + row, mask=mask, other=0.0)
        products = tl.load(summed + rows + row, mask=mask, other=0.0)
        rstd = tl.load(kept + 3 * rows + row, mask=mask, other=0.0)
        by_mean += rstd * total
        by_var += rstd * rstd * products
        totals += total
        all_products += products
    return tl.sum(by_mean, 1), tl.sum(by_var, 1), tl.sum(totals, 1), tl.sum(all_products, 1)


@triton.jit
def _write_parameter_gradients(totals, products, grad_weight, grad_bias, c, exists):
    if grad_weight is not None:
        tl.store(grad_weight + c, products.to(grad_weight.dtype.element_ty), mask=exists)
    if grad_bias is not None:
        tl.store(grad_bias + c, totals.to(grad_bias.dtype.element_ty), mask=exists)


@triton.jit
def _through_map(mixed, shares, IN: tl.constexpr):
    """Return what reaches the IN moments by themselves, of the gradients of the mixed ones."""
    d_mean = tl.zeros(mixed[0].shape, tl.float32)
    d_var = tl.zeros(mixed[1].shape, tl.float32)
    if IN >= 0:
        d_mean += tl.load(shares + 2 * IN) * mixed[0]
        d_var += tl.load(shares + 2 * IN + 1) * mixed[1]
    return d_mean, d_var


@triton.jit
def _through_layer(parts, common, shares, mean, n, channels, BLOCK_C: tl.constexpr, BLOCK_B: tl.constexpr, images):
    """Return what reaches the IN moments of image n by way of its LN moments."""
    blocks = tl.cdiv(channels, BLOCK_C)
    b = tl.arange(0, BLOCK_B)
    source = parts + (n * blocks + b) * 6
    by_mean = tl.load(shares) * tl.sum(tl.load(source, mask=b < blocks, other=0.0), 0) / channels
    by_var = tl.load(shares + 1) * tl.sum(tl.load(source + 1, mask=b < blocks, other=0.0), 0) / channels
    # A merged variance also holds the spread of the means.
    return by_mean + 2.0 * by_var * (mean - tl.load(common + n)), by_var


@triton.jit
def _through_batch(sum_mean, sum_var, common, shares, batch_gradient, weight, mean, c, exists, images, channels):
    """Return what reaches the IN moments of channels c by way of their BN moments."""
    if batch_gradient is not None:
        by_mean = tl.load(batch_gradient + c, mask=exists, other=0.0)
        by_var = tl.load(batch_gradient + channels + c, mask=exists, other=0.0)
    else:
        by_mean, by_var = _mixed_gradients(sum_mean, sum_var, 1.0, weight, c, exists)
        by_mean *= tl.load(shares)
        by_var *= tl.load(shares + 1)
    batch_mean = tl.load(common + 2 * images + c, mask=exists, other=0.0)
    return (by_mean + 2.0 * by_var * (mean - batch_mean)) / images, by_var / images


@triton.jit
def gradient(
    grad, x, grad_x, kept, partial, weight, bias, batch_gradient,
    grad_mean_mix, grad_var_mix, grad_weight, grad_bias, images, channels, length, span, spans,
    IN: tl.constexpr, LN: tl.constexpr, BN: tl.constexpr, SOFTMAX: tl.constexpr,
    GIVEN: tl.constexpr, RELU: tl.constexpr, CHANNELS_LAST: tl.constexpr,
    BLOCK_R: tl.constexpr, BLOCK_L: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_B: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Write the input's gradient in a span of a tile, and the first programs those of the parameters.

    RELU: g is worked out again as in `sums`; not if `grad` has been masked. batch_gradient: (2, C), that of the BN
    moments where other processes share them; None to sum it up here.
    """
    # Backwards: what `sums` read last is still in the cache.
    program = tl.num_programs(0) - 1 - tl.program_id(0)
    split = tl.num_programs(1) - 1 - tl.program_id(1)
    n, row, c, exists, start = tile_of(program, channels, length, CHANNELS_LAST, BLOCK_R)
    lane = tl.arange(0, BLOCK_L)
    begin = split * span
    end = tl.minimum(begin + span, length)
    loaded = load_tile(x, start, begin + lane, end, exists, channels, CHANNELS_LAST)
    loaded_g = load_tile(grad, start, begin + lane, end, exists, channels, CHANNELS_LAST)
    rows = images * channels
    summed = partial + spans * 2 * rows
    parts = summed + 2 * rows
    common = kept + 4 * rows
    shares = common + 2 * images + 2 * channels
    mixed_mean = tl.load(kept + 2 * rows + row, mask=exists, other=0.0)
    rstd = tl.load(kept + 3 * rows + row, mask=exists, other=0.0)
    # Where nothing depends on the maps' own moments, nobody has taken them.
    mean = mixed_mean if IN < 0 and LN < 0 and GIVEN else tl.load(kept + row, mask=exists, other=0.0)
    total = tl.load(summed + row, mask=exists, other=0.0)
    products = tl.load(summed + rows + row, mask=exists, other=0.0)
    mixed = _mixed_gradients(total, products, rstd, weight, c, exists)
    # The gradients of the map's own moments, by each way on which these reach the mixed ones.
    d_mean, d_var = _through_map(mixed, shares, IN)
    if LN >= 0:
        by_mean, by_var = _through_layer(parts, common, shares + 2 * LN, mean, n, channels, BLOCK_C, BLOCK_B, images)
        d_mean += by_mean
        d_var += by_var
    scale, shift = scale_and_shift(rstd, weight, bias, c, exists)
    # All programs of a channel have the same sums, of which one program writes them.
    is_first = (split == 0) & (n == 0)
    if BN >= 0 and not GIVEN:
        sum_mean, sum_var, totals, all_products = _column_sums(summed, kept, c, exists, images, channels, BLOCK_N)
        if is_first:
            _write_parameter_gradients(totals, all_products, grad_weight, grad_bias, c, exists)
        by_mean, by_var = _through_batch(
            sum_mean, sum_var, common, shares + 2 * BN, batch_gradient, weight, mean, c, exists, images, channels
        )
        d_mean += by_mean
        d_var += by_var
    elif is_first:
        _, _, totals, all_products = _column_sums(summed, kept, c, exists, images, channels, BLOCK_N)
        _write_parameter_gradients(totals, all_products, grad_weight, grad_bias, c, exists)
    if is_first & (program == 0):
        grad_var = grad_var_mix if SOFTMAX else grad_mean_mix + 1
        shares_gradient(kept, parts, grad_mean_mix, 0, images, channels, IN, LN, BN, SOFTMAX, BLOCK_C)
        shares_gradient(kept, parts, grad_var, 1, images, channels, IN, LN, BN, SOFTMAX, BLOCK_C)
    slope = 2.0 * d_var / tl.maximum(length - 1, 1)  # a single element is its own mean
    _write_input_gradient(
        grad, x, grad_x, loaded, loaded_g, start, begin, end, exists, channels,
        mixed_mean, scale, shift, mean, slope, d_mean / length, RELU, CHANNELS_LAST, BLOCK_L,
    )  # fmt: skip


@triton.jit
def _write_input_gradient(
    grad, x, grad_x, loaded, loaded_g, start, begin, end, exists, channels,
    mixed_mean, scale, shift, mean, slope, offset,
    RELU: tl.constexpr, CHANNELS_LAST: tl.constexpr, BLOCK_L: tl.constexpr,
):  # fmt: skip
    """Write g scale + (x - mean) slope + offset; the first tiles of x and of the gradient have been loaded."""
    lane = tl.arange(0, BLOCK_L)
    for first in range(begin, end, BLOCK_L):
        values, g = loaded.to(tl.float32), loaded_g.to(tl.float32)
        loaded = load_tile(x, start, first + BLOCK_L + lane, end, exists, channels, CHANNELS_LAST)
        loaded_g = load_tile(grad, start, first + BLOCK_L + lane, end, exists, channels, CHANNELS_LAST)
        mask = exists[:, None] & (first + lane < end)[None, :]
        offsets = offsets_of(start, first + lane, channels, CHANNELS_LAST)
        if RELU:
            g = rectified_gradient(g, values, mixed_mean, scale, shift, x)
        d_x = g * scale[:, None] + (values - mean[:, None]) * slope[:, None] + offset[:, None]
        tl.store(grad_x + offsets, d_x.to(grad_x.dtype.element_ty), mask=mask)
