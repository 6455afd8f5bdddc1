"""`moments` reads the maps, `merge` joins the spans that they were cut into."""

# ruff: noqa: N803, N806 - compile-time arguments are written in capitals, as in all Triton code
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import triton
import triton.language as tl

from switchseg.norms.operator.kernels.tiles import join, load_tile, store_pair, tile_of


@triton.jit
def _write_moments(kept, parts, batches, mean, squares, row, exists, rows, length, program, programs):
    """Write the IN moments of some maps to `kept`, the moments of the block that they are to parts (2, programs).

    The first program counts the batch, if there is a count.
    """
    # Unbiased over the map as in 2018; a map of one element has no squares, and its variance is 0 instead of 0 / 0.
    var = squares / tl.maximum(length - 1, 1)
    store_pair(kept, rows, mean, var, row, exists)
    # What an image's LN moments will be joined of: the block's mean of means, and its variances with the spread of the
    # means around it. A program has them at hand here; later they would have to be read again.
    center = tl.sum(tl.where(exists, mean, 0.0), 0) / tl.sum(exists.to(tl.float32), 0)
    deviation = mean - center
    tl.store(parts + program, center)
    tl.store(parts + programs + program, tl.sum(tl.where(exists, var + deviation * deviation, 0.0), 0))
    # Two ifs: the first is decided when the kernel is compiled, and without a count there is no pointer to load from.
    if batches is not None:
        if program == 0:
            tl.store(batches, tl.load(batches) + 1)


@triton.jit
def moments(
    x, kept, partial, batches, images, channels, length, span,
    WHOLE: tl.constexpr, CHANNELS_LAST: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_L: tl.constexpr,
):  # fmt: skip
    """Write mean and sum of squared deviations of one span of every map to partial (spans, 2, N C).

    WHOLE: the span is the map, there is nothing to merge.
    """
    program = tl.program_id(0)
    split = tl.program_id(1)
    rows = images * channels
    _, row, _, exists, start = tile_of(program, channels, length, CHANNELS_LAST, BLOCK_R)
    begin = split * span
    end = tl.minimum(begin + span, length)
    lane = tl.arange(0, BLOCK_L)
    stride = channels if CHANNELS_LAST else 1
    # Any value of the map is near its mean, compared with how far both may be from 0; the lanes are joined around it.
    middle = begin + (end - begin) // 2  # of which the sum of both could pass 2**31
    origin = tl.load(x + start + middle.to(tl.int64) * stride, mask=exists, other=0.0).to(tl.float32)
    # Welford's update in every lane by itself: one pass, nothing cancels, and no lane waits for another until the end.
    mean = tl.zeros([BLOCK_R, BLOCK_L], tl.float32)
    squares = tl.zeros([BLOCK_R, BLOCK_L], tl.float32)
    seen = 0.0
    loaded = load_tile(x, start, begin + lane, end, exists, channels, CHANNELS_LAST)
    for first in range(begin, end, BLOCK_L):
        mask = exists[:, None] & (first + lane < end)[None, :]
        values = loaded.to(tl.float32)
        loaded = load_tile(x, start, first + BLOCK_L + lane, end, exists, channels, CHANNELS_LAST)
        seen += 1.0
        # A lane beyond the end stays as it is: its deviation is 0, and `counts` knows how many values it has.
        delta = tl.where(mask, values - mean, 0.0)
        mean += delta * (1.0 / seen)
        squares += delta * (values - mean)
    counts = tl.maximum(tl.cdiv(end - begin - lane, BLOCK_L), 0).to(tl.float32)[None, :]
    whole, deviations = join(mean, squares, counts, (end - begin).to(tl.float32), origin)
    if WHOLE:
        programs = tl.num_programs(0)
        _write_moments(kept, partial, batches, whole, deviations, row, exists, rows, length, program, programs)
    else:
        tl.store(partial + split * 2 * rows + row, whole, mask=exists)
        tl.store(partial + (split * 2 + 1) * rows + row, deviations, mask=exists)


@triton.jit
def merge(partial, kept, batches, images, channels, length, span, spans, BLOCK_C: tl.constexpr, BLOCK_S: tl.constexpr):
    """Join the spans of some maps; the moments of blocks (2, N blocks) follow the spans in `partial`."""
    rows = images * channels
    program = tl.program_id(0)
    _, row, _, exists, _ = tile_of(program, channels, length, False, BLOCK_C)
    s = tl.arange(0, BLOCK_S)
    mask = exists[:, None] & (s < spans)[None, :]
    source = partial + row[:, None] + (s * 2 * rows)[None, :]
    # The last span may be shorter, and beyond `spans` there are none: those lanes count nothing.
    counts = tl.maximum(tl.minimum(length - s * span, span), 0).to(tl.float32)[None, :]
    origin = tl.load(partial + row, mask=exists, other=0.0)
    mean = tl.load(source, mask=mask, other=0.0)
    squares = tl.load(source + rows, mask=mask, other=0.0)
    mean, squares = join(mean, squares, counts, length * 1.0, origin)
    parts = partial + spans * 2 * rows
    _write_moments(kept, parts, batches, mean, squares, row, exists, rows, length, program, tl.num_programs(0))
