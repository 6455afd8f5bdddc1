"""Exchange the norms of a model that somebody else built."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import nn

from switchseg.norms.create import find_norm
from switchseg.norms.modules import LONG_TRAINED, SwitchNorm

# At this distance of the mixing weights softmax gives BN everything but 4e-9, and sparsestmax gives it everything.
_BN_ONLY = 20.0


def convert_norms(model: nn.Module, to: str = "sn", init: str | float = "uniform") -> nn.Module:
    """Exchange every norm of `model`, in place, for the norm called `to`.

    BatchNorm (1d, 2d, 3d, synchronised), InstanceNorm, GroupNorm (of images), SwitchNorm and the channels-first
    `LayerNorm2d` of timm and torchvision are exchanged, their subclasses too; LayerNorm over the last dimension is
    left alone. Parameters stay the same objects, so that optimizers which hold them stay valid; mixing weights are
    new ones. An activation or dropout inside a norm (timm's `BatchNormAct2d`) follows the new norm.

    Args:
        model: any module.
        to: a key of `NORMS`.
        init: how a SwitchNorm starts in place of a BatchNorm. "uniform" mixes evenly, with fresh running statistics.
            "bn" takes over the running statistics and uses them alone: the evaluation output stays as it was, and
            the mixing weights hardly move in training. A number between 0 and 1 does the same with BN's share.

    Returns:
        `model`, or its replacement if it is itself a norm.

    Raises:
        ValueError: there is no norm called `to`, or `init` is unknown or asks for BN statistics that are not there.
        TypeError: a norm's class does something besides normalizing that cannot be taken over.
    """
    find_norm(to)
    if not (init in ("uniform", "bn") or (isinstance(init, float) and 0 < init < 1)):
        raise ValueError(f"init must be 'uniform', 'bn' or a share between 0 and 1, got {init!r}")
    replacements: dict[nn.Module, nn.Module] = {}
    for path, module in list(model.named_modules(remove_duplicate=False)):
        dims = _dims(module)
        if dims is None:
            continue
        if module not in replacements:
            replacements[module] = _replacement(module, path, dims, to, init)
        if not path:
            return replacements[module]
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, replacements[module])
    return model


def _dims(module: nn.Module) -> int | None:
    """Return how many dimensions the maps of a norm have, None for a module that is no norm to exchange."""
    if isinstance(module, SwitchNorm):
        return max(module.input_dims) - 2
    for dims, kinds in {
        1: (nn.BatchNorm1d, nn.InstanceNorm1d),
        2: (nn.BatchNorm2d, nn.SyncBatchNorm, nn.InstanceNorm2d, nn.GroupNorm),
        3: (nn.BatchNorm3d, nn.InstanceNorm3d),
    }.items():
        if isinstance(module, kinds):
            return dims
    # timm and torchvision have a class each; nn.LayerNorm alone takes channels last.
    is_channels_first = any(base.__name__ in ("LayerNorm2d", "LayerNormAct2d") for base in type(module).__mro__)
    return 2 if isinstance(module, nn.LayerNorm) and is_channels_first else None


def _replacement(module: nn.Module, path: str, dims: int, to: str, init: str | float) -> nn.Module:
    state = next(iter((*module.parameters(), *module.buffers())), torch.empty(0))
    weight, bias = module.weight, module.bias
    features = _features(module)
    factory = find_norm(to, dims)
    norm = factory(features, eps=module.eps, affine=weight is not None, device=state.device, dtype=state.dtype)
    if weight is not None:
        norm.weight = weight
        if bias is not None:
            norm.bias = bias
    if isinstance(norm, SwitchNorm) and isinstance(module, SwitchNorm):
        _continue_mixture(norm, module, path)
    elif isinstance(norm, SwitchNorm) and init != "uniform" and _is_batch_norm(module):
        _start_from_batch_norm(norm, module, path, init)
    elif _is_batch_norm(norm) and _is_batch_norm(module):
        _copy_running(norm, module)
    norm.train(module.training)
    return _with_children(norm, module, path)


def _features(module: nn.Module) -> int:
    if isinstance(module, nn.GroupNorm):
        return module.num_channels
    if isinstance(module, nn.LayerNorm):
        return math.prod(module.normalized_shape)
    features = module.num_features
    assert isinstance(features, int)
    return features


def _is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm))


def _copy_running(norm: nn.Module, module: nn.Module) -> None:
    if isinstance(module.running_mean, torch.Tensor) and isinstance(norm.running_mean, torch.Tensor):
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            norm.get_buffer(name).copy_(module.get_buffer(name))


def _start_from_batch_norm(norm: SwitchNorm, module: nn.Module, path: str, init: str | float) -> None:
    if norm.num_batches_tracked is None or module.running_mean is None:
        raise ValueError(f"{path}: init={init!r} needs running statistics, in the model and in the norm")
    _copy_running(norm, module)
    norm.num_batches_tracked.fill_(LONG_TRAINED)
    others = len(norm.statistics) - 1
    lead = _BN_ONLY if isinstance(init, str) or not others else math.log(init * others / (1 - init))
    with torch.no_grad():
        for weight in (norm.mean_weight, norm.var_weight):
            weight.zero_()
            weight[norm.statistics.index("bn")] = lead


def _continue_mixture(norm: SwitchNorm, module: SwitchNorm, path: str) -> None:
    if norm.statistics != module.statistics:
        raise ValueError(f"{path}: {module.statistics} are mixed there, the new norm would mix {norm.statistics}")
    norm.mean_weight, norm.var_weight = module.mean_weight, module.var_weight
    norm.activation, norm.backend, norm.momentum = module.activation, module.backend, module.momentum
    _copy_running(norm, module)


def _with_children(norm: nn.Module, module: nn.Module, path: str) -> nn.Module:
    """Let whatever else was inside a norm follow the new one."""
    followers = {name: child for name, child in module.named_children() if not isinstance(child, nn.Identity)}
    if not followers:
        library = type(module).__module__.split(".")[0]
        if type(module).forward not in _PLAIN_FORWARDS and library not in ("torch", "timm", "torchvision", "switchseg"):
            raise TypeError(f"{path}: {type(module).__qualname__} may do more than normalize; exchange it by hand")
        return norm
    if isinstance(norm, SwitchNorm) and [type(child) for child in followers.values()] == [nn.ReLU]:
        norm.activation = "relu"
        return norm
    return nn.Sequential(OrderedDict(norm=norm, **followers))


_PLAIN_FORWARDS = {
    kind.forward for kind in (nn.BatchNorm2d, nn.SyncBatchNorm, nn.InstanceNorm2d, nn.GroupNorm, nn.LayerNorm)
}
