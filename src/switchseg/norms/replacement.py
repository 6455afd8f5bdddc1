"""The norm that takes the place of another: with its parameters, its running statistics and what it did besides."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from switchseg.norms.kinds import Kind
from switchseg.norms.layout import LONG_TRAINED
from switchseg.norms.modules import SwitchNorm
from switchseg.norms.recognise import Norm, recognise
from switchseg.norms.specimens import takes_inputs

# So far ahead, BN leaves IN and LN shares of 0 in every type, not merely small ones: through 1e-9 of it there shows a
# variance that is 1e8 times BN's, as it is among channels of different scale.
_BN_ONLY = 1000.0
_USUAL_MOMENTUM = 0.1  # torch's, for a BatchNorm that has none: a frozen one, or one that averages evenly


def replacement(module: nn.Module, old: Norm, kind: Kind, init: str | float, path: str, model: nn.Module) -> nn.Module:
    """Return the layer of `kind` that takes the place of a norm, which still stands in the model.

    Args:
        module: the norm.
        old: what it was recognised as.
        kind: of the layer that replaces it.
        init: how that one starts in place of a BatchNorm; see `convert_norms`.
        path: what the norm is called in an error.
        model: where it stands.

    Raises:
        ValueError: `init` asks for running statistics that are not there, or the norms mix other statistics.
        TypeError: the new layer does not take the inputs of the old one.
    """
    try:
        norm: Any = kind.factories.for_inputs(old.dims)(old.features, **_home(module, model))
    except Exception as error:  # whatever a callable of the user's raises
        raise TypeError(f"{path}: {kind.name} makes no layer for {old.features} channels ({error})") from error
    if isinstance(norm, SwitchNorm):
        # Its class alone would take images only, where an old norm may have taken other inputs as well.
        norm.input_dims = tuple(sorted(old.dims))
    _take_over(norm, module)
    if isinstance(norm, SwitchNorm) and isinstance(module, SwitchNorm):
        _continue_mixture(norm, module, path)
    elif init != "uniform":
        _start_from_batch_norm(norm, module, old, path, init)
    elif old.tracks and _is_batch_norm(norm):
        _copy_running(norm, module)
    # A frozen BatchNorm may take inputs of any dimensions; the new norm has to take those that the model has.
    for dims in old.dims & _conv_dims(model) or old.dims:
        if not takes_inputs(norm, old.features, dims):
            raise TypeError(
                f"{path}: {kind.name} makes a {type(norm).__name__} for {old.features} channels, which cannot "
                f"normalize inputs of {dims} dimensions as the {type(module).__name__} there does"
            )
    norm.train(module.training)
    return _with_followers(norm, old.followers)


def _home(module: nn.Module, model: nn.Module) -> dict[str, Any]:
    """Return device and type of a norm's tensors; one that has none is where the model is."""
    tensors = (*module.buffers(), *module.parameters(), *model.parameters(), torch.empty(0, device="cpu"))
    tensor = next(tensor for tensor in tensors if tensor.is_floating_point())
    return {"device": tensor.device, "dtype": tensor.dtype}


def _conv_dims(model: nn.Module) -> set[int]:
    """Return how many dimensions the inputs of a model's convolutions have, which are likely those of its norms."""
    kinds = {3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}
    return {dims for dims, kind in kinds.items() if any(isinstance(module, kind) for module in model.modules())}


def _take_over(norm: Any, module: Any) -> None:
    """Give a new norm what an old one is built with, as far as it has a place for it."""
    for name in ("eps", "process_group"):
        if hasattr(norm, name) and hasattr(module, name):
            setattr(norm, name, getattr(module, name))
    weights = {name: value for name in ("weight", "bias") if (value := getattr(module, name, None)) is not None}
    if hasattr(norm, "affine"):
        norm.affine = bool(weights)
        if not weights:
            norm.weight = norm.bias = None
    for name, value in weights.items():
        if not hasattr(norm, name):
            continue
        own = getattr(norm, name)
        # A layer keeps a parameter of another shape, and the buffer of a frozen one.
        if own is not None and (own.shape != value.shape or not isinstance(own, nn.Parameter)):
            own.data.copy_(value.detach().reshape(own.shape))
        else:
            setattr(norm, name, value if isinstance(value, nn.Parameter) else nn.Parameter(value.clone()))


def _copy_running(norm: Any, module: Any) -> None:
    buffers = dict(module.named_buffers(recurse=False))
    norm.running_mean.copy_(buffers["running_mean"])
    norm.running_var.copy_(buffers["running_var"])
    if getattr(norm, "num_batches_tracked", None) is not None:
        norm.num_batches_tracked.fill_(buffers.get("num_batches_tracked", LONG_TRAINED))
    # SwitchNorm averages its first batches evenly, so its momentum is no BatchNorm's.
    if not any(isinstance(each, SwitchNorm) or not hasattr(each, "momentum") for each in (norm, module)):
        norm.momentum = module.momentum


def _is_batch_norm(norm: nn.Module) -> bool:
    found = recognise(norm)
    return isinstance(found, Norm) and found.like_batch_norm and found.tracks


def _start_from_batch_norm(norm: Any, module: nn.Module, old: Norm, path: str, init: str | float) -> None:
    can_start = _is_batch_norm(norm) or (isinstance(norm, SwitchNorm) and norm.running_mean is not None)
    if not (old.tracks and can_start):
        raise ValueError(f"{path}: init={init!r} needs running statistics, in the model and in the norm")
    _copy_running(norm, module)
    if not isinstance(norm, SwitchNorm):
        return
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.fill_(LONG_TRAINED)
    # Statistics that count as long trained move by nothing but the momentum: with that of 2018 more than half of the
    # old ones would be left after a fine-tuning of 200 steps, where a BatchNorm's own have come to fit the new weights.
    momentum = getattr(module, "momentum", None)
    norm.momentum = _USUAL_MOMENTUM if momentum is None else momentum
    lead = _BN_ONLY if isinstance(init, str) or len(norm.statistics) == 1 else norm.lead_for(init)
    with torch.no_grad():
        for weight in (norm.mean_weight, norm.var_weight):
            weight.zero_()
            weight[norm.statistics.index("bn")] = lead


def _continue_mixture(norm: SwitchNorm, module: SwitchNorm, path: str) -> None:
    if norm.statistics != module.statistics:
        raise ValueError(f"{path}: {module.statistics} are mixed there, the new norm would mix {norm.statistics}")
    norm.mean_weight, norm.var_weight = module.mean_weight, module.var_weight
    norm.backend, norm.momentum = module.backend, module.momentum
    norm.load_state_dict(dict(module.named_buffers(recurse=False)), strict=False)


def _with_followers(norm: nn.Module, followers: dict[str, nn.Module]) -> nn.Module:
    """Let what an old norm did besides normalizing follow the new one."""
    if not followers:
        return norm
    if isinstance(norm, SwitchNorm) and [type(child) for child in followers.values()] == [nn.ReLU]:
        norm.activation = "relu"
        return norm
    sequence = nn.Sequential(OrderedDict(norm=norm, **followers))
    # Not by `train`, which would set the modes of its parts too.
    sequence.training = norm.training
    return sequence
