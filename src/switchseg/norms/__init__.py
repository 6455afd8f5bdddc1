"""Normalization layers that learn which statistics to use. Imports torch and nothing else."""

from switchseg.norms.calibrate import calibrate
from switchseg.norms.conversion import Conversion
from switchseg.norms.convert import convert_norms
from switchseg.norms.factories import Factory
from switchseg.norms.fold import fold_norms
from switchseg.norms.functional import (
    resolve_backend,
    switch_norm,
)
from switchseg.norms.kinds import KINDS, Kind, find_kind, find_norm
from switchseg.norms.layout import LONG_TRAINED, MIXING, from_2018, to_2018
from switchseg.norms.modules import (
    SwitchNorm,
    SwitchNorm1d,
    SwitchNorm2d,
    SwitchNorm3d,
)
from switchseg.norms.operator.call import STATISTICS
from switchseg.norms.parameters import parameter_groups
from switchseg.norms.plain import BatchNorm, GroupNorm
from switchseg.norms.registry import NORMS, register_norm
from switchseg.norms.rewrite import fuse_activations
from switchseg.norms.shares import norm_shares
from switchseg.norms.sparse import (
    SparseSwitchNorm1d,
    SparseSwitchNorm2d,
    SparseSwitchNorm3d,
    SyncSparseSwitchNorm1d,
    SyncSparseSwitchNorm2d,
    SyncSparseSwitchNorm3d,
    set_sparse_radius,
    sparsestmax,
    unfreeze_sparse,
)
from switchseg.norms.specimens import takes_inputs
from switchseg.norms.synced import (
    SyncBatchNorm,
    SyncSwitchNorm1d,
    SyncSwitchNorm2d,
    SyncSwitchNorm3d,
)

__all__ = [
    "KINDS",
    "LONG_TRAINED",
    "MIXING",
    "NORMS",
    "STATISTICS",
    "BatchNorm",
    "Conversion",
    "Factory",
    "GroupNorm",
    "Kind",
    "SparseSwitchNorm1d",
    "SparseSwitchNorm2d",
    "SparseSwitchNorm3d",
    "SwitchNorm",
    "SwitchNorm1d",
    "SwitchNorm2d",
    "SwitchNorm3d",
    "SyncBatchNorm",
    "SyncSparseSwitchNorm1d",
    "SyncSparseSwitchNorm2d",
    "SyncSparseSwitchNorm3d",
    "SyncSwitchNorm1d",
    "SyncSwitchNorm2d",
    "SyncSwitchNorm3d",
    "calibrate",
    "convert_norms",
    "find_kind",
    "find_norm",
    "fold_norms",
    "from_2018",
    "fuse_activations",
    "norm_shares",
    "parameter_groups",
    "register_norm",
    "resolve_backend",
    "set_sparse_radius",
    "sparsestmax",
    "switch_norm",
    "takes_inputs",
    "to_2018",
    "unfreeze_sparse",
]
