"""From the moments of every map to mixed moments, and back: the O(N C) part of the operator in torch's own calls.

Shapes: moments (2, N, C), the means and variances of N images of C channels; shares (K, 2), how much of each of K
statistics goes into the mixed mean and variance. On small maps the work on these few numbers takes longer than that on
the maps, and all of its time goes into calling torch: so means and variances travel in one tensor, factors are merged,
and no call is made that could be saved.
"""

from __future__ import annotations

import torch
from torch import Tensor

from switchseg.norms import torch_private
from switchseg.norms.collective import gather_gradient, gather_moments
from switchseg.norms.operator.call import Inputs, Kept, Options


def shares_of(mean_mix: Tensor, var_mix: Tensor | None) -> Tensor:
    """Return the shares (K, 2): the softmaxes of two logits (K,), or `mean_mix` itself where there is no `var_mix`."""
    return mean_mix if var_mix is None else torch.stack([mean_mix, var_mix], 1).softmax(0)


def mix(inputs: Inputs, options: Options, kept: Kept) -> Tensor:
    """Mix the IN moments in `kept` with the LN and BN moments that follow from them, which go there too.

    Returns:
        Mixed moments (2, N, C), a new tensor.
    """
    shares = shares_of(inputs.mean_mix, inputs.var_mix)
    kept.shares[: len(shares)] = shares
    moments = kept.moments
    mixed: Tensor | None = None
    for name, share in zip(options.statistics, _rows(shares), strict=True):
        if name == "in":
            part = moments
        elif name == "ln":
            part = kept.layer.copy_(_merge_channels(moments))
        else:
            part = kept.batch.copy_(_batch_moments(inputs, options, moments))
        mixed = part * share if mixed is None else torch.addcmul(mixed, part, share)
    assert mixed is not None
    # Kernels of ATen read the data of what looks dense to them, whatever its strides.
    return mixed.expand_as(moments).contiguous()


def mix_backward(
    grad: Tensor, kept: Kept, options: Options, elements: int
) -> tuple[Tensor, tuple[Tensor, Tensor | None]]:
    """Carry the gradient (2, N, C) of the mixed moments back to the IN moments and to the mixes of `Inputs`.

    Args:
        grad: of what `mix` returned.
        kept: as `mix` left it.
        options: as in `mix`.
        elements: values per channel in this process, the weight of its batch moments in those of the group.

    Returns:
        The gradients of the IN moments (2, N, C), and of `mean_mix` and `var_mix`.
    """
    shares = kept.shares[: len(options.statistics)]
    moments = kept.moments
    # Of the shares' gradients only by how much they differ from that of a map's own moments: a large mean, which all
    # have in common, would leave the differences few digits, and is nothing to logits.
    grad_shares = []
    grad_moments: Tensor | None = None
    for name, share in zip(options.statistics, _rows(shares), strict=True):
        if name == "in":
            grad_shares.append(moments.new_zeros(2))
            grad_moments = grad * share
            continue
        dim, merged = (2, kept.layer) if name == "ln" else (1, kept.batch)
        deviations = merged - moments
        grad_shares.append((grad * deviations).sum((1, 2)))
        # Running statistics are constants: a gradient of their share, but none of the maps.
        if name == "bn" and not options.training:
            continue
        grad_merged = grad.sum(dim, keepdim=True).mul_(share)
        if name == "bn" and options.group:
            grad_merged = gather_gradient(grad_merged, elements, options.group)
        grad_merged.div_(moments.shape[dim])
        grad_moments = grad_merged.expand_as(grad).clone() if grad_moments is None else grad_moments.add_(grad_merged)
        # A merged variance also holds the spread of the means.
        grad_moments[0].addcmul_(deviations[0], grad_merged[1], value=-2)
    # Of running statistics alone: the maps' own moments were not used.
    if grad_moments is None:
        grad_moments = torch.zeros_like(grad)
    mixes = torch.stack(grad_shares)
    if options.softmax:
        mean_mix, var_mix = torch_private.softmax_backward(mixes, shares, 0, shares.dtype).unbind(1)
        return grad_moments, (mean_mix.contiguous(), var_mix.contiguous())
    return grad_moments, (mixes.add_((grad * moments).sum((1, 2))), None)


def merge_images(moments: Tensor) -> Tensor:
    """Merge the maps (2, N, C) of each channel into moments (2, 1, C), as `_merge_channels` does those of an image."""
    # `torch.var_mean` over images takes 70 us for 512 channels, against 8 over channels.
    merged = moments.mean(1, keepdim=True)
    merged[1].add_((moments[0] - merged[0]).square_().mean(0, keepdim=True))
    return merged


def _batch_moments(inputs: Inputs, options: Options, moments: Tensor) -> Tensor:
    if not options.training:
        assert inputs.running_mean is not None
        assert inputs.running_var is not None
        return torch.stack([inputs.running_mean, inputs.running_var]).unsqueeze(1)
    batch = merge_images(moments)
    elements = inputs.x.numel() // inputs.x.shape[1]
    return gather_moments(batch, elements, options.group)[0] if options.group else batch


def _merge_channels(moments: Tensor) -> Tensor:
    """Merge the equally large maps of an image: the mean of the means; the variance within maps plus that of means."""
    # The moments of all rows in one call; without an eps, rstd ** -2 is the biased variance, 0 for an infinite rstd.
    _, merged, rstd = torch.native_layer_norm(moments, moments.shape[2:], None, None, 0.0)
    merged[1].add_(rstd[0].pow_(-2))
    return merged


def _rows(shares: Tensor) -> tuple[Tensor, ...]:
    """Split (K, 2) into K tensors (2, 1, 1)."""
    return shares.reshape(-1, 2, 1, 1).unbind()
