"""Exchange the norms of a model that somebody else built."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

from switchseg.norms.conversion import Conversion
from switchseg.norms.factories import Factory
from switchseg.norms.kinds import Kind, find_kind
from switchseg.norms.modules import SwitchNorm
from switchseg.norms.recognise import Norm, is_named_norm, is_over_maps, recognise
from switchseg.norms.replacement import replacement
from switchseg.norms.rewrite import FusedBlock


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
            takes over the running statistics, and the momentum at which they go on, and uses them alone: the evaluation
            output stays as it was, and the mixing weights do not move in training. A number between 0 and 1 does the
            same with BN's share. With both, norms that are no BatchNorm are left.
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
            new = replacement(module, norm, kind, init, path, model)
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
