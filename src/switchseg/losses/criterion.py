"""What a training minimises: losses by name, each with a factor, on the logits and on those of an auxiliary head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from switchseg.losses import LOSSES
from switchseg.losses.config import LossConfig
from switchseg.losses.loss import Loss, computable


class Criterion:
    """Several losses, each with its factor and with a weight of its own.

    Args:
        terms: The losses and the factors on them.
        auxiliary_weight: The factor on the losses of an auxiliary head.
    """

    def __init__(self, terms: Sequence[tuple[Loss, float]], auxiliary_weight: float = 0.4) -> None:
        self.terms = tuple(terms)
        self.auxiliary_weight = auxiliary_weight

    @classmethod
    def configured(
        cls, config: LossConfig, class_weights: Sequence[float] | None, device: torch.device | str
    ) -> Criterion:
        """Return what `config` says, with the weight of each class, to be computed on `device`."""
        # float64, so that sums over the pixels of a step do not depend on how these are spread.
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float64, device=device)
        terms = [(LOSSES[name].configured(config, weights), factor) for name, factor in config.factors.items()]
        return cls(terms, config.auxiliary_weight)

    def weights(self, labels: Tensor) -> Tensor:
        """Return by what the sum of each of the T terms is divided, float64 [T].

        Weights add up over batches and ranks as the sums do.
        """
        return torch.stack([loss.weight(labels).double() for loss, _ in self.terms])

    def sums(self, logits: Tensor, auxiliary: Tensor | None, labels: Tensor) -> Tensor:
        """Return the sum of each term over a batch, its factor included [T].

        Args:
            logits: [N, C, h, w] of any stride.
            auxiliary: Logits of the auxiliary head, of any stride of their own; None without one.
            labels: int64 [N, H, W].
        """
        # Resized once for all terms: at full size logits are the largest tensors of a step.
        outputs = [(1.0, computable(logits, labels))]
        if auxiliary is not None:
            outputs.append((self.auxiliary_weight, computable(auxiliary, labels)))
        sums = [
            sum(factor * weight * loss.sum(output, labels) for weight, output in outputs) for loss, factor in self.terms
        ]
        return torch.stack([torch.as_tensor(total) for total in sums])


def inverse(weights: Tensor) -> Tensor:
    """Return 1 / weights, and 0 where nothing was weighed."""
    # A step without any label divides by nothing; its sum is 0 as well, and so are its gradients.
    return torch.where(weights > 0, 1 / weights, 0)
