"""Modules of whatever library at work on small inputs: in evaluation mode, with other values in place of their own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def takes_inputs(module: nn.Module, features: int, dims: int) -> bool:
    """Tell whether a module turns inputs of `dims` dimensions and `features` channels into outputs of their shape."""
    x = specimen(features, dims, module)
    result = evaluate(module, stand_ins(module), x)
    return result is not None and result.shape == x.shape


def stand_ins(module: nn.Module) -> dict[str, Tensor]:
    """Return float32 values for the parameters and buffers of a module that tell them apart, always the same ones."""
    generator = torch.Generator("cpu").manual_seed(0)
    device = _device(module)

    def value(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)
        # From 0.5 to 1.5: no weight so near 0 that it hides a difference, and variances are positive.
        return torch.rand(tensor.shape, generator=generator, device="cpu").add_(0.5).to(device)

    return {name: value(tensor) for name, tensor in (*module.named_parameters(), *module.named_buffers())}


def specimen(features: int, dims: int, module: nn.Module) -> Tensor:
    """Return an input (3, C, ...) with `dims` dimensions that `module` can be run on; no side is as long as C."""
    # Were a side as long as C, a LayerNorm over the last dimension could be taken for one over channels.
    side = 2 if features != 2 else 3
    generator = torch.Generator("cpu").manual_seed(dims)
    x = torch.randn(3, features, *[side] * (dims - 2), generator=generator, device="cpu")
    return x.to(_device(module))


def evaluate(module: nn.Module, values: Mapping[str, Tensor], x: Tensor) -> Tensor | None:
    """Return what `module` computes from `x` in evaluation mode with `values` as its tensors, None if it cannot."""
    try:
        with _evaluating(module), torch.device(x.device), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            named = {f"module.{name}": value for name, value in values.items()}
            # Norms that work in place get a clone: the specimen is still to be put into the formulas.
            result: Any = torch.func.functional_call(_WithoutHooks(module), named, (x.clone(),))
    except Exception:  # whatever a foreign module raises at inputs that it does not take
        return None
    return result if isinstance(result, Tensor) else None


class _WithoutHooks(nn.Module):
    """Calls a module's forward alone: who hooked into it is not to see specimens."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Any:
        return self.module.forward(x)


def _device(module: nn.Module) -> torch.device:
    """Return where to run a module: where it is, or on the CPU if it is nowhere yet."""
    tensor = next((tensor for tensor in (*module.parameters(), *module.buffers()) if not tensor.is_meta), None)
    return torch.device("cpu") if tensor is None else tensor.device


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    modes = {part: part.training for part in module.modules()}
    try:
        for part in modes:
            part.training = False  # train() may be overridden
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
