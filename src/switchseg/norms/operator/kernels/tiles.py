"""What the kernels share: where tiles lie, how they are loaded, how moments are joined."""

# ruff: noqa: N803, N806 - compile-time arguments are written in capitals, as in all Triton code
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import triton
import triton.language as tl


@triton.jit
def tile_of(
    program: tl.tensor, channels: tl.tensor, length: tl.tensor, CHANNELS_LAST: tl.constexpr, BLOCK_R: tl.constexpr
):
    """Return a tile's image n, its rows n * C + c, its channels c, which of them exist, and where each row starts."""
    blocks = tl.cdiv(channels, BLOCK_R)
    n = program // blocks
    c = (program % blocks) * BLOCK_R + tl.arange(0, BLOCK_R)
    # In 64 bits, since a tensor may have more than 2**31 elements; its rows and its positions are fewer.
    image = n.to(tl.int64) * channels
    start = image * length + c if CHANNELS_LAST else (image + c) * length
    return n, n * channels + c, c, c < channels, start


@triton.jit
def offsets_of(start: tl.tensor, positions: tl.tensor, channels: tl.tensor, CHANNELS_LAST: tl.constexpr):
    """Return where the elements of a tile lie."""
    if CHANNELS_LAST:
        return start[:, None] + positions[None, :].to(tl.int64) * channels
    return start[:, None] + positions[None, :]


@triton.jit
def load_tile(
    x: tl.tensor,
    start: tl.tensor,
    positions: tl.tensor,
    end: tl.tensor,
    exists: tl.tensor,
    channels: tl.tensor,
    CHANNELS_LAST: tl.constexpr,
):
    """Load a tile. The loops load one ahead, so that memory is at work while they compute."""
    mask = exists[:, None] & (positions < end)[None, :]
    return tl.load(x + offsets_of(start, positions, channels, CHANNELS_LAST), mask=mask, other=0.0)


@triton.jit
def join(mean: tl.tensor, squares: tl.tensor, counts: tl.tensor, total: tl.tensor, origin: tl.tensor):
    """Join lanes (axis 1) that hold `counts` values each, of which `total` in all.

    Args:
        mean: of each lane.
        squares: sum of squared deviations from it.
        counts: may be 0.
        total: their sum.
        origin: one per row, near the means: sums around it keep their digits where the mean is large.

    Returns:
        Mean, and sum of squared deviations from it, of all values of a row.
    """
    offset = tl.where(counts > 0, mean - origin[:, None], 0.0)
    shift = tl.sum(offset * counts, 1) / total
    deviation = offset - shift[:, None]
    return origin + shift, tl.sum(squares + counts * deviation * deviation, 1)


@triton.jit
def load_entries(
    column: tl.tensor, IN: tl.constexpr, LN: tl.constexpr, BN: tl.constexpr, STRIDE: tl.constexpr, ABSENT: tl.constexpr
):
    """Load what a column holds for each of the three statistics, or ABSENT."""
    absent = tl.full([], ABSENT, tl.float32)
    of_in = tl.load(column + IN * STRIDE).to(tl.float32) if IN >= 0 else absent
    of_ln = tl.load(column + LN * STRIDE).to(tl.float32) if LN >= 0 else absent
    of_bn = tl.load(column + BN * STRIDE).to(tl.float32) if BN >= 0 else absent
    return of_in, of_ln, of_bn


@triton.jit
def scale_and_shift(rstd: tl.tensor, weight: tl.tensor | None, bias: tl.tensor | None, c: tl.tensor, exists: tl.tensor):
    """Return what deviations from the mean are multiplied with, and what is added to them then."""
    scale = rstd
    if weight is not None:
        scale *= tl.load(weight + c, mask=exists, other=0.0).to(tl.float32)
    shift = tl.zeros(rstd.shape, tl.float32)
    if bias is not None:
        shift += tl.load(bias + c, mask=exists, other=0.0).to(tl.float32)
    return scale, shift


@triton.jit
def load_pair(means: tl.tensor, variances: tl.tensor, places: tl.tensor, exists: tl.tensor):
    """Load means and variances; those of running statistics may be of another type."""
    mean = tl.load(means + places, mask=exists, other=0.0).to(tl.float32)
    return mean, tl.load(variances + places, mask=exists, other=0.0).to(tl.float32)


@triton.jit
def store_pair(
    target: tl.tensor, distance: tl.tensor, mean: tl.tensor, var: tl.tensor, places: tl.tensor, exists: tl.tensor
):
    """Store means at `target` and what belongs to them `distance` numbers further on."""
    tl.store(target + places, mean, mask=exists)
    tl.store(target + distance + places, var, mask=exists)


@triton.jit
def rectified_gradient(
    g: tl.tensor, values: tl.tensor, mean: tl.tensor, scale: tl.tensor, shift: tl.tensor, like: tl.tensor
):
    """Return g where the output, computed and rounded as `apply` does, is positive or NaN, else 0."""
    output = ((values - mean[:, None]) * scale[:, None] + shift[:, None]).to(like.dtype.element_ty)
    return tl.where(output <= 0.0, 0.0, g)
