"""Exchange the norms of a model that somebody else built."""

from __future__ import annotations

import torch
from torch import nn

from switchseg.norms.create import find_norm


def convert_norms(model: nn.Module, to: str = "sn", init: str = "uniform") -> nn.Module:
    """Exchange every BatchNorm2d of `model`, in place, for the norm called `to`; Parameters of the same shape are kept.

    Raises:
        ValueError: there is no norm called `to`.
    """
    factory = find_norm(to)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                like = next(child.parameters(), torch.empty(0))
                new = factory(child.num_features, device=like.device, dtype=like.dtype)
                if child.affine:
                    new.weight, new.bias = child.weight, child.bias
                setattr(parent, name, new.train(child.training))
    return model
