import math
from dataclasses import dataclass

import pytest

from switchseg.errors import UserError
from switchseg.limits import COUNT, POSITIVE, SIDE, Between, check


@pytest.mark.parametrize(
    ("limit", "inside", "outside"),
    [
        (POSITIVE, [1, 2**31 - 1, (1, 2)], [0, -1, 2**31, (), (1, 0), 10**400]),
        (COUNT, [0, (0,)], [-1, ()]),
        (SIDE, [1, 2**15], [0, 2**15 + 1]),
        (Between(0, 1, above=True), [1, 0.5], [0, 1.5, math.nan, math.inf]),
        (Between(0, 1, below=True), [0, 0.5], [1, -math.inf]),
        (Between(0, 1, empty=True), [(), (0.5,)], [(2,)]),
    ],
)
def test_what_is_within(limit: Between, inside: list, outside: list) -> None:
    assert all(value in limit for value in inside)
    assert not any(value in limit for value in outside)


@dataclass
class Settings:
    rate: float | None = None
    sides: tuple[int, ...] = (1,)


def test_the_first_that_is_outside_is_named() -> None:
    check("part", Settings(), rate=Between(0, 1), sides=SIDE)
    with pytest.raises(UserError, match=r"^part\.rate: 2; at least 0 and at most 1 was expected$"):
        check("part", Settings(rate=2), rate=Between(0, 1), sides=SIDE)
    with pytest.raises(UserError, match=r"^part\.sides: nothing; at least 1 and at most 32768 was expected$"):
        check("part", Settings(sides=()), sides=SIDE)


def test_the_largest_number_is_named_where_it_was_exceeded() -> None:
    with pytest.raises(UserError, match=r"^part\.rate: 3000000000; at least 0 and at most 2147483647 was expected$"):
        check("part", Settings(rate=3000000000), rate=COUNT)
    with pytest.raises(UserError, match=r"^part\.rate: -1; at least 0 was expected$"):
        check("part", Settings(rate=-1), rate=COUNT)
