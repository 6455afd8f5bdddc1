"""Norms that users add, and all norms as other libraries take them: a mapping from names to factories."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping

from switchseg.norms.factories import Factories, Factory, keeping_the_contract
from switchseg.norms.kinds import KINDS, Kind


def register_norm(
    name: str,
    factory: Factory,
    *,
    factory_1d: Factory | None = None,
    factory_3d: Factory | None = None,
    like_batch_norm: bool = False,
) -> None:
    """Add a norm that configs, command lines, models and conversions then know by `name`.

    Args:
        name: small letters, digits and underscores.
        factory: makes a layer for (N, C, H, W), and for other inputs too if nothing else does; see `find_kind`.
        factory_1d: makes one for (N, C) and (N, C, L).
        factory_3d: makes one for (N, C, D, H, W).
        like_batch_norm: whether the layers keep running statistics under the names of `nn.BatchNorm2d` and, in
            evaluation, compute what it does: then they may start from a BatchNorm.

    Raises:
        ValueError: the name is taken, or is no such name.
        TypeError: a factory cannot be called.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise ValueError(f"the name of a norm has small letters, digits and underscores, got {name!r}")
    if name in KINDS:
        raise ValueError(f"there is a norm {name!r} already; del NORMS[{name!r}] first, or take another name")
    given = (factory_1d or factory, factory, factory_3d or factory, factory)
    if not all(map(callable, given)):
        raise TypeError(f"norm {name!r} needs a callable that makes a layer for a number of channels, got {factory!r}")
    factories = Factories(*map(keeping_the_contract, given))
    KINDS[name] = Kind(name, factories, family=name, like_batch_norm=like_batch_norm)


class Norms(MutableMapping[str, Factory]):
    """Name -> factory of layers for (N, C, H, W), the `norm_layer` of other libraries; an entry is `register_norm`."""

    def __getitem__(self, name: str) -> Factory:
        return KINDS[name].factory

    def __setitem__(self, name: str, factory: Factory) -> None:
        register_norm(name, factory)

    def __delitem__(self, name: str) -> None:
        del KINDS[name]

    def __iter__(self) -> Iterator[str]:
        return iter(KINDS)

    def __len__(self) -> int:
        return len(KINDS)


NORMS = Norms()
