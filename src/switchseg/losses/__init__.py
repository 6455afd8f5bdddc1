"""Losses: sums that say how much they weigh, so that it does not matter how the images of a step are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchseg.registry import Registry

if TYPE_CHECKING:
    from switchseg.losses.loss import Loss

LOSSES: Registry[type[Loss]] = Registry(
    "loss",
    {
        "cross_entropy": "switchseg.losses.pixels:CrossEntropy",
        "focal": "switchseg.losses.pixels:Focal",
        "ohem": "switchseg.losses.pixels:OHEM",
        "dice": "switchseg.losses.regions:Dice",
        "lovasz": "switchseg.losses.regions:Lovasz",
    },
)
"""Name -> subclass of `Loss`."""
