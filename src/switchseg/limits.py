"""What a setting may be: numbers and devices; checked when a config is made, so that none fails during a training."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from switchseg.errors import UserError

MOST = 2**31 - 1
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
        inside = (isinstance(value, int) or math.isfinite(value)) and self.low <= value <= self.high
        return inside and not (self.above and value == self.low) and not (self.below and value == self.high)

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        if self.high == MOST:
            return low
        return f"{low} and {'below' if self.below else 'at most'} {self.high:.10g}"


def check(section: str, config: object, **limits: Between) -> None:
    """Raise a UserError that names the first setting of `config` outside its limits; None is within all of them."""
    for key, limit in limits.items():
        value = getattr(config, key)
        if value is not None and value not in limit:
            shown = " ".join(map(str, value)) or "nothing" if isinstance(value, (tuple, list)) else value
            raise UserError(f"{section}.{key}: {shown}; {limit} was expected")


POSITIVE = Between(1)
COUNT = Between(0)
SIDE = Between(1, LONGEST_SIDE)
RATE = Between(0, 1e30)
