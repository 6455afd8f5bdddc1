"""Plain values fit a dataclass or are refused by name."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from switchseg.errors import UserError
from switchseg.settings import from_mapping


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    sizes: tuple[int, ...] = ()
    names: list[str] = field(default_factory=list)
    mode: Literal["on", "off"] = "off"
    numbers: dict[int, int] = field(default_factory=dict)
    anything: Any = None


def test_kinds_are_converted_all_the_way_down():
    content = {"inner": {"rate": "1e-4"}, "sizes": [1, 2], "names": ["a"], "numbers": {1: 2}, "anything": [None]}
    built = from_mapping(Outer, content, "here")
    assert built == Outer(
        inner=Inner(rate=1e-4), sizes=(1, 2), names=["a"], mode="off", numbers={1: 2}, anything=[None]
    )


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"inner": {"rat": 1}}, "here: unknown key inner.rat; did you mean inner.rate?"),
        ({"inner": 3}, "here: inner: expected keys and values, found 3"),
        ({"sizes": ["a"]}, "here: sizes must be a list of whole numbers, found ['a']"),
        ({"names": "a"}, "here: names must be a list of texts, found 'a'"),
        ({"mode": "of"}, "here: mode must be one of on, off, found 'of'"),
        ({"numbers": [1]}, "here: numbers must be a mapping, found [1]"),
    ],
)
def test_what_does_not_fit_is_named_with_its_key(content, line):
    with pytest.raises(UserError) as caught:
        from_mapping(Outer, content, "here")
    assert str(caught.value) == line


def test_a_number_beyond_a_float_is_a_mistake_too():
    with pytest.raises(UserError, match=r"^file: inner\.rate must be number, found 1000"):
        from_mapping(Outer, {"inner": {"rate": 10**400}}, "file")
