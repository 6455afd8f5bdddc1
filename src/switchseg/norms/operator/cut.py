"""How the maps of a tensor are cut into pieces for programs on a GPU."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

# Measured beside tiles of 4096 and 8192, 8 and 16 warps and 264 to 1056 programs: those gain 3 % at most, and 16
# warps cost up to 75 % on small maps.
_TILE = 2048  # elements that a program holds at a time
WARPS = 4
PROGRAMS = 512  # enough to fill a large device
_SPLITS = 64  # of a map, at most: they are joined by one program
_PARTS = 256  # of an image, at most: each program that normalizes reads all of its image


class Cut(NamedTuple):
    """How maps are cut into tiles of channels and positions, and into spans of whole tiles."""

    images: int
    channels: int
    length: int
    channels_last: bool
    block_r: int
    """Channels of a tile."""
    block_l: int
    """Positions of a tile."""
    span: int
    """Positions of a span; the last one of a map may have fewer."""
    splits: int
    """Spans of a map."""
    block_c: int
    """Channels that a joining program holds at a time; `block_r` if no map is cut, and nothing to be joined."""

    @classmethod
    def of(cls, images: int, channels: int, length: int, channels_last: bool) -> Cut:
        """Cut N x C maps of `length` elements."""
        if channels_last:
            # Neighbours in memory are channels here; with 32 or 128 of them it is 3 % faster at most.
            block_r = min(64, _power_of_2(channels))
            block_l = min(_TILE // block_r, _power_of_2(length))
        else:
            block_l = min(_TILE, _power_of_2(length))
            block_r = min(_TILE // block_l, _power_of_2(channels))
        blocks = _blocks(channels, block_r)
        # Enough tiles without cutting maps, which saves the launch that joins spans.
        if images * blocks >= PROGRAMS // 2 and blocks <= _PARTS:
            return cls(images, channels, length, channels_last, block_r, block_l, length, 1, block_r)
        splits = min(_blocks(PROGRAMS, images * blocks), _blocks(length, block_l), _SPLITS)
        # Whole tiles, so that only the last one of a map has idle lanes; with that fewer spans may be enough.
        span = _blocks(_blocks(length, splits), block_l) * block_l
        splits = _blocks(length, span)
        block_c = min(_PARTS, _power_of_2(channels), max(16, 2 * _TILE // _power_of_2(splits)))
        return cls(images, channels, length, channels_last, block_r, block_l, span, splits, block_c)

    @classmethod
    def of_shape(cls, shape: torch.Size, channels_last: bool) -> Cut:
        """Cut a tensor (N, C, ...)."""
        return cls.of(shape[0], shape[1], shape.numel() // (shape[0] * shape[1]), channels_last)

    @property
    def tiles(self) -> tuple[int, int]:
        """The grid of the kernels that read maps: one program per tile of channels and span."""
        return self.images * _blocks(self.channels, self.block_r), self.splits

    @property
    def whole(self) -> bool:
        """Whether each map is read by one program, which then needs no other to join what it found."""
        return self.splits == 1 and self.block_c == self.block_r

    @property
    def spans(self) -> int:
        """How many spans of each map there are to be joined."""
        return 0 if self.whole else self.splits

    @property
    def joins(self) -> tuple[int]:
        """The grid of the kernels that join spans."""
        return (self.images * _blocks(self.channels, self.block_c),)

    @property
    def room(self) -> int:
        """How many numbers the kernels of one direction pass to each other."""
        return 2 * self.images * self.channels * (self.splits + 1) + 6 * self.joins[0]

    @property
    def numbers(self) -> dict[str, int]:
        """The arguments of kernels that are plain sizes."""
        return {"images": self.images, "channels": self.channels, "length": self.length, "span": self.span} | {
            "spans": self.spans
        }

    @property
    def blocks(self) -> dict[str, Any]:
        """The compile-time sizes."""
        return {
            "WHOLE": self.whole,
            "CHANNELS_LAST": self.channels_last,
            "BLOCK_R": self.block_r,
            "BLOCK_L": self.block_l,
            "BLOCK_C": self.block_c,
            "BLOCK_S": _power_of_2(self.splits),
            "BLOCK_B": _power_of_2(_blocks(self.channels, self.block_c)),
            "BLOCK_N": min(_power_of_2(self.images), max(1, 2048 // self.block_r), 16),
        }


def _blocks(length: int, block: int) -> int:
    return -(-length // block)


def _power_of_2(number: int) -> int:
    return 1 << (number - 1).bit_length()
