"""`apply` mixes the moments and reads the maps again, to write the output."""

# ruff: noqa: N803, N806 - compile-time arguments are written in capitals, as in all Triton code
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import triton
import triton.language as tl

from switchseg.norms.operator.kernels.shares import keep_shares, shares_of
from switchseg.norms.operator.kernels.tiles import (
    join,
    load_pair,
    load_tile,
    offsets_of,
    scale_and_shift,
    store_pair,
    tile_of,
)


@triton.jit
def _image_moments(parts, n, images, channels, BLOCK_C: tl.constexpr, BLOCK_B: tl.constexpr):
    """Return the LN moments of image n, from those of its blocks of channels."""
    blocks = tl.cdiv(channels, BLOCK_C)
    b = tl.arange(0, BLOCK_B)[None, :]
    first = parts + n * blocks
    counts = tl.maximum(tl.minimum(channels - b * BLOCK_C, BLOCK_C), 0).to(tl.float32)
    origin = tl.load(first + tl.arange(0, 1))
    mean = tl.load(first + b, mask=b < blocks, other=0.0)
    squares = tl.load(first + images * blocks + b, mask=b < blocks, other=0.0)
    mean, squares = join(mean, squares, counts, channels * 1.0, origin)
    return tl.sum(mean, 0), tl.sum(squares, 0) / channels


@triton.jit
def _batch_moments(kept, c, exists, images, channels, BLOCK_N: tl.constexpr):
    """Return the BN moments of channels c, from the IN moments of all images."""
    rows = images * channels
    lane = tl.arange(0, BLOCK_N)
    origin = tl.load(kept + c, mask=exists, other=0.0)
    mean = tl.zeros([c.shape[0], BLOCK_N], tl.float32)
    squares = tl.zeros([c.shape[0], BLOCK_N], tl.float32)
    seen = 0.0
    for first in range(0, images, BLOCK_N):
        mask = exists[:, None] & (first + lane < images)[None, :]
        source = kept + c[:, None] + ((first + lane) * channels)[None, :]
        seen += 1.0
        delta = tl.where(mask, tl.load(source, mask=mask, other=0.0) - mean, 0.0)
        mean += delta * (1.0 / seen)
        # Each value stands for a map: its own variance is added to what Welford's update adds for its mean.
        squares += tl.load(source + rows, mask=mask, other=0.0) + delta * delta * ((seen - 1.0) / seen)
    counts = tl.maximum(tl.cdiv(images - lane, BLOCK_N), 0).to(tl.float32)[None, :]
    center, squares = join(mean, squares, counts, images * 1.0, origin)
    return center, squares / images


@triton.jit
def _move(running, batches, moment, momentum, c, exists):
    """Move running statistics of channels c towards the batch's, evenly until 1 / momentum batches have been seen."""
    share = tl.maximum(1.0 / tl.load(batches).to(tl.float32), momentum)
    old = tl.load(running + c, mask=exists, other=0.0).to(tl.float32)
    tl.store(running + c, (old + share * (moment - old)).to(running.dtype.element_ty), mask=exists)


@triton.jit
def apply(
    x, y, residual, kept, partial, mean_mix, var_mix, weight, bias, running_mean, running_var, batches,
    images, channels, length, span, spans, eps, momentum,
    IN: tl.constexpr, LN: tl.constexpr, BN: tl.constexpr, SOFTMAX: tl.constexpr,
    GIVEN: tl.constexpr, RELU: tl.constexpr, CHANNELS_LAST: tl.constexpr,
    BLOCK_R: tl.constexpr, BLOCK_L: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_B: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Mix the moments, keep them for backward, and write the normalized (added, rectified) span of a tile.

    GIVEN: the BN moments are the running ones, and stay as they are; else those of the batch move the running ones,
    where there are any. kept: IN moments (2, N, C), mixed mean and 1 / sqrt(mixed variance + eps) (2, N, C), LN moments
    (2, N), BN moments (2, C), shares (K, 2).
    """
    # Backwards: what `moments` read last is still in the cache.
    program = tl.num_programs(0) - 1 - tl.program_id(0)
    split = tl.num_programs(1) - 1 - tl.program_id(1)
    n, row, c, exists, start = tile_of(program, channels, length, CHANNELS_LAST, BLOCK_R)
    lane = tl.arange(0, BLOCK_L)
    begin = split * span
    end = tl.minimum(begin + span, length)
    # The first tile is asked for before the moments are mixed, and is on its way meanwhile.
    loaded = load_tile(x, start, begin + lane, end, exists, channels, CHANNELS_LAST)
    rows = images * channels
    parts = partial + spans * 2 * rows
    of_mean, of_var = shares_of(mean_mix, var_mix, IN, LN, BN, SOFTMAX)
    common = kept + 4 * rows
    mean = tl.zeros([BLOCK_R], tl.float32)
    var = tl.zeros([BLOCK_R], tl.float32)
    if IN >= 0:
        in_mean, in_var = load_pair(kept, kept + rows, row, exists)
        mean += of_mean[0] * in_mean
        var += of_var[0] * in_var
    # Every program works out the moments of its image and its channels again, from a few numbers that all have just
    # read: that costs less than a launch that would do it once.
    if LN >= 0:
        image_mean, image_var = _image_moments(parts, n, images, channels, BLOCK_C, BLOCK_B)
        mean += of_mean[1] * image_mean
        var += of_var[1] * image_var
        if split == 0:
            store_pair(common, images, image_mean, image_var, n, True)
    if BN >= 0:
        if GIVEN:
            batch_mean, batch_var = load_pair(running_mean, running_var, c, exists)
        else:
            batch_mean, batch_var = _batch_moments(kept, c, exists, images, channels, BLOCK_N)
        mean += of_mean[2] * batch_mean
        var += of_var[2] * batch_var
        if (split == 0) & (n == 0):
            store_pair(common + 2 * images, channels, batch_mean, batch_var, c, exists)
            if batches is not None:
                _move(running_mean, batches, batch_mean, momentum, c, exists)
                _move(running_var, batches, batch_var, momentum, c, exists)
    rstd = 1.0 / tl.sqrt(var + eps)
    if split == 0:
        store_pair(kept + 2 * rows, rows, mean, rstd, row, exists)
        if program == 0:
            keep_shares(common + 2 * images + 2 * channels, of_mean, of_var, IN, LN, BN)
    scale, shift = scale_and_shift(rstd, weight, bias, c, exists)
    _write_normalized(
        x, y, residual, loaded, start, begin, end, exists, channels, mean, scale, shift, RELU, CHANNELS_LAST, BLOCK_L
    )


@triton.jit
def _write_normalized(
    x, y, residual, loaded, start, begin, end, exists, channels, mean, scale, shift,
    RELU: tl.constexpr, CHANNELS_LAST: tl.constexpr, BLOCK_L: tl.constexpr,
):  # fmt: skip
    """Write (x - mean) scale + shift, added to and rectified where asked; the first tile of x has been loaded."""
    lane = tl.arange(0, BLOCK_L)
    for first in range(begin, end, BLOCK_L):
        values = loaded.to(tl.float32)
        loaded = load_tile(x, start, first + BLOCK_L + lane, end, exists, channels, CHANNELS_LAST)
        mask = exists[:, None] & (first + lane < end)[None, :]
        offsets = offsets_of(start, first + lane, channels, CHANNELS_LAST)
        values = (values - mean[:, None]) * scale[:, None] + shift[:, None]
        if residual is not None:
            values += tl.load(residual + offsets, mask=mask, other=0.0).to(tl.float32)
        if RELU:
            values = tl.where(values < 0.0, 0.0, values)  # keeps NaN, unlike a maximum
        tl.store(y + offsets, values.to(y.dtype.element_ty), mask=mask)
