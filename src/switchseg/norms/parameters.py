"""Parameter groups for any optimizer: mixing weights are not to be decayed, and may have a rate of their own."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from switchseg.norms.layout import MIXING


def parameter_groups(
    model: nn.Module, lr: float, weight_decay: float = 0.0, mixing_lr_scale: float = 1.0
) -> list[dict[str, Any]]:
    """Sort the trainable parameters of any model into groups for a `torch.optim` optimizer, as `switchseg train` does.

    The kinds are `decayed` for weights of convolutions and linear layers, `mixing` for the mixing weights of Switchable
    Normalization, and `plain` for biases and norms: everything else with at most one dimension.

    Args:
        model: any module.
        lr: the rate.
        weight_decay: of those that are `decayed`; the others have none.
        mixing_lr_scale: what the rate of the mixing weights is multiplied with.

    Returns:
        A group for each kind that the model has any of, with `name`, `params`, `lr` and `weight_decay`.
    """
    members: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            members.setdefault(_kind(name, parameter), []).append(parameter)
    return [
        {
            "name": kind,
            "params": parameters,
            "lr": lr * (mixing_lr_scale if kind == "mixing" else 1.0),
            "weight_decay": weight_decay if kind == "decayed" else 0.0,
        }
        for kind, parameters in members.items()
    ]


def _kind(name: str, parameter: Tensor) -> str:
    # Decay would pull their logits to 0, and thereby every mixture towards an even one.
    if name.rsplit(".", 1)[-1] in MIXING:
        return "mixing"
    return "decayed" if parameter.ndim > 1 else "plain"
