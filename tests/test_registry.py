"""Registry: names of built-in entries without importing them, entries of plugins, and its messages."""

import subprocess
import sys
from dataclasses import dataclass, fields

import pytest

from switchseg.errors import UserError
from switchseg.registry import Registry, check_names, named, registry_of


def test_an_own_entry_is_imported_when_it_is_asked_for():
    code = (
        "import sys; from switchseg.registry import Registry; r = Registry('sum', {'f': 'fractions:Fraction'});"
        "assert list(r) == ['f'] and 'fractions' not in sys.modules; assert r['f'](1, 2) == .5"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_entry_is_added_under_its_name_and_returned():
    registry = Registry[object]("thing", {"own": "switchseg.errors:UserError"})

    @registry.register("mine")
    def mine() -> None: ...

    assert registry["mine"] is mine
    assert list(registry) == ["own", "mine"]
    assert registry["own"] is UserError


def test_a_taken_name_is_refused_unless_it_is_to_be_replaced():
    registry = Registry[object]("loss", {"dice": "switchseg.errors:UserError"})
    with pytest.raises(UserError, match="there is a loss called 'dice' already"):
        registry.register("dice")(int)
    registry.register("dice", replace=True)(int)
    registry.register("dice")(int)  # the same once more: a module that is imported twice
    assert registry["dice"] is int


def test_an_unknown_name_gets_a_line_with_the_nearest():
    registry = Registry[object]("loss", {"dice": "a:b", "focal": "a:c"})
    registry.require("loss.name", "dice")
    expected = r"loss.name: there is no loss 'dicee'; did you mean 'dice'\? \(there are dice, focal\)"
    with pytest.raises(UserError, match=expected):
        registry.require("loss.name", "dicee")
    with pytest.raises(KeyError):
        registry["dicee"]


THINGS: Registry[object] = Registry("thing", {"one": "a:b", "two": "a:c"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    thing: str | None = named(THINGS, "one")
    several: tuple[str, ...] = named(THINGS, ("one", "two"))
    needed: str = named(THINGS)
    text: str = "anything"


def test_names_of_a_config_are_checked_where_it_says_that_they_are_names():
    check_names("part.", Settings(needed="two", thing=None))
    with pytest.raises(UserError, match=r"^part\.needed: there is no thing 'tow'; did you mean 'two'\?"):
        check_names("part.", Settings(needed="tow"))
    with pytest.raises(UserError, match=r"^part\.several: there is no thing 'three'"):
        check_names("part.", Settings(needed="two", several=("one", "three")))
    with pytest.raises(TypeError, match="needed"):
        Settings()
    assert [registry_of(field) for field in fields(Settings)] == [THINGS, THINGS, THINGS, None]
