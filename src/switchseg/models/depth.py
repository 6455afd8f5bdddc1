"""How deep in its encoder a tensor lies: in which stage, and in which block."""

from __future__ import annotations

import re
from collections.abc import Callable

from torch import nn

# What timm calls the stages of its networks (each block of a plain transformer is one), and the blocks in them.
_STAGE = re.compile(r"(?:^|[._])((?:stages?|layers?|blocks?|denseblock|s)[._]?\d+)(?=\.)")
_BLOCK = re.compile(r"(?:\.blocks?)?\.(?:b|denselayer)?(\d+)\.")

_Key = tuple[str, str]


def stages(encoder: nn.Module) -> dict[str, int]:
    """Return the stage of every parameter and buffer by its name: 0 is the stem, 1 the first stage.

    What lies between two stages belongs to the one before it.
    """

    def key(name: str, before: _Key) -> _Key:
        stage = _STAGE.search(name)
        return (stage[1], "") if stage else before

    return _numbered(encoder, key)


def blocks(encoder: nn.Module) -> dict[str, int]:
    """Return the block of every parameter and buffer by its name, counted through all stages: 0 is the stem.

    What a stage begins with belongs to its first block, what follows a block to that one.
    """

    def key(name: str, before: _Key) -> _Key:
        stage = _STAGE.search(name)
        if stage is None:
            return before
        block = _BLOCK.match(name, stage.end())
        if block is None:
            return before if before[0] == stage[1] else (stage[1], "0")
        return stage[1], block[1]

    return _numbered(encoder, key)


def _numbered(encoder: nn.Module, key: Callable[[str, _Key], _Key]) -> dict[str, int]:
    """Number the keys of all names, in the order of the network; `key` gets a name and the key before it."""
    # The key of what lies before the first stage: it gets number 0 even if a network has no stem.
    before = ("", "")
    numbers, found = {before: 0}, {}
    # The order of registration, which in timm's networks is that of the computation.
    for name in encoder.state_dict(keep_vars=True):
        before = key(name, before)
        found[name] = numbers.setdefault(before, len(numbers))
    return found
