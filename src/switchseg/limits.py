"""What a setting may be: numbers and devices; checked when a config is made, so that none fails during a training."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from switchseg.errors import UserError

MOST = 2**31 - 1
"""The largest number that a setting may have where no other limit is given."""
DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3})?")
LONGEST_SIDE = 2**15
"""Pixels; more than any image that is labelled has."""


@dataclass(frozen=True)
class Between:
    """The numbers from `low` to `high`, both included unless it is said otherwise; of a list, every one of them."""

    low: float
    high: float = MOST
    above: bool = False
    """Whether `low` itself is left out."""
    below: bool = False
    """Whether `high` itself is left out."""
    empty: bool = False
    """Whether a list may be empty."""

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, (tuple, list)):
            return (self.empty or bool(value)) and all(item in self for item in value)
        # An int is always finite, and one too large for a float would make `isfinite` raise.
        inside = (isinstance(value, int) or math.isfinite(value)) and self.low <= value <= self.high
        return inside and not (self.above and value == self.low) and not (self.below and value == self.high)

    def expected(self, value: Any) -> str:
        """Return the limits in words for whoever gave `value`: the largest number too where it is larger."""
        items = value if isinstance(value, (tuple, list)) else (value,)
        return f"{self} and at most {MOST}" if self.high == MOST and any(item > MOST for item in items) else str(self)

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        if self.high == MOST:
            return low
        return f"{low} and {'below' if self.below else 'at most'} {self.high:.10g}"


def check(section: str, config: object, **limits: Between) -> None:
    """Raise a UserError that names the first setting of `config` outside its limits; None is within all of them.

    `section` is what comes before the setting's name, with a dot between them, or nothing.
    """
    for key, limit in limits.items():
        value = getattr(config, key)
        # None is a setting that was not given; whether it may be is the matter of its type, not of its range.
        if value is not None and value not in limit:
            shown = " ".join(map(str, value)) or "nothing" if isinstance(value, (tuple, list)) else value
            raise UserError(f"{_named(section, key)}: {shown}; {limit.expected(value)} was expected")


def check_ranges(section: str, config: object, *keys: str) -> None:
    """Raise a UserError that names the first of these settings, each two numbers, whose lower one is not the first."""
    for key in keys:
        low, high = getattr(config, key)
        if low > high:
            raise UserError(f"{_named(section, key)}: {low:g} {high:g}; the lower number first was expected")


def _named(section: str, key: str) -> str:
    return f"{section}.{key}" if section else key


POSITIVE = Between(1)
COUNT = Between(0)
SIDE = Between(1, LONGEST_SIDE)
RATE = Between(0, 1e30)
FRACTION = Between(0, 1, below=True)
"""A part that is taken off something of which another part must stay, so it is below 1."""
