"""The kernels of the fused operator in Triton: three forward, three backward. `cuda` launches them.

A map is read once for its moments and once to be normalized; in between, one kernel merges moments over channels (LN)
and images (BN). Sums are float32 and their order is fixed.

Layouts: x is [N, C, L] or, channels_last, [N, L, C]. A tile is BLOCK_R channels of one image by BLOCK_L positions; long
maps are cut into `splits` spans, so that few maps still fill the device, whose partial results the merging kernels add.
"""

# ruff: noqa: N803 - compile-time arguments are written in capitals, as in all Triton code
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import triton
import triton.language as tl


@triton.jit
def _tile(channels, length, CHANNELS_LAST: tl.constexpr, BLOCK_R: tl.constexpr):
    """Return the rows n * C + c of this program's tile, c, which of them exist, and where each row starts."""
    blocks = tl.cdiv(channels, BLOCK_R)
    n = tl.program_id(0) // blocks
    c = (tl.program_id(0) % blocks) * BLOCK_R + tl.arange(0, BLOCK_R)
    image = n.to(tl.int64) * channels
    start = image * length + c if CHANNELS_LAST else (image + c) * length
    return n, n * channels + c, c, c < channels, start


@triton.jit
def _offsets(start, positions, channels, CHANNELS_LAST: tl.constexpr):
    if CHANNELS_LAST:
        return start[:, None] + positions[None, :].to(tl.int64) * channels
    return start[:, None] + positions[None, :]


@triton.jit
def moments(
    x, partial, rows, channels, length, span, CHANNELS_LAST: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_L: tl.constexpr
):
    """Write mean and sum of squared deviations of one span of every map to partial (splits, 2, N C)."""
    _, row, _, exists, start = _tile(channels, length, CHANNELS_LAST, BLOCK_R)
    split = tl.program_id(1)
    mean = tl.zeros([BLOCK_R], tl.float32)
    squares = tl.zeros([BLOCK_R], tl.float32)
    seen = 0.0
    for first in range(split * span, tl.minimum((split + 1) * span, length), BLOCK_L):
        positions = first + tl.arange(0, BLOCK_L)
        mask = exists[:, None] & (positions < length)[None, :]
        values = tl.load(x + _offsets(start, positions, channels, CHANNELS_LAST), mask=mask, other=0.0).to(tl.float32)
        size = tl.minimum(length - first, BLOCK_L).to(tl.float32)
        block_mean = tl.sum(values, 1) / size
        deviation = tl.where(mask, values - block_mean[:, None], 0.0)
        delta = block_mean - mean
        squares += tl.sum(deviation * deviation, 1) + delta * delta * (seen * size / (seen + size))
        mean += delta * (size / (seen + size))
        seen += size
    tl.store(partial + split * 2 * rows + row, mean, mask=exists)
    tl.store(partial + (split * 2 + 1) * rows + row, squares, mask=exists)


@triton.jit
def _whole_moments(partial, row, mask, rows, length, span, splits):
    """Merge the spans of maps into their mean and unbiased variance, 0 for one element."""
    mean = tl.zeros(row.shape, tl.float32)
    for split in range(splits):
        size = tl.minimum(length - split * span, span).to(tl.float32)
        mean += tl.load(partial + split * 2 * rows + row, mask=mask, other=0.0) * size
    mean /= length
    squares = tl.zeros(row.shape, tl.float32)
    for split in range(splits):
        size = tl.minimum(length - split * span, span).to(tl.float32)
        deviation = tl.load(partial + split * 2 * rows + row, mask=mask, other=0.0) - mean
        squares += tl.load(partial + (split * 2 + 1) * rows + row, mask=mask, other=0.0) + size * deviation * deviation
    return mean, squares / tl.maximum(length - 1, 1)


@triton.jit
def merge(partial, moments, layer, batch, images, channels, length, span, splits, BLOCK: tl.constexpr):
    """Write the IN moments (2, N, C) and LN moments (2, N) of an image, or the BN moments (2, C) of some channels."""
    rows = images * channels
    program = tl.program_id(0)
    if program < images:
        total = 0.0
        for first in range(0, channels, BLOCK):
            c = first + tl.arange(0, BLOCK)
            row = program * channels + c
            mean, var = _whole_moments(partial, row, c < channels, rows, length, span, splits)
            tl.store(moments + row, mean, mask=c < channels)
            tl.store(moments + rows + row, var, mask=c < channels)
            total += tl.sum(tl.where(c < channels, mean, 0.0), 0)
        common = total / channels
        total = 0.0
        for first in range(0, channels, BLOCK):
            c = first + tl.arange(0, BLOCK)
            row = program * channels + c
            mean, var = _whole_moments(partial, row, c < channels, rows, length, span, splits)
            total += tl.sum(tl.where(c < channels, var + (mean - common) * (mean - common), 0.0), 0)
        tl.store(layer + program, common)
        tl.store(layer + images + program, total / channels)
    else:
        c = (program - images) * BLOCK + tl.arange(0, BLOCK)
        column = tl.zeros([BLOCK], tl.float32)
        for n in range(images):
            mean, var = _whole_moments(partial, n * channels + c, c < channels, rows, length, span, splits)
            column += mean
        center = column / images
        column = tl.zeros([BLOCK], tl.float32)
        for n in range(images):
            mean, var = _whole_moments(partial, n * channels + c, c < channels, rows, length, span, splits)
            column += var + (mean - center) * (mean - center)
        tl.store(batch + c, center, mask=c < channels)
        tl.store(batch + channels + c, column / images, mask=c < channels)


@triton.jit
def apply(
    x, y, residual, moments, layer, batch, shares, weight, bias, mixed_mean, mixed_rstd,
    images, channels, length, span, eps,
    IN: tl.constexpr, LN: tl.constexpr, BN: tl.constexpr, RELU: tl.constexpr,
    CHANNELS_LAST: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_L: tl.constexpr,
):  # fmt: skip
    """Mix moments, write them for backward, and write the normalized (added, rectified) span of a tile."""
    n, row, c, exists, start = _tile(channels, length, CHANNELS_LAST, BLOCK_R)
    rows = images * channels
    mean = tl.zeros([BLOCK_R], tl.float32)
    var = tl.zeros([BLOCK_R], tl.float32)
    if IN >= 0:
        mean += tl.load(shares + 2 * IN) * tl.load(moments + row, mask=exists, other=0.0)
        var += tl.load(shares + 2 * IN + 1) * tl.load(moments + rows + row, mask=exists, other=0.0)
    if LN >= 0:
        mean += tl.load(shares + 2 * LN) * tl.load(layer + n)
        var += tl.load(shares + 2 * LN + 1) * tl.load(layer + images + n)
    if BN >= 0:
        mean += tl.load(shares + 2 * BN) * tl.load(batch + c, mask=exists, other=0.0)
        var += tl.load(shares + 2 * BN + 1) * tl.load(batch + channels + c, mask=exists, other=0.0)
    rstd = 1.0 / tl.sqrt(var + eps)
    split = tl.program_id(1)
    if split == 0:
        tl.store(mixed_mean + row, mean, mask=exists)
        tl.store(mixed_rstd + row, rstd, mask=exists)
    scale = rstd
    if weight is not None:
        scale *= tl.load(weight + c, mask=exists, other=0.0).to(tl.float32)
    shift = tl.zeros([BLOCK_R], tl.float32)
    if bias is not None:
        shift += tl.load(bias + c, mask=exists, other=0.0).to(tl.float32)
    for first in range(split * span, tl.minimum((split + 1) * span, length), BLOCK_L):
        positions = first + tl.arange(0, BLOCK_L)
        mask = exists[:, None] & (positions < length)[None, :]
        offsets = _offsets(start, positions, channels, CHANNELS_LAST)
        values = tl.load(x + offsets, mask=mask, other=0.0).to(tl.float32)
        values = (values - mean[:, None]) * scale[:, None] + shift[:, None]
        if residual is not None:
            values += tl.load(residual + offsets, mask=mask, other=0.0).to(tl.float32)
        if RELU:
            values = tl.where(values < 0.0, 0.0, values)  # keeps NaN, unlike a maximum
        tl.store(y + offsets, values.to(y.dtype.element_ty), mask=mask)


@triton.jit
def sums(
    grad, x, rectified, masked, mixed_mean, mixed_rstd, partial, rows, channels, length, span,
    CHANNELS_LAST: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_L: tl.constexpr,
):  # fmt: skip
    """Write the sums of g and of g (x - mean) rstd over one span of every map to partial (splits, 2, N C)."""
    _, row, _, exists, start = _tile(channels, length, CHANNELS_LAST, BLOCK_R)
    mean = tl.load(mixed_mean + row, mask=exists, other=0.0)
    rstd = tl.load(mixed_rstd + row, mask=exists, other=0.0)
    split = tl.program_id(1)
    total = tl.zeros([BLOCK_R], tl.float32)
    products = tl.zeros([BLOCK_R], tl.float32)
    for first in range(split * span, tl.minimum((split + 1) * span, length), BLOCK_L):
        positions = first + tl.arange(0, BLOCK_L)
        mask = exists[:, None] & (positions < length)[None, :]
        offsets = _offsets(start, positions, channels, CHANNELS_LAST)
        g = tl.load(grad + offsets, mask=mask, other=0.0).to(tl.float32)
        if rectified is not None:
            g = tl.where(tl.load(rectified + offsets, mask=mask, other=0.0) <= 0.0, 0.0, g)
            tl.store(masked + offsets, g.to(masked.dtype.element_ty), mask=mask)
        values = tl.load(x + offsets, mask=mask, other=0.0).to(tl.float32)
        total += tl.sum(g, 1)
        products += tl.sum(g * (values - mean[:, None]), 1)
    tl.store(partial + split * 2 * rows + row, total, mask=exists)
    tl.store(partial + (split * 2 + 1) * rows + row, products * rstd, mask=exists)


@triton.jit
def _map_gradients(partial, row, c, mask, mixed_rstd, weight, rows, splits):
    """Return the sums of a map, and the gradients of its mixed mean and variance."""
    total = tl.zeros(row.shape, tl.float32)
    products = tl.zeros(row.shape, tl.float32)
    for split in range(splits):
        total += tl.load(partial + split * 2 * rows + row, mask=mask, other=0.0)
        products += tl.load(partial + (split * 2 + 1) * rows + row, mask=mask, other=0.0)
    rstd = tl.load(mixed_rstd + row, mask=mask, other=0.0)
    scale = rstd
    if weight is not None:
        scale *= tl.load(weight + c, mask=mask, other=0.0).to(tl.float32)
    return total, products, -scale * total, -0.5 * scale * rstd * products


@triton.jit
def merge_gradients(
    partial, moments, layer, batch, shares, weight, mixed_rstd,
    grad_mixed, grad_layer, grad_batch, grad_shares, grad_weight, grad_bias,
    images, channels, splits,
    LN: tl.constexpr, BN: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write what an image adds to the gradients of shares and LN moments, or the gradients of some channels."""
    rows = images * channels
    program = tl.program_id(0)
    if program < images:
        row_mean = 0.0
        row_var = 0.0
        in_mean = 0.0
        in_var = 0.0
        bn_mean = 0.0
        bn_var = 0.0
        for first in range(0, channels, BLOCK):
            c = first + tl.arange(0, BLOCK)
            row = program * channels + c
            mask = c < channels
            _, _, d_mean, d_var = _map_gradients(partial, row, c, mask, mixed_rstd, weight, rows, splits)
            tl.store(grad_mixed + row, d_mean, mask=mask)
            tl.store(grad_mixed + rows + row, d_var, mask=mask)
            row_mean += tl.sum(d_mean, 0)
            row_var += tl.sum(d_var, 0)
            in_mean += tl.sum(d_mean * tl.load(moments + row, mask=mask, other=0.0), 0)
            in_var += tl.sum(d_var * tl.load(moments + rows + row, mask=mask, other=0.0), 0)
            if BN >= 0:
                bn_mean += tl.sum(d_mean * tl.load(batch + c, mask=mask, other=0.0), 0)
                bn_var += tl.sum(d_var * tl.load(batch + channels + c, mask=mask, other=0.0), 0)
        own = grad_shares + program * 6  # (N, 3, 2)
        tl.store(own, in_mean)
        tl.store(own + 1, in_var)
        tl.store(own + 4, bn_mean)
        tl.store(own + 5, bn_var)
        if LN >= 0:
            tl.store(own + 2, row_mean * tl.load(layer + program))
            tl.store(own + 3, row_var * tl.load(layer + images + program))
            tl.store(grad_layer + program, row_mean * tl.load(shares + 2 * LN))
            tl.store(grad_layer + images + program, row_var * tl.load(shares + 2 * LN + 1))
    else:
        c = (program - images) * BLOCK + tl.arange(0, BLOCK)
        mask = c < channels
        column_mean = tl.zeros([BLOCK], tl.float32)
        column_var = tl.zeros([BLOCK], tl.float32)
        all_total = tl.zeros([BLOCK], tl.float32)
        all_products = tl.zeros([BLOCK], tl.float32)
        for n in range(images):
            total, products, d_mean, d_var = _map_gradients(
                partial, n * channels + c, c, mask, mixed_rstd, weight, rows, splits
            )
            column_mean += d_mean
            column_var += d_var
            all_total += total
            all_products += products
        tl.store(grad_weight + c, all_products, mask=mask)
        tl.store(grad_bias + c, all_total, mask=mask)
        if BN >= 0:
            tl.store(grad_batch + c, column_mean * tl.load(shares + 2 * BN), mask=mask)
            tl.store(grad_batch + channels + c, column_var * tl.load(shares + 2 * BN + 1), mask=mask)


@triton.jit
def gradient(
    grad, x, grad_x, moments, layer, batch, shares, weight, mixed_rstd, grad_mixed, grad_layer, grad_batch,
    images, channels, length, span,
    IN: tl.constexpr, LN: tl.constexpr, BN: tl.constexpr,
    CHANNELS_LAST: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_L: tl.constexpr,
):  # fmt: skip
    """Write the gradient of a span of a tile; BN is -1 if its moments were running ones."""
    n, row, c, exists, start = _tile(channels, length, CHANNELS_LAST, BLOCK_R)
    rows = images * channels
    mean = tl.load(moments + row, mask=exists, other=0.0)
    d_mean = tl.zeros([BLOCK_R], tl.float32)
    d_var = tl.zeros([BLOCK_R], tl.float32)
    if IN >= 0:
        d_mean += tl.load(shares + 2 * IN) * tl.load(grad_mixed + row, mask=exists, other=0.0)
        d_var += tl.load(shares + 2 * IN + 1) * tl.load(grad_mixed + rows + row, mask=exists, other=0.0)
    if LN >= 0:
        part = tl.load(grad_layer + images + n) / channels
        d_mean += tl.load(grad_layer + n) / channels + 2.0 * part * (mean - tl.load(layer + n))
        d_var += part
    if BN >= 0:
        share = tl.load(grad_batch + channels + c, mask=exists, other=0.0) / images
        d_mean += tl.load(grad_batch + c, mask=exists, other=0.0) / images
        d_mean += 2.0 * share * (mean - tl.load(batch + c, mask=exists, other=0.0))
        d_var += share
    scale = tl.load(mixed_rstd + row, mask=exists, other=0.0)
    if weight is not None:
        scale *= tl.load(weight + c, mask=exists, other=0.0).to(tl.float32)
    slope = 2.0 * d_var / tl.maximum(length - 1, 1)  # a single element is its own mean
    shift = d_mean / length
    split = tl.program_id(1)
    for first in range(split * span, tl.minimum((split + 1) * span, length), BLOCK_L):
        positions = first + tl.arange(0, BLOCK_L)
        mask = exists[:, None] & (positions < length)[None, :]
        offsets = _offsets(start, positions, channels, CHANNELS_LAST)
        g = tl.load(grad + offsets, mask=mask, other=0.0).to(tl.float32)
        values = tl.load(x + offsets, mask=mask, other=0.0).to(tl.float32)
        result = g * scale[:, None] + (values - mean[:, None]) * slope[:, None] + shift[:, None]
        tl.store(grad_x + offsets, result.to(grad_x.dtype.element_ty), mask=mask)
