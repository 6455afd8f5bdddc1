"""From the moments of every map to mixed moments, and back: the O(N C) part of the fused operator, without autograd.

Shapes: moments (2, N, C), the means and variances of N images of C channels; shares (K, 2), how much of each of K
statistics goes into the mixed mean and variance. On small maps these few numbers cost more than the maps do, and each
costs as much as a call: so means and variances travel in one tensor, factors are merged, and calls are counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from switchseg.norms.collective import gather_gradient, gather_moments


def mix(
    moments: Tensor, shares: Tensor, statistics: Sequence[str], running: Tensor | None, elements: int, group: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Mix the IN moments of a batch with the LN and BN moments that follow from them.

    Args:
        moments: (2, N, C).
        shares: (K, 2).
        statistics: K of "in", "ln" and "bn", in that order.
        running: (2, C) to use as BN moments, or None for those of the batch.
        elements: values per channel in this process, the weight of its batch moments in those of `group`.
        group: the processes that share batch moments, "" for this one alone.

    Returns:
        Mixed moments (2, N, C), LN moments (2, N, 1) and BN moments (2, 1, C); those that are not mixed are empty.
    """
    mixed = layer = batch = moments.new_empty(0)
    for name, share in zip(statistics, _rows(shares), strict=True):
        if name == "in":
            part = moments
        elif name == "ln":
            part = layer = _merge_channels(moments)
        elif running is not None:
            part = batch = running.clone().unsqueeze(1)  # an operator may not return what it was given
        else:
            part = batch = _merge_images(moments)
            if group:
                part = batch = gather_moments(batch, elements, group)[0]
        mixed = torch.addcmul(mixed, part, share) if mixed.numel() else part * share
    # Kernels of ATen read the data of what looks dense to them, whatever its strides.
    return mixed.expand_as(moments).contiguous(), layer, batch


def mix_backward(
    grad: Tensor,
    moments: Tensor,
    layer: Tensor,
    batch: Tensor,
    shares: Tensor,
    statistics: Sequence[str],
    training: bool,
    elements: int,
    group: str,
) -> tuple[Tensor, Tensor]:
    """Carry the gradient (2, N, C) of the mixed moments back to the IN moments (2, N, C) and the shares (K, 2)."""
    means = moments[0]
    grad_shares = []
    grad_moments: Tensor | None = None
    for name, share in zip(statistics, _rows(shares), strict=True):
        if name == "in":
            grad_shares.append((grad * moments).sum((1, 2)))
            grad_moments = grad * share
            continue
        dim, merged = (2, layer) if name == "ln" else (1, batch)
        summed = grad.sum(dim, keepdim=True)
        grad_shares.append((summed * merged).sum((1, 2)))
        if name == "bn" and not training:
            continue
        grad_merged = summed.mul_(share)
        if name == "bn" and group:
            grad_merged = gather_gradient(grad_merged, elements, group)
        grad_merged.div_(moments.shape[dim])
        grad_moments = grad_merged.expand_as(grad).clone() if grad_moments is None else grad_moments.add_(grad_merged)
        # A merged variance also holds the spread of the means.
        grad_moments[0].addcmul_(means - merged[0], grad_merged[1], value=2)
    return torch.zeros_like(grad) if grad_moments is None else grad_moments, torch.stack(grad_shares)


def _rows(shares: Tensor) -> tuple[Tensor, ...]:
    """Split (K, 2) into K tensors (2, 1, 1)."""
    return shares.view(-1, 2, 1, 1).unbind()


def _merge_channels(moments: Tensor) -> Tensor:
    """Merge the equally large maps of an image: the mean of the means; the variance within maps plus that of means."""
    _, merged, rstd = torch.native_layer_norm(moments, moments.shape[2:], None, None, 0.0)
    merged[1].add_(rstd[0].pow_(-2))
    return merged


def _merge_images(moments: Tensor) -> Tensor:
    """Merge the maps of a channel likewise."""
    merged = moments.mean(1, keepdim=True)
    merged[1].add_((moments[0] - merged[0]).square_().mean(0, keepdim=True))
    return merged
