"""In which type a network computes."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch

from switchseg.config.inference import Precision

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def computing(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which a forward pass runs: autocast for the half precisions, nothing for the others."""
    if precision not in _AUTOCAST:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=_AUTOCAST[precision])


def compute_dtype(precision: Precision) -> torch.dtype:
    """Return the type of the maps between a network's layers."""
    return _AUTOCAST.get(precision, parameter_dtype(precision))


def parameter_dtype(precision: Precision) -> torch.dtype:
    """Return the type of parameters and inputs."""
    return torch.float64 if precision == "fp64" else torch.float32
