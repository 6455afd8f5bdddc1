"""mmengine, and with it mmcv, mmsegmentation and mmdetection: `norm_cfg=dict(type="SN")` once this is imported.

The types are SN, SyncSN, SSN (sparse) and SyncSSN, for images; with 1d, 2d or 3d behind them for inputs of that kind.
Further entries are arguments of `SwitchNorm`: `statistics=("in", "ln")` mixes without the batch.
"""

from __future__ import annotations

from mmengine.registry import MODELS

from switchseg.norms import KINDS, MIXING

MIXING_KEYS = {name: {"decay_mult": 0.0} for name in MIXING}
"""For `optim_wrapper=dict(paramwise_cfg=dict(custom_keys=MIXING_KEYS))`: mixing weights are not to be decayed, and
mmengine's `norm_decay_mult` is for torch's own norms alone. An `lr_mult` may stand beside each."""

_TYPES = {"SN": "sn", "SyncSN": "syncsn", "SSN": "ssn", "SyncSSN": "syncssn"}

for _type, _kind in _TYPES.items():
    # mmcv takes the bare name for images; its build of norms passes the number of channels first, as these do.
    one, two, three, _ = KINDS[_kind].factories
    for _suffix, _layer in {"": two, "1d": one, "2d": two, "3d": three}.items():
        MODELS.register_module(f"{_type}{_suffix}", module=_layer)
