"""From the moments of every map to mixed moments, and back: the O(N C) part of the fused operator, without autograd.

Shapes: moments (2, N, C), the means and variances of N images of C channels; shares (2, K), how much of each of K
statistics goes into the mixed means and variances.
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
        shares: (2, K).
        statistics: K of "in", "ln" and "bn".
        running: (2, C) to use as BN moments, or None for those of the batch.
        elements: values per channel in this process, the weight of its batch moments in those of `group`.
        group: the processes that share batch moments, "" for this one alone.

    Returns:
        Mixed moments (2, N, C), LN moments (2, N) and BN moments (2, C); those that are not mixed are 0.
    """
    layer, batch = moments.new_zeros(moments.shape[:2]), moments.new_zeros(2, moments.shape[2])
    mixed = torch.zeros_like(moments)
    for index, name in enumerate(statistics):
        share = shares[:, index, None, None]
        if name == "in":
            mixed = moments * share
        elif name == "ln":
            layer = _merge(moments, 2)
            mixed = torch.addcmul(mixed, layer[:, :, None], share)
        else:
            batch = _merge(moments, 1) if running is None else running.clone()
            if running is None and group:
                batch, _ = gather_moments(batch, elements, group)
            mixed = torch.addcmul(mixed, batch[:, None, :], share)
    return mixed, layer, batch


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
    """Carry the gradient (2, N, C) of the mixed moments back to the IN moments (2, N, C) and the shares (2, K)."""
    grad_moments = torch.zeros_like(grad)
    grad_shares = []
    for index, name in enumerate(statistics):
        share = shares[:, index, None]
        if name == "in":
            grad_shares.append((grad * moments).sum((1, 2)))
            grad_moments = grad * share[..., None]
        elif name == "ln":
            summed = grad.sum(2)
            grad_shares.append((summed * layer).sum(1))
            _spread(grad_moments, summed * share, moments, layer, 2)
        else:
            summed = grad.sum(1)
            grad_shares.append((summed * batch).sum(1))
            if training:
                grad_batch = summed * share
                grad_batch = gather_gradient(grad_batch, elements, group) if group else grad_batch
                _spread(grad_moments, grad_batch, moments, batch, 1)
    return grad_moments, torch.stack(grad_shares, 1)


def _merge(moments: Tensor, dim: int) -> Tensor:
    """Merge equally large maps along `dim`: the mean of the means, and within-map variance plus that of the means."""
    mean = moments[0].mean(dim - 1, keepdim=True)
    deviation = moments[0] - mean
    var = torch.addcmul(moments[1], deviation, deviation).mean(dim - 1, keepdim=True)
    return torch.stack([mean, var]).squeeze(dim)


def _spread(grad_moments: Tensor, grad: Tensor, moments: Tensor, merged: Tensor, dim: int) -> None:
    """Add to `grad_moments` (2, N, C) what the gradient of moments merged along `dim` means for each map."""
    grad = (grad / moments.shape[dim]).unsqueeze(dim)
    grad_moments += grad
    grad_moments[0].addcmul_(moments[0] - merged[0].unsqueeze(dim - 1), grad[1], value=2)
