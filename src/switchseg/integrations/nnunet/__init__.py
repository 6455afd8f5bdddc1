"""nnU-Net: `nnUNetv2_train ... -tr nnUNetTrainerSN` with TRAINERS searched, or plans that normalize with SN."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

TRAINERS = Path(__file__).parent / "trainers"
"""A folder for the environment variable `nnUNet_extTrainer` (nnU-Net 2.8 and newer)."""


def with_switch_norm(plans: dict[str, Any]) -> dict[str, Any]:
    """Return plans under a name of their own, `...SN`, whose configurations normalize with Switchable Normalization.

    Args:
        plans: what a plans file holds (`nnUNetPlans.json`); it stays as it is.

    Raises:
        ValueError: no configuration has an architecture with a `norm_op`.
    """
    changed = copy.deepcopy(plans)
    changed["plans_name"] += "SN"
    found = [
        configuration["architecture"]["arch_kwargs"]
        for configuration in changed["configurations"].values()
        if "norm_op" in configuration.get("architecture", {}).get("arch_kwargs", {})
    ]
    if not found:
        raise ValueError("no configuration of these plans has an architecture with a norm_op")
    for arguments in found:
        normalize_with_sn(arguments)
    return changed


def normalize_with_sn(arch_kwargs: dict[str, Any]) -> None:
    """Put the SwitchNorm of as many dimensions as the convolutions into the arguments of an architecture."""
    # A path as text, which plans hold and nnU-Net imports; the end of "...Conv3d" tells the dimensions.
    arch_kwargs["norm_op"] = f"switchseg.norms.SwitchNorm{arch_kwargs['conv_op'][-2:]}"
    # Replaced, not merged: plans may hold arguments that only their own norm takes.
    arch_kwargs["norm_op_kwargs"] = {"eps": 1e-5, "affine": True}
