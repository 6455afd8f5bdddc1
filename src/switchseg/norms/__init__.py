"""Normalization layers that learn which statistics to use. Imports torch and nothing else."""

from switchseg.norms.calibrate import calibrate
from switchseg.norms.convert import convert_norms
from switchseg.norms.create import (
    NORMS,
    GroupNorm,
    find_norm,
    norm_shares,
)
from switchseg.norms.fold import fold_norms
from switchseg.norms.functional import (
    resolve_backend,
    switch_norm,
)
from switchseg.norms.modules import (
    SwitchNorm,
    SwitchNorm1d,
    SwitchNorm2d,
    SwitchNorm3d,
)
from switchseg.norms.operator.call import STATISTICS
from switchseg.norms.rewrite import fuse_activations
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
from switchseg.norms.synced import (
    SyncBatchNorm,
    SyncSwitchNorm1d,
    SyncSwitchNorm2d,
    SyncSwitchNorm3d,
)

__all__ = [
    "NORMS",
    "STATISTICS",
    "GroupNorm",
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
    "find_norm",
    "fold_norms",
    "fuse_activations",
    "norm_shares",
    "resolve_backend",
    "set_sparse_radius",
    "sparsestmax",
    "switch_norm",
    "unfreeze_sparse",
]
