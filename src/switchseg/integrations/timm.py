"""timm: once this is imported, every family takes `norm_layer=SwitchNorm2d`, those whose norms rectify too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from timm.layers import create_act, create_norm, create_norm_act
from torch import Tensor, nn

from switchseg.norms import SwitchNorm2d


class SwitchNormAct2d(SwitchNorm2d):
    """`SwitchNorm2d` with dropout and an activation after it, built like timm's `BatchNormAct2d`.

    A ReLU without dropout is part of the layer's own passes.

    Args:
        num_features: channels C of the input (N, C, H, W).
        eps: as in `SwitchNorm`.
        momentum: as in `SwitchNorm`.
        affine: as in `SwitchNorm`.
        apply_act: whether there is an activation.
        act_layer: which, as timm names it: a class, a function or a string; None for none.
        act_kwargs: its arguments.
        inplace: whether it may write over what the norm returns.
        drop_layer: dropout between norm and activation, a class.
        device: where the parameters live.
        dtype: type of parameters and running statistics.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.003,
        affine: bool = True,
        apply_act: bool = True,
        act_layer: str | Callable[..., nn.Module] | None = nn.ReLU,
        act_kwargs: dict[str, Any] | None = None,
        inplace: bool = True,
        drop_layer: Callable[[], nn.Module] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, device=device, dtype=dtype)
        self.drop = nn.Identity() if drop_layer is None else drop_layer()
        # In this order, so that `act_kwargs` has the last word as in timm.
        options = {"inplace": inplace, **(act_kwargs or {})}
        act = create_act.create_act_layer(act_layer, **options) if apply_act and act_layer is not None else None
        # With dropout in between, the order would change: it comes before the activation.
        if isinstance(act, nn.ReLU) and drop_layer is None:
            self.activation = "relu"
            act = None
        # Always there, as `drop` is: timm's own `BatchNormAct2d` has both.
        self.act = nn.Identity() if act is None else act

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """Normalize `x` (N, C, H, W), add `residual`, drop and activate."""
        y: Tensor = self.act(self.drop(super().forward(x, residual)))
        return y


def _register(name: str) -> None:
    """Enter the layers where timm looks up its own; it has no public way to do so."""
    create_norm._NORM_MAP[name] = SwitchNorm2d
    create_norm_act._NORM_ACT_MAP[name] = SwitchNormAct2d
    create_norm_act._NORM_TO_NORM_ACT_MAP[name] = SwitchNormAct2d  # found by the class's own name
    create_norm_act._NORM_ACT_TYPES.add(SwitchNormAct2d)
    # Only to these does timm hand the model's activation: a plain function would silently rectify all of them.
    create_norm_act._NORM_ACT_REQUIRES_ARG.add(SwitchNormAct2d)


_register("switchnorm2d")
