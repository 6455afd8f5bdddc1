"""Fold norms that only use BN statistics into the convolutions before them, for inference."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from switchseg.norms.modules import SwitchNorm
from switchseg.norms.recognise import Norm, is_named_norm, recognise

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def fold_norms(model: nn.Module) -> nn.Module:
    """Fold, in place, every norm that in evaluation only uses running statistics into the convolution before it.

    Those are BatchNorms of whatever class, told by what they compute, and SwitchNorms whose shares are all BN's.

    A norm is folded if nothing else reads the convolution's output, which is read off the traced graph: no other layer
    and no hook. Of a model that cannot be traced, those of its parts are folded that can be; it is then taken for
    granted that the model calls such a part as a whole, and no layer inside of it. The folded convolution is a new
    module in the place of the old one: whoever else holds the old one, or the norm, keeps it as it was. Norms that mix
    stay, for they need the image's own statistics, and so do a convolution and a norm that are called more than once,
    or that have several names in what is traced together.

    Raises:
        ValueError: the model is in training mode.
    """
    if model.training:
        raise ValueError("only a model in evaluation mode can be folded; call model.eval() first")
    found = {module: recognise(module) for module in model.modules() if is_named_norm(module)}
    _fold(model, {module: norm for module, norm in found.items() if isinstance(norm, Norm)}, _names(model))
    return model


def _names(model: nn.Module) -> Counter[nn.Module]:
    """Return how many names in `model` each of its modules has."""
    return Counter(module for _, module in model.named_modules(remove_duplicate=False))


class _Tracer(fx.Tracer):
    """Takes norms whole, whatever library they are of."""

    def __init__(self, norms: Mapping[nn.Module, Norm]) -> None:
        super().__init__()
        self.norms = norms

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return m in self.norms or super().is_leaf_module(m, module_qualified_name)


def _fold(model: nn.Module, norms: Mapping[nn.Module, Norm], names: Counter[nn.Module]) -> None:
    """Fold what can be in `model`, whose modules have so many `names` in all that is being folded."""
    try:
        graph = _Tracer(norms).trace(model)
    except Exception:  # whatever the model's own code raises on being traced: its parts may be simpler
        for child in model.children():
            _fold(child, norms, names)
        return
    own = _names(model)
    # One that is called twice would have to change for both calls, of which only one is followed by the other.
    calls = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    for node in graph.nodes:
        if node.op != "call_module" or len(node.all_input_nodes) != 1:
            continue
        before = node.all_input_nodes[0]
        # Another reader of the convolution's output would get it normalized.
        if before.op != "call_module" or len(before.users) != 1:
            continue
        places = str(before.target), str(node.target)
        convolution, module = (model.get_submodule(place) for place in places)
        norm = norms.get(module)
        if norm is None or max(calls[place] for place in places) > 1 or not _takes_weights_as_they_are(convolution):
            continue
        # Of several names the graph has the first, whichever is called; and a module that is held twice would have its
        # child exchanged for both.
        holders = (model.get_submodule(place.rpartition(".")[0]) for place in places)
        if max(own[convolution], own[module], *(names[holder] for holder in holders)) > 1:
            continue
        if not _is_hooked(module) and _uses_running_only(module, norm):
            followers = nn.Sequential(*norm.followers.values()) if norm.followers else nn.Identity()
            model.set_submodule(places[0], _folded(convolution, module))
            model.set_submodule(places[1], followers)


def _uses_running_only(module: nn.Module, norm: Norm) -> bool:
    if module.training:  # a part of a model in evaluation may still normalize with its batch
        return False
    if not isinstance(module, SwitchNorm):
        return norm.tracks
    statistics, shares = module.mixture()
    # Both shares: a variance of the image's own cannot be known beforehand either.
    # Exactly nothing of the others: their moments may be larger than BN's by any factor.
    alone = "bn" in statistics and bool((shares[statistics.index("bn")] > 0).all() and shares.count_nonzero() == 2)
    return norm.tracks and alone


def _takes_weights_as_they_are(module: nn.Module) -> bool:
    """Tell whether a module is a convolution that keeps what is folded into it.

    A parametrized one is a subclass; others make their weight anew in a hook before each call.
    """
    return type(module) in _CONVOLUTIONS and not _is_hooked(module)


def _is_hooked(module: nn.Module) -> bool:
    return bool(module._forward_pre_hooks or module._forward_hooks)


def _folded(convolution: Any, norm: Any) -> nn.Module:
    with torch.no_grad():
        weight, bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
    folded: Any = copy.deepcopy(convolution)
    folded.weight, folded.bias = weight, bias
    return folded  # type: ignore[no-any-return]
