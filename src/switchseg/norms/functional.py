"""Switchable Normalization as a function, by the reference formula or by the fused operator, chosen aloud."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.autograd import forward_ad

from switchseg.norms import fused, native, reference
from switchseg.norms.collective import combine_moments
from switchseg.norms.reference import STATISTICS, statistics_dtype

BACKENDS = ("auto", "reference", "fused")
ACTIVATIONS = (None, "relu")

_FUSED_DTYPES = {
    "cpu": (torch.float32, torch.float64, torch.bfloat16, torch.float16),
    "cuda": (torch.float32, torch.bfloat16, torch.float16),
}


def resolve_backend(x: Tensor, statistics: Sequence[str] = STATISTICS, backend: str = "auto") -> tuple[str, str]:
    """Return which of "reference" and "fused" a call with `x` runs, and why.

    Raises:
        ValueError: `backend` is unknown, or is "fused" and the operator cannot take `x`.
    """
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}; the backends are {', '.join(BACKENDS)}")
    if backend == "reference":
        return "reference", "asked for"
    obstacle = _obstacle(x)
    if backend == "fused":
        if obstacle:
            raise ValueError(f"backend 'fused' does not work here: {obstacle}")
        return "fused", "asked for"
    if obstacle:
        return "reference", obstacle
    if torch.compiler.is_exporting() or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return "reference", "an exported program holds only ATen operators, to run without this library"
    if x.dim() == 2 and len(statistics) < 3:
        return "reference", "(N, C) inputs have no maps to read"
    if torch.compiler.is_compiling() and x.device.type == "cpu" and x.is_contiguous() and not native.takes(x):
        return "reference", "Inductor fuses the formula into as few passes, without leaving its graph"
    kernels = "Triton" if x.is_cuda else "compiled" if native.takes(x) else "torch's own"
    return "fused", f"few passes over the input instead of many, by {kernels} kernels"


def _obstacle(x: Tensor) -> str:
    """Say what keeps the operator from taking `x`, "" if nothing does."""
    kind = x.device.type
    if kind not in _FUSED_DTYPES:
        return f"there is no operator for {kind}"
    if x.dtype not in _FUSED_DTYPES[kind]:
        return f"there is no operator for {x.dtype} on {kind}"
    if x.dim() < 3:
        return f"(N, C) inputs have no maps to read, got shape {tuple(x.shape)}"
    if kind == "cuda" and find_spec("triton") is None:
        return "the operator for cuda needs triton"
    if not torch.compiler.is_compiling() and is_followed():
        return "a tracer, a transform or forward-mode AD follows ATen's calls, and kernels of our own are none"
    return ""


def is_followed() -> bool:
    """Tell whether something records or transforms what happens to the input or to the parameters."""
    return bool(
        torch._C._len_torch_dispatch_stack()
        or torch._C._is_tracing()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def switch_norm(
    x: Tensor,
    shares: Tensor | tuple[Tensor, Tensor],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    statistics: Sequence[str] = STATISTICS,
    running: Tensor | None = None,
    residual: Tensor | None = None,
    activation: str | None = None,
    eps: float = 1e-5,
    group: str = "",
    backend: str = "auto",
) -> tuple[Tensor, Tensor]:
    """Normalize `x` (N, C) or (N, C, ...) with a mixture of its IN, LN and BN moments.

    Args:
        x: floating point, of any strides.
        shares: (K, 2), how much of each of `statistics` goes into the mean and into the variance; or two logits (K,)
            whose softmaxes that is.
        weight: (C,) scale, or None.
        bias: (C,) offset, or None.
        statistics: K of "in", "ln" and "bn", in that order.
        running: (2, C) mean and variance to use as BN moments, or None for those of the batch.
        residual: added to the normalized values before the activation, or None.
        activation: None or "relu".
        eps: added to the mixed variance, inside the root.
        group: processes that share batch moments, a name from `collective.name_group`.
        backend: "auto", "reference" or "fused"; see `resolve_backend`. The fused operator can be differentiated once.

    Returns:
        The output with the shape, type and memory format of `x`, and the BN moments (2, C) that were used, without
        gradient; those are empty if "bn" is not mixed.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"unknown activation {activation!r}; it may be one of {ACTIVATIONS}")
    if isinstance(shares, Tensor):
        shares = shares.to(statistics_dtype(x.dtype))
    if resolve_backend(x, statistics, backend)[0] == "fused":
        names = " ".join(statistics)
        relu = activation == "relu"
        y, batch = fused.switch_norm(
            _dense(x), shares, weight, bias, running, residual, names, eps, relu, "" if running is not None else group
        )
        return y, batch.view(2, -1)

    if not isinstance(shares, Tensor):
        shares = fused.softmax_shares(*shares, x.dtype)

    def combine(mean: Tensor, var: Tensor, elements: int) -> tuple[Tensor, Tensor]:
        return combine_moments(mean, var, elements, group)[:2]

    y, mean, var = reference.switch_norm(
        x,
        shares[:, 0],
        shares[:, 1],
        weight,
        bias,
        statistics=statistics,
        running=None if running is None else (running[0], running[1]),
        eps=eps,
        combine=combine if group and running is None else None,
    )
    if residual is not None:
        y = y + residual
    if activation == "relu":
        y = torch.relu(y)
    if "bn" not in statistics:
        return y, shares.new_empty(2, 0)
    return y, torch.stack([mean, var]).detach() if running is None else running


def _dense(x: Tensor) -> Tensor:
    """Return `x`, copied if it is neither contiguous nor channels_last."""
    formats = [torch.contiguous_format]
    if x.dim() > 3:
        formats.append(torch.channels_last if x.dim() == 4 else torch.channels_last_3d)
    if any(x.is_contiguous(memory_format=order) for order in formats):
        return x
    return x.contiguous(memory_format=formats[-1] if x.stride(1) == 1 else formats[0])
