"""Exchange the norms of a model that somebody else built."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from switchseg.norms.conversion import Conversion
from switchseg.norms.factories import Factory
from switchseg.norms.kinds import Kind, find_kind
from switchseg.norms.layout import LONG_TRAINED
from switchseg.norms.modules import SwitchNorm
from switchseg.norms.recognise import Norm, is_named_norm, is_over_maps, recognise
from switchseg.norms.rewrite import FusedBlock
from switchseg.norms.specimens import takes_inputs

# So far ahead, BN leaves IN and LN shares of 0 in every type, not merely small ones: through 1e-9 of it there shows a
# variance that is 1e8 times BN's, as it is among channels of different scale.
_BN_ONLY = 1000.0


def convert_norms(
    model: nn.Module,
    to: str | Factory | Kind = "sn",
    init: str | float = "uniform",
    *,
    report: Callable[[Conversion], object] | None = None,
    batch_norms_only: bool = False,
) -> nn.Module:
    """Exchange every norm of `model`, in place, for the norm `to`.

    Norms are known by what they compute, whatever their class: Batch-, Instance- and GroupNorm, the LayerNorm over
    channels ("LayerNorm2d") and SwitchNorm, frozen and synchronised ones too. They are exchanged wherever the model
    keeps them, in lists, tuples and dicts as well; LayerNorm over the last dimension is left alone. A new layer takes
    all inputs that the old one took. Parameters stay the same objects, so that optimizers which hold them stay valid;
    those of a frozen norm, which are buffers, become parameters; mixing weights are new ones, but for those of a
    SwitchNorm, which goes on with its mixture and running statistics whatever `init` says. An activation or dropout
    inside a norm (timm's `BatchNormAct2d`) follows the new norm. Hooks on a norm are not taken over.

    Args:
        model: any module.
        to: a name of `NORMS`, the class of a layer, or a callable; see `kinds.find_kind`.
        init: how a norm starts in place of a BatchNorm. "uniform" mixes evenly, with fresh running statistics. "bn"
            takes over the running statistics and uses them alone: the evaluation output stays as it was, and the
            mixing weights do not move in training. A number between 0 and 1 does the same with BN's share. With both,
            norms that are no BatchNorm are left.
        report: is told what is exchanged, what is left and why, before the first change; `print` will do. Without it, a
            warning names the norms that one would expect to be exchanged and that are not.
        batch_norms_only: leave every norm that is no BatchNorm.

    Returns:
        `model`, or its replacement if it is itself a norm.

    Raises:
        ValueError: there is no norm called `to`, `init` is unknown or asks for running statistics that are not there,
            or a SwitchNorm would have to go on with other statistics. The model is then as it was.
        TypeError: `to` is no norm, or makes layers that do not take what the old ones do. The model is as it was.
    """
    kind = find_kind(to)
    if not (init in ("uniform", "bn") or (isinstance(init, float) and 0 < init < 1)):
        raise ValueError(f"init must be 'uniform', 'bn' or a share between 0 and 1, got {init!r}")
    conversion = Conversion(kind.name)
    replacements: dict[nn.Module, nn.Module] = {}
    for path, module, parent, norm in _norms(model):
        if isinstance(norm, str):
            (conversion.missed if is_over_maps(module) else conversion.left)[path] = f"{_name(module)}: {norm}"
        elif batch_norms_only and not norm.like_batch_norm:
            conversion.left[path] = f"{_name(module)}: it is no BatchNorm"
        elif init != "uniform" and not norm.like_batch_norm and not isinstance(module, SwitchNorm):
            conversion.missed[path] = f"{_name(module)}: it is no BatchNorm, which init={init!r} needs"
        else:
            new = _replacement(module, norm, kind, init, path, model)
            if isinstance(parent, FusedBlock) and not isinstance(new, SwitchNorm):
                conversion.missed[path] = f"{_name(module)}: fuse_activations gave it more to do; convert before that"
                continue
            conversion.converted[path] = _name(module)
            replacements[module] = new
    if report is None:
        conversion.warn()
    else:
        report(conversion)
    # Last, after all that may raise: a model is converted as a whole or not at all.
    _exchange(model, replacements)
    return replacements.get(model, model)


def _norms(
    module: nn.Module, path: str = "", parent: nn.Module | None = None, seen: set[nn.Module] | None = None
) -> Iterator[tuple[str, nn.Module, nn.Module | None, Norm | str]]:
    """Yield path, module, parent and what it is, of all that call themselves norms: each once, and not their parts."""
    seen = set() if seen is None else seen
    if module in seen:
        return
    seen.add(module)
    if is_named_norm(module):
        norm = recognise(module)
        yield path, module, parent, norm
        if isinstance(norm, Norm) or is_over_maps(module):
            return
    for name, child in module.named_children():
        # What is called a norm in there (spectral and weight norm) works on weights, not on maps.
        if name != "parametrizations":
            yield from _norms(child, f"{path}.{name}" if path else name, module, seen)


def _name(module: nn.Module) -> str:
    return type(module).__name__


def _replacement(module: nn.Module, old: Norm, kind: Kind, init: str | float, path: str, model: nn.Module) -> nn.Module:
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
                f"{path}: {kind.name} makes a {_name(norm)} for {old.features} channels, which cannot normalize inputs "
                f"of {dims} dimensions as the {_name(module)} there does"
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


def _exchange(holder: Any, replacements: dict[nn.Module, nn.Module], seen: set[int] | None = None) -> Any:
    """Return what stands for `holder`, with the modules exchanged that it and its lists, tuples and dicts hold."""
    seen = set() if seen is None else seen
    if isinstance(holder, nn.Module) and holder in replacements:
        return replacements[holder]
    # Plain tuples only: one of a class of its own may not be built from its items.
    if isinstance(holder, tuple) and type(holder) is tuple:
        items = tuple(_exchange(item, replacements, seen) for item in holder)
        return holder if all(map(operator.is_, items, holder)) else items
    # By id, since lists and dicts have no hash; holders may refer to each other in circles.
    if id(holder) in seen:
        return holder
    seen.add(id(holder))
    if isinstance(holder, nn.Module):
        # Beside `_modules` there may be plain lists and dicts, which torch does not look into and a forward may read.
        _exchange(vars(holder), replacements, seen)
    elif isinstance(holder, (dict, list)):
        for key, item in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            new = _exchange(item, replacements, seen)
            if new is not item:
                holder[key] = new
    return holder
