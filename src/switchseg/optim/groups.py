"""Which parameters share a rate and a weight decay, and the optimizer over them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from switchseg.norms import MIXING
from switchseg.optim.config import OptimConfig


def parameter_groups(model: nn.Module, config: OptimConfig) -> list[dict[str, Any]]:
    """Sort the trainable parameters into groups named `PART/KIND`.

    PART is the encoder or the decoder, each with its own rate. KIND is `decayed` for weights of convolutions and linear
    layers, `plain` for biases and norms (everything with at most one dimension), `mixing` for the mixing weights of
    Switchable Normalization. Empty groups are left out.
    """
    rates = {"encoder": config.lr_encoder, "decoder": config.lr_decoder}
    members: dict[tuple[str, str], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = "encoder" if name.startswith("encoder.") else "decoder"
            members.setdefault((part, _kind(name, parameter)), []).append(parameter)
    return [
        {
            "name": f"{part}/{kind}",
            "params": parameters,
            "lr": rates[part] * (config.mixing_lr_scale if kind == "mixing" else 1.0),
            "weight_decay": config.weight_decay if kind == "decayed" else 0.0,
        }
        for (part, kind), parameters in members.items()
    ]


def _kind(name: str, parameter: nn.Parameter) -> str:
    if name.rsplit(".", 1)[-1] in MIXING:
        return "mixing"
    return "decayed" if parameter.ndim > 1 else "plain"


def build_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """Return the optimizer that `config` names over the groups of `model`."""
    groups = parameter_groups(model, config)
    if config.name == "adamw":
        return torch.optim.AdamW(groups, betas=(config.momentum, 0.999))
    return torch.optim.SGD(groups, momentum=config.momentum)
