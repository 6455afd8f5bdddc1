"""What a run ran on: recorded once, in its first event."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from switchseg import __version__
from switchseg.engine.precision import compute_dtype
from switchseg.engine.training import Training
from switchseg.norms import SwitchNorm, resolve_backend


def describe_environment(training: Training, images: int) -> dict[str, Any]:
    """Return versions, device, ranks, commit, what computes the norms, and sizes, as the `start` event holds them."""
    device = training.world.device
    return {
        "environment": {
            "switchseg": __version__,
            "commit": _commit(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "device": device_name(device),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "ranks": training.world.size,
            **({"norm_backend": backend} if (backend := norm_backend(training)) else {}),
        },
        "parameters": sum(parameter.numel() for parameter in training.model.parameters()),
        "images": images,
        "images_per_step": training.images_per_step,
    }


def device_name(device: torch.device) -> str:
    """Return what a device is called."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})"


def norm_backend(training: Training) -> str | None:
    """Say what computes the Switchable Normalizations, and why; None if there are none."""
    layer = next((module for module in training.model.modules() if isinstance(module, SwitchNorm)), None)
    if layer is None:
        return None
    dtype = compute_dtype(training.config.train.precision)
    # What computes a norm depends on type and device of its maps, not on their values: an example is enough.
    maps = torch.empty(1, layer.num_features, 2, 2, dtype=dtype, device=training.world.device)
    backend, reason = resolve_backend(maps, layer.statistics, layer.backend)
    return f"{backend}: {reason}"


def _commit() -> str | None:
    """Return the commit of the source tree, or None for an installed package."""
    here, file = str(Path(__file__).parent), Path(__file__).name
    try:
        # A virtual environment may lie inside somebody's repository, whose commit says nothing of this code.
        subprocess.run(
            ["git", "-C", here, "ls-files", "--error-unmatch", file], capture_output=True, timeout=10, check=True
        )
        describe = ["git", "-C", here, "describe", "--always", "--dirty", "--abbrev=12"]
        # With a limit: on a network file system git may look for changes for long.
        found = subprocess.run(describe, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
