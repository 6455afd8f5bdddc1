"""How much of each statistic is mixed: the shares, from the mixing weights, and their gradient back to those."""

# ruff: noqa: N803, N806 - compile-time arguments are written in capitals, as in all Triton code
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import triton
import triton.language as tl

from switchseg.norms.operator.kernels.tiles import load_entries


@triton.jit
def _softmax(logits: tl.tensor, IN: tl.constexpr, LN: tl.constexpr, BN: tl.constexpr):
    """Return the shares of the three statistics, 0 for one that is not mixed."""
    of_in, of_ln, of_bn = load_entries(logits, IN, LN, BN, 1, float("-inf"))
    # What is not mixed has the logit -inf, so that its exponential is 0 and the code the same for all mixtures.
    top = tl.maximum(tl.maximum(of_in, of_ln), of_bn)
    of_in, of_ln, of_bn = tl.exp(of_in - top), tl.exp(of_ln - top), tl.exp(of_bn - top)
    total = of_in + of_ln + of_bn
    return of_in / total, of_ln / total, of_bn / total


@triton.jit
def shares_of(
    mean_mix: tl.tensor, var_mix: tl.tensor, IN: tl.constexpr, LN: tl.constexpr, BN: tl.constexpr, SOFTMAX: tl.constexpr
):
    """Return the shares of the three statistics in the mean and in the variance."""
    if SOFTMAX:
        of_mean = _softmax(mean_mix, IN, LN, BN)
        of_var = _softmax(var_mix, IN, LN, BN)
    else:
        of_mean = load_entries(mean_mix, IN, LN, BN, 2, 0.0)
        of_var = load_entries(mean_mix + 1, IN, LN, BN, 2, 0.0)
    return of_mean, of_var


@triton.jit
def keep_shares(
    shares: tl.tensor, of_mean: tl.tensor, of_var: tl.tensor, IN: tl.constexpr, LN: tl.constexpr, BN: tl.constexpr
):
    """Write the shares (K, 2) of the statistics that are mixed."""
    if IN >= 0:
        tl.store(shares + 2 * IN, of_mean[0])
        tl.store(shares + 2 * IN + 1, of_var[0])
    if LN >= 0:
        tl.store(shares + 2 * LN, of_mean[1])
        tl.store(shares + 2 * LN + 1, of_var[1])
    if BN >= 0:
        tl.store(shares + 2 * BN, of_mean[2])
        tl.store(shares + 2 * BN + 1, of_var[2])


@triton.jit
def shares_gradient(
    kept: tl.tensor,
    parts: tl.tensor,
    gradient: tl.tensor,
    column: tl.constexpr,
    images: tl.tensor,
    channels: tl.tensor,
    IN: tl.constexpr,
    LN: tl.constexpr,
    BN: tl.constexpr,
    SOFTMAX: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Write the gradient of one column of the shares or of their logits: 0 of the mean's, 1 of the variance's."""
    CHUNK: tl.constexpr = 256
    STRIDE: tl.constexpr = 1 if SOFTMAX else 2
    blocks = tl.cdiv(channels, BLOCK_C)
    # The six numbers of every block follow each other: means at the even places, variances at the odd ones.
    common = kept + 4 * images * channels
    shares = common + 2 * images + 2 * channels + column
    in_sum = tl.zeros([CHUNK], tl.float32)
    ln_sum = tl.zeros([CHUNK], tl.float32)
    bn_sum = tl.zeros([CHUNK], tl.float32)
    for first in range(0, images * blocks, CHUNK):
        part = first + tl.arange(0, CHUNK)
        mask = part < images * blocks
        own = parts + part * 6 + column
        if IN >= 0:
            in_sum += tl.load(own + 2, mask=mask, other=0.0)
        if LN >= 0:
            layer = tl.load(common + column * images + part // blocks, mask=mask, other=0.0)
            ln_sum += tl.load(own, mask=mask, other=0.0) * layer
        if BN >= 0:
            bn_sum += tl.load(own + 4, mask=mask, other=0.0)
    in_grad, ln_grad, bn_grad = tl.sum(in_sum, 0), tl.sum(ln_sum, 0), tl.sum(bn_sum, 0)
    if SOFTMAX:
        # From shares to logits: d logit_k = share_k (d share_k - sum_j share_j d share_j).
        in_share, ln_share, bn_share = load_entries(shares, IN, LN, BN, 2, 0.0)
        inner = in_share * in_grad + ln_share * ln_grad + bn_share * bn_grad
        in_grad = in_share * (in_grad - inner)
        ln_grad = ln_share * (ln_grad - inner)
        bn_grad = bn_share * (bn_grad - inner)
    kind = gradient.dtype.element_ty
    if IN >= 0:
        tl.store(gradient + IN * STRIDE, in_grad.to(kind))
    if LN >= 0:
        tl.store(gradient + LN * STRIDE, ln_grad.to(kind))
    if BN >= 0:
        tl.store(gradient + BN * STRIDE, bn_grad.to(kind))
