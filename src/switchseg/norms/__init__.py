"""Normalization layers that learn which statistics to use. Imports torch and nothing else."""

from switchseg.norms.convert import convert_norms
from switchseg.norms.create import NORMS, GroupNorm, find_norm, norm_shares
from switchseg.norms.modules import SwitchNorm, SwitchNorm1d, SwitchNorm2d, SwitchNorm3d
from switchseg.norms.reference import STATISTICS
from switchseg.norms.synced import SyncBatchNorm

__all__ = [
    "NORMS",
    "STATISTICS",
    "GroupNorm",
    "SwitchNorm",
    "SwitchNorm1d",
    "SwitchNorm2d",
    "SwitchNorm3d",
    "SyncBatchNorm",
    "convert_norms",
    "find_norm",
    "norm_shares",
]
