"""Fold norms that only use BN statistics into the convolutions before them, for inference."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from switchseg.norms.modules import SwitchNorm
from switchseg.norms.synced import SyncBatchNorm

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, SyncBatchNorm)
# A share of BN that float32 cannot tell from all of it.
_ALL = 1 - 1e-6


def fold_norms(model: nn.Module) -> nn.Module:
    """Fold, in place, every BatchNorm and every SwitchNorm that only uses BN into the convolution before it.

    A norm is folded if nothing else reads the convolution's output, which is read off the traced graph; parts of the
    model that cannot be traced are left as they are, and so are norms that mix: they need the image's own statistics.

    Raises:
        ValueError: the model is in training mode.
    """
    if model.training:
        raise ValueError("only a model in evaluation mode can be folded; call model.eval() first")
    _fold(model)
    return model


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, SwitchNorm) or super().is_leaf_module(m, module_qualified_name)


def _fold(model: nn.Module) -> None:
    try:
        graph = _Tracer().trace(model)
    except Exception:  # whatever the model's own code raises on being traced: its parts may be simpler
        for child in model.children():
            _fold(child)
        return
    calls: dict[str, int] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            calls[str(node.target)] = calls.get(str(node.target), 0) + 1
    for node in graph.nodes:
        if node.op != "call_module" or len(node.all_input_nodes) != 1:
            continue
        before = node.all_input_nodes[0]
        if before.op != "call_module" or len(before.users) != 1:
            continue
        names = str(before.target), str(node.target)
        convolution, norm = (model.get_submodule(name) for name in names)
        if isinstance(convolution, _CONVOLUTIONS) and _uses_bn_only(norm) and max(calls[name] for name in names) == 1:
            _fold_pair(convolution, norm)
            rectifies = isinstance(norm, SwitchNorm) and norm.activation == "relu"
            model.set_submodule(names[1], nn.ReLU() if rectifies else nn.Identity())


def _uses_bn_only(norm: nn.Module) -> bool:
    if type(norm) in _BATCH_NORMS:
        return norm.running_mean is not None
    if not isinstance(norm, SwitchNorm) or "bn" not in norm.statistics:
        return False
    statistics, shares = norm.mixture()
    return "bn" in statistics and bool((shares[statistics.index("bn")] > _ALL).all())


def _fold_pair(convolution: Any, norm: Any) -> None:
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
    convolution.weight, convolution.bias = weight, bias
