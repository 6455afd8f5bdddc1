"""The kinds of norms: the one table of all that is known of a norm by its name, and the gate for what users pass."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from switchseg.norms import plain
from switchseg.norms.factories import Factories, Factory, keeping_the_contract
from switchseg.norms.modules import SwitchNorm1d, SwitchNorm2d, SwitchNorm3d
from switchseg.norms.sparse import (
    SparseSwitchNorm1d,
    SparseSwitchNorm2d,
    SparseSwitchNorm3d,
    SyncSparseSwitchNorm1d,
    SyncSparseSwitchNorm2d,
    SyncSparseSwitchNorm3d,
)
from switchseg.norms.synced import SyncBatchNorm, SyncSwitchNorm1d, SyncSwitchNorm2d, SyncSwitchNorm3d


@dataclass(frozen=True)
class Kind:
    """What is known of a norm by its name."""

    name: str
    """What configs and command lines call it; how papers write it follows from that (`reports.runs.norm_title`)."""
    factories: Factories
    family: str
    """Kinds of one family keep the same tensors, so that one may take over from another."""
    like_batch_norm: bool = False
    """Whether it has running statistics and can start with the evaluation output of a BatchNorm."""
    mixes: int = 0
    """How many statistics it mixes: the length of its mixing weights in a file; 0 for a norm without any."""
    layout: str | None = None
    """Whose files hold it, `2018` or `mit`; None where neither has a place for it."""

    @property
    def factory(self) -> Factory:
        """The maker of layers for (N, C, H, W)."""
        return self.factories.two

    @property
    def is_batch_norm(self) -> bool:
        """Whether it is BatchNorm itself, synchronised or not."""
        return self.family == "bn"


def _mixing_two(layer: Factory) -> Factory:
    return partial(layer, statistics=("in", "ln"))


_BATCH_NORM = Factories(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, plain.BatchNorm)
# None of these layers takes inputs of any dimensions: for several, `convert_norms` takes the one for images, and tells
# it (`input_dims`) which they are.
_SN = Factories(SwitchNorm1d, SwitchNorm2d, SwitchNorm3d, SwitchNorm2d)
_SN_IN_LN = Factories(*map(_mixing_two, _SN))
_SYNC_SN = Factories(SyncSwitchNorm1d, SyncSwitchNorm2d, SyncSwitchNorm3d, SyncSwitchNorm2d)
_SPARSE = Factories(SparseSwitchNorm1d, SparseSwitchNorm2d, SparseSwitchNorm3d, SparseSwitchNorm2d)
_SYNC_SPARSE = Factories(SyncSparseSwitchNorm1d, SyncSparseSwitchNorm2d, SyncSparseSwitchNorm3d, SyncSparseSwitchNorm2d)

# Where several kinds have one layout and mix as many statistics, files are read as the first of them.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("bn", _BATCH_NORM, "bn", like_batch_norm=True, layout="mit"),
        Kind("syncbn", Factories.same(SyncBatchNorm), "bn", like_batch_norm=True, layout="mit"),
        Kind("gn", Factories.same(plain.group_norm), "gn"),
        Kind("in", Factories.same(plain.instance_norm), "in"),
        Kind("ln", Factories.same(plain.layer_norm), "ln"),
        Kind("sn", _SN, "sn", like_batch_norm=True, mixes=3, layout="2018"),
        Kind("sn_in_ln", _SN_IN_LN, "sn_in_ln", mixes=2, layout="2018"),
        Kind("syncsn", _SYNC_SN, "sn", like_batch_norm=True, mixes=3, layout="2018"),
        Kind("ssn", _SPARSE, "ssn", like_batch_norm=True, mixes=3),
        Kind("syncssn", _SYNC_SPARSE, "ssn", like_batch_norm=True, mixes=3),
    )
}


def find_kind(norm: str | Factory | Kind) -> Kind:
    """Return the kind that `norm` means: the gate that every `norm=` and `to=` passes.

    Args:
        norm: a name; the class of a layer; or a callable that takes the number of channels and makes a layer. It is
            given `device` and `dtype` if it takes them, else its layer is moved.

    Raises:
        ValueError: there is no norm of that name.
        TypeError: `norm` is none of these.
    """
    if isinstance(norm, Kind):
        return norm
    if isinstance(norm, str):
        if norm not in KINDS:
            raise ValueError(f"unknown norm {norm!r}; the norms are {', '.join(KINDS)}")
        return KINDS[norm]
    if not callable(norm) or isinstance(norm, nn.Module):
        raise TypeError(
            f"norm must be a name ({', '.join(KINDS)}), a class or a callable that makes a layer for a number of "
            f"channels, got {norm!r}"
        )
    # Unwrapped, since a registered callable may stand in the table within `keeping_the_contract`.
    known = next((kind for kind in KINDS.values() if norm in map(inspect.unwrap, kind.factories)), None)
    return known or Kind(_name_of(norm), Factories.same(keeping_the_contract(norm)), _name_of(norm))


def find_norm(name: str, dims: int = 2) -> Factory:
    """Return the factory called `name` of layers for maps with 1, 2 or 3 dimensions, `NORMS[name]` for 2.

    Raises:
        ValueError: there is no norm of that name.
    """
    return find_kind(name).factories[dims - 1]


def _name_of(factory: Any) -> str:
    made = factory.func if isinstance(factory, partial) else factory
    return f"{made.__module__}.{getattr(made, '__qualname__', type(made).__qualname__)}"
