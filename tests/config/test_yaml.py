"""Configs are read strictly: what does not fit is named, with the mend."""

import dataclasses
from pathlib import Path
from typing import Literal

import pytest

from switchseg.config import yaml
from switchseg.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.1
    kind: Literal["sgd", "adamw"] = "sgd"

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise ValueError(f"inner.rate must not be negative, but is {self.rate}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner = dataclasses.field(default_factory=Inner)
    sides: tuple[int, ...] = (1, 2)
    pair: tuple[float, float] = (0.5, 2.0)
    clip: float | None = None
    name: str = "x"
    flip: bool = True
    mapping: dict[int, int] = dataclasses.field(default_factory=dict)


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_values_replace_defaults_and_all_others_stay(tmp_path):
    config = yaml.load(write(tmp_path, "inner: {rate: 1e-4}\nsides: [3, 4, 5]\nclip: 2\nmapping: {7: 1}\n"), Outer)
    assert config == Outer(inner=Inner(rate=1e-4), sides=(3, 4, 5), clip=2.0, mapping={7: 1})


def test_an_empty_file_is_all_defaults(tmp_path):
    assert yaml.load(write(tmp_path, "# nothing\n"), Outer) == Outer()


def test_what_was_saved_is_read_back(tmp_path):
    config = Outer(inner=Inner(rate=0.25, kind="adamw"), clip=0.5, flip=False)
    yaml.save(tmp_path / "saved.yaml", config)
    assert yaml.load(tmp_path / "saved.yaml", Outer) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("innner: {rate: 1}", r"unknown key innner; did you mean inner\?"),
        ("inner: {rrate: 1}", r"unknown key inner.rrate; did you mean inner.rate\?"),
        ("inner: 3", "inner: expected keys and values, found 3"),
        ("inner: {rate: fast}", "inner.rate must be number, found 'fast'"),
        ("inner: {rate: -1}", "inner.rate must not be negative"),
        ("inner: {kind: adam}", "inner.kind must be one of sgd, adamw, found 'adam'"),
        ("sides: 3", "sides must be a list of whole numbers, found 3"),
        ("sides: [a]", "sides must be a list of whole numbers"),
        ("pair: [1]", "pair must be a list of numbers"),
        ("flip: 1", "flip must be true or false, found 1"),
        ("name: 3", "name must be text, found 3"),
        ("- 1", "expected keys and values"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_key(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        yaml.load(path, Outer)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: no such config file"):
        yaml.load(tmp_path / "none.yaml", Outer)


def test_yaml_cannot_build_python_objects(tmp_path):
    with pytest.raises(UserError, match="cannot be read as YAML"):
        yaml.load(write(tmp_path, "name: !!python/object/apply:os.getcwd []"), Outer)
