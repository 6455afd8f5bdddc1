"""The names of torch that not all its versions have, private ones mostly, and what stands in for one that is not there.

A stand-in is slower, or keeps a layer off its fast way; its results are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

_Function = TypeVar("_Function", bound=Callable[..., Any])

missing: list[str] = []
"""The names that this version of torch lacks."""


def _find(owner: Any, name: str) -> Any:
    """Return an attribute, or None."""
    found = getattr(owner, name, None)
    if found is None:
        missing.append(name)
    return found


def _public_stream(index: int) -> int:
    return torch.cuda.current_stream(index).cuda_stream


def _softmax_backward(grad: Tensor, shares: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    products = grad * shares
    return (products - shares * products.sum(dim, keepdim=True)).to(dtype)


current_stream: Callable[[int], int] = _find(torch._C, "_cuda_getCurrentRawStream") or _public_stream
"""Return the handle of the current stream of a CUDA device, given its index."""

softmax_backward: Callable[[Tensor, Tensor, int, torch.dtype], Tensor] = (
    _find(torch, "_softmax_backward_data") or _softmax_backward
)
"""Return the gradient of the logits, given that of their softmax, the softmax, its dimension and the logits' type."""

_flagged = _find(torch.compiler, "_is_exporting_flag") is not None


def is_exporting() -> bool:
    """Tell whether a program is exported; where torch cannot say, whether it is exported or compiled."""
    # Not by the function of torch.compiler: before torch 2.11 Dynamo takes it to be true of whatever it compiles.
    return torch.compiler._is_exporting_flag if _flagged else torch.compiler.is_compiling()


def constant(function: _Function) -> _Function:
    """Let Dynamo call a function of constants and keep the result, and not look into what it does."""
    # As `torch.compiler.assume_constant_result`, which would load all of Dynamo whenever this library is imported.
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


# Public, and only new: a torch before 2.10 lacks nothing that this one has promised.
exchange_api: Any = getattr(Tensor, "__dlpack_c_exchange_api__", None)
"""DLPack's exchange API of tensors, a capsule; without it they are asked one by one where they lie."""

_dispatch_modes = _find(torch._C, "_len_torch_dispatch_stack")
_is_tracing = _find(torch._C, "_is_tracing")
_has_transforms = _find(torch._C, "_are_functorch_transforms_active")
_forward_level = _find(forward_ad, "_current_level")
_can_tell = None not in (_dispatch_modes, _is_tracing, _has_transforms, _forward_level)


def is_followed() -> bool:
    """Tell whether something records or transforms what happens to tensors; if torch cannot say, yes."""
    # The level of forward-mode AD is a number in its module, which is to be read anew each time.
    return not _can_tell or bool(
        _dispatch_modes() or _is_tracing() or _has_transforms() or forward_ad._current_level >= 0
    )


def learned(module: nn.Module) -> dict[str, nn.Parameter | None]:
    """Return a module's own parameters by name, without the cost of reading attributes."""
    return module._parameters


def tracked(module: nn.Module) -> dict[str, Tensor | None]:
    """Return a module's own buffers by name, without the cost of reading attributes."""
    return module._buffers
