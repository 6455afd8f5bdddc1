"""Which parameters share a rate and a weight decay, and the optimizer over them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from switchseg.optim import OPTIMIZERS
from switchseg.optim.config import OptimConfig

FUSED = ("sgd", "adamw")
"""The optimizers that can keep their rates on the device and be stopped by it; others are run as they are."""

_OF_THE_DEVICE = ("lr", "fused", "foreach", "capturable")
"""Keys of a parameter group whose values suit its device: those of a checkpoint may be of another one."""


def parameter_groups(
    model: nn.Module, config: OptimConfig, mixing: Collection[str], depths: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    """Sort the trainable parameters into groups named `PART/KIND`, with a layer decay `PART/KIND/BLOCK` in the encoder.

    PART is the encoder or the decoder, each with its own rate. KIND is `decayed` for weights of convolutions and linear
    layers, `plain` for biases and norms (everything with at most one dimension), `mixing` for the mixing weights of
    Switchable Normalization, whose own names are in `mixing`. Empty groups are left out.

    Args:
        model: Its parameters' names begin with `encoder.` or belong to the decoder.
        config: Rates and decays.
        mixing: What a norm calls its mixing weights.
        depths: The block of the encoder's parameters, from 0; without them its rate does not decay.
    """
    depths = depths if depths and config.layer_decay < 1 else {}
    blocks = 1 + max(depths.values(), default=0)
    rates = {"encoder": config.lr_encoder, "decoder": config.lr_decoder}
    members: dict[tuple[str, str, int | None], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = "encoder" if name.startswith("encoder.") else "decoder"
            members.setdefault((part, _kind(name, parameter, mixing), depths.get(name)), []).append(parameter)
    return [
        {
            "name": f"{part}/{kind}" + ("" if block is None else f"/{block}"),
            "params": parameters,
            "lr": rates[part]
            * (config.mixing_lr_scale if kind == "mixing" else 1.0)
            # The decoder stands one block behind the last, so even that one is decayed once.
            * (1.0 if block is None else config.layer_decay ** (blocks - block)),
            "weight_decay": config.weight_decay if kind == "decayed" else 0.0,
        }
        for (part, kind, block), parameters in members.items()
    ]


def _kind(name: str, parameter: nn.Parameter, mixing: Collection[str]) -> str:
    if name.rsplit(".", 1)[-1] in mixing:
        return "mixing"
    return "decayed" if parameter.ndim > 1 else "plain"


def build_optimizer(
    model: nn.Module,
    config: OptimConfig,
    mixing: Collection[str],
    on_device: bool = False,
    depths: Mapping[str, int] | None = None,
) -> torch.optim.Optimizer:
    """Return the optimizer that `config` names over the groups of `model`.

    Args:
        model: On the device that it is trained on.
        config: The optimizer, its rates and decays.
        mixing: What a norm calls its mixing weights.
        on_device: Keep the rates on the device, as float32 tensors, and update in kernels that read them there and
            heed `found_inf`, so that a step can be recorded.
        depths: The block of the encoder's parameters, for `optim.layer_decay`.
    """
    groups = parameter_groups(model, config, mixing, depths)
    if on_device:
        for group in groups:
            group["initial_lr"] = group["lr"]  # what the scheduler multiplies, on the host
            group["lr"] = torch.tensor(group["lr"], dtype=torch.float32, device=group["params"][0].device)
    return OPTIMIZERS[config.name](groups, config)


def sgd(groups: list[dict[str, Any]], config: OptimConfig) -> torch.optim.Optimizer:
    """Return SGD with the momentum of `config`."""
    fused = _are_on_device(groups)
    optimizer = torch.optim.SGD(groups, momentum=config.momentum, fused=fused)
    if fused and config.momentum:
        # torch allocates it in the first step, and leaves it as it is, unset, if `found_inf` skips that.
        for parameter in (parameter for group in groups for parameter in group["params"]):
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter, requires_grad=False)
    return optimizer


def adamw(groups: list[dict[str, Any]], config: OptimConfig) -> torch.optim.Optimizer:
    """Return AdamW whose beta1 is the momentum of `config`."""
    return torch.optim.AdamW(groups, betas=(config.momentum, 0.999), fused=_are_on_device(groups))


def _are_on_device(groups: list[dict[str, Any]]) -> bool | None:
    """Say whether the rates are tensors, which the fused kernels read; None leaves the kernels to torch."""
    return any(isinstance(group["lr"], Tensor) for group in groups) or None


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the optimizer's state with rates that are numbers, as every device can take it."""
    state: dict[str, Any] = optimizer.state_dict()
    return {**state, "param_groups": [{**group, "lr": float(group["lr"])} for group in state["param_groups"]]}


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Any], rates: list[float]) -> None:
    """Restore what `optimizer_state` returned, on whatever device, and set the rate of each group.

    Raises:
        KeyError, ValueError, RuntimeError: the state belongs to another optimizer.
    """
    groups = zip(state["param_groups"], optimizer.param_groups, strict=True)
    # The present device's settings win over those that were saved on another one.
    kept = [{**saved, **{key: own[key] for key in _OF_THE_DEVICE if key in own}} for saved, own in groups]
    optimizer.load_state_dict({**state, "param_groups": kept})
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            if not isinstance(value, Tensor):
                continue  # a plugin's optimizer may keep numbers, too
            if value.shape == parameter.shape and value.stride() != parameter.stride():
                values[key] = torch.empty_like(parameter).copy_(value)  # saved in another memory format
    set_rates(optimizer, rates)


def set_rates(optimizer: torch.optim.Optimizer, rates: list[float]) -> None:
    """Set the rate of each group, on whatever device it is."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        # In place: recorded steps read this very tensor.
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
