"""detectron2: wherever it takes a norm's name it takes a callable, and `switch_norm` is one.

Nothing here imports detectron2, which has no package: see docs/integrations.md for what of it was tested with.
"""

from __future__ import annotations

from switchseg.norms import MIXING, SwitchNorm2d

MIXING_OVERRIDES = {name: {"weight_decay": 0.0} for name in MIXING}
"""For `get_default_optimizer_params(overrides=MIXING_OVERRIDES)`: mixing weights are not to be decayed."""


def switch_norm(channels: int) -> SwitchNorm2d:
    """Return a layer for a number of channels, as `get_norm(norm, out_channels)` asks for it."""
    return SwitchNorm2d(channels)
