"""Which norm a module of whatever library is, told from what it computes: names and base classes promise too much.

A module is run in evaluation mode on small inputs, with other values in place of its own, and compared with the
formulas of the norms. So frozen, synchronised and derived norms are known without a list of them, those that do
something else besides are found out, and nothing depends on the weights or on whether there are any (meta device).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import is_parametrized

from switchseg.norms.modules import SwitchNorm
from switchseg.norms.specimens import evaluate, specimen, stand_ins

Formula = Callable[[Tensor], Tensor]

INPUT_DIMS = (2, 3, 4, 5)
"""(N, C) to (N, C, D, H, W)."""

_OTHER = "it computes something else than Batch-, Instance-, Group- or LayerNorm over channels"


class Norm(NamedTuple):
    """What a module was recognised as."""

    features: int
    """C, the channels of its inputs."""
    dims: frozenset[int]
    """Which of `INPUT_DIMS` it takes."""
    like_batch_norm: bool
    """Whether it normalizes with the moments of the batch, in evaluation perhaps with running ones."""
    tracks: bool
    """Whether it has running moments."""
    followers: dict[str, nn.Module]
    """Its children that work on what it has normalized: dropout, an activation."""


def is_named_norm(module: nn.Module) -> bool:
    """Tell whether a module calls itself a norm or keeps running moments, and is not a block that merely holds one."""
    own = _own(module)
    is_leaf = bool(own) or not any(True for _ in module.children())
    return "running_mean" in own or ("norm" in type(module).__name__.lower() and is_leaf)


def is_over_maps(module: nn.Module) -> bool:
    """Tell whether a module calls itself, or derives from, a norm over maps: Batch-, Instance- or GroupNorm."""
    bases = " ".join(base.__name__.lower() for base in type(module).__mro__)
    return "running_mean" in _own(module) or any(name in bases for name in ("batchnorm", "instancenorm", "groupnorm"))


def recognise(module: nn.Module) -> Norm | str:
    """Return which norm a module is, or in words why it is none.

    BatchNorm, InstanceNorm, GroupNorm, the LayerNorm over the channels of every position and SwitchNorm are known.
    """
    if isinstance(module, SwitchNorm):
        followers = {name: child for name, child in module.named_children() if _works(child)}
        if module.activation is not None:
            followers["act"] = nn.ReLU()
        tracks = module.running_mean is not None
        return Norm(module.num_features, frozenset(module.input_dims), False, tracks, followers)
    if (obstacle := _obstacle(module)) is not None:
        return obstacle
    otherwise = "it normalizes the last dimensions" if isinstance(module, nn.LayerNorm) else _OTHER
    features = _features(module)
    if features is None or not isinstance(getattr(module, "eps", None), (int, float)):
        return otherwise
    values = stand_ins(module)
    inputs = {dims: specimen(features, dims, module) for dims in INPUT_DIMS}
    results = {dims: result for dims, x in inputs.items() if (result := evaluate(module, values, x)) is not None}
    children = {name: child for name, child in module.named_children() if _works(child)}
    for like_batch_norm, formula in _formulas(module, values):
        # With the children first: dropout does nothing in evaluation, so the formula alone would agree, and lose it.
        for followers in (children, {}):
            dims = frozenset(
                dims
                for dims, result in results.items()
                if _agree(result, _apply(formula, followers, values, inputs[dims]))
            )
            if dims:
                return Norm(features, dims, like_batch_norm, "running_mean" in values, followers)
    return otherwise


def _obstacle(module: nn.Module) -> str | None:
    """Return why a module cannot be exchanged whatever it computes."""
    own = _own(module)
    if isinstance(module, torch.jit.ScriptModule):
        return "it is compiled to TorchScript"
    if any(map(is_lazy, own.values())):
        return "it has seen no input yet; run the model once"
    weights = {name for name in ("weight", "bias") if isinstance(getattr(module, name, None), Tensor)}
    if is_parametrized(module) or not weights <= own.keys():
        return "its parameters are computed (parametrized, pruned or weight-normalized)"
    return None


def _own(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers(recurse=False))}


def _features(module: Any) -> int | None:
    own = _own(module)
    for name in ("running_mean", "weight"):
        if name in own:
            return own[name].numel() if own[name].dim() == 1 else None
    counts = (getattr(module, name, None) for name in ("num_features", "num_channels", "normalized_shape"))
    found = next((count for count in counts if count is not None), None)
    if isinstance(found, tuple):
        return int(found[0]) if len(found) == 1 else None
    return found if isinstance(found, int) else None


def _works(child: nn.Module) -> bool:
    # A ModuleList has no forward of its own; a child without one is a mere container.
    return not isinstance(child, nn.Identity) and type(child).forward is not nn.ModuleList.forward


def _formulas(module: Any, values: Mapping[str, Tensor]) -> Iterator[tuple[bool, Formula]]:
    """Yield the formulas that a module may compute, and whether each is that of a BatchNorm."""
    mean, var, weight, bias = map(values.get, ("running_mean", "running_var", "weight", "bias"))
    eps = module.eps
    # In evaluation running moments make a BatchNorm of an InstanceNorm that has them.
    if mean is not None:
        yield True, lambda x: F.batch_norm(x, mean, var, weight, bias, eps=eps)
        return
    groups = getattr(module, "num_groups", None)
    if groups is not None:
        yield False, lambda x: torch.group_norm(x, groups, weight, bias, eps)
    yield True, lambda x: F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)
    yield False, lambda x: F.instance_norm(x, weight=weight, bias=bias, eps=eps)
    yield False, lambda x: _channel_norm(x, weight, bias, eps)


def _channel_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Normalize over the channels of every position of (N, C, ...)."""
    if x.dim() == 2:
        raise ValueError("the channels of (N, C) are its last dimension: every LayerNorm does that")
    return F.layer_norm(x.movedim(1, -1), x.shape[1:2], weight, bias, eps).movedim(-1, 1)


def _apply(
    formula: Formula, followers: Mapping[str, nn.Module], values: Mapping[str, Tensor], x: Tensor
) -> Tensor | None:
    try:
        y: Tensor | None = formula(x)
    except (IndexError, RuntimeError, ValueError):  # of inputs that this formula is not for
        return None
    for name, child in followers.items():
        own = {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")}
        y = None if y is None else evaluate(child, own, y)
    return y


def _agree(result: Tensor, expected: Tensor | None) -> bool:
    if expected is None or result.shape != expected.shape:
        return False
    # Values are of the order of 1: rounding differs by far less than this, and other formulas by far more.
    return torch.allclose(result.float(), expected.float(), rtol=1e-3, atol=1e-3)
