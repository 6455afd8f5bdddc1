"""Configs are read strictly: what does not fit is named, with the mend."""

import dataclasses
from pathlib import Path
from typing import Literal

import pytest

from switchseg.config import yaml
from switchseg.config.schema import RunConfig
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


@pytest.mark.parametrize("name", ["quickstart.yaml", "configs/quickstart.yaml"])
def test_configs_of_the_package_are_found_by_their_names(tmp_path, monkeypatch, name):
    shipped, here = tmp_path / "package" / "configs", tmp_path / "here"
    for folder, text in ((shipped, "name: theirs"), (here, "name: ours")):
        folder.mkdir(parents=True)
        (folder / "quickstart.yaml").write_text(text)
    monkeypatch.setattr(yaml, "_SHIPPED", shipped)
    monkeypatch.chdir(tmp_path)
    assert yaml.load(name, Outer).name == "theirs"
    monkeypatch.chdir(here)
    assert yaml.load("quickstart.yaml", Outer).name == "ours"


def test_configs_of_a_checkout_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert yaml.load("configs/quickstart.yaml", RunConfig).data.dataset == "scenes"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: no such config file"):
        yaml.load(tmp_path / "none.yaml", Outer)


def test_yaml_cannot_build_python_objects(tmp_path):
    with pytest.raises(UserError, match="cannot be read as YAML"):
        yaml.load(write(tmp_path, "name: !!python/object/apply:os.getcwd []"), Outer)


def write_all(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / f"{next(iter(texts))}.yaml"


def test_a_config_builds_on_another_one_section_by_section(tmp_path):
    (tmp_path / "low").mkdir()
    write_all(tmp_path / "low", ground="inner: {rate: 3, kind: adamw}\nsides: [3, 4]\nmapping: {1: 1}\nflip: false\n")
    write_all(tmp_path / "low", middle="base: ground.yaml\nclip: 2\ninner:\n")
    path = write_all(tmp_path, top="base: low/middle.yaml\ninner: {rate: 4}\nsides: [6]\nmapping: {2: 2}\n")
    expected = Outer(inner=Inner(rate=4.0, kind="adamw"), sides=(6,), clip=2.0, mapping={2: 2}, flip=False)
    assert yaml.load(path, Outer) == expected
    yaml.save(tmp_path / "saved.yaml", yaml.load(path, Outer))
    assert "base" not in (tmp_path / "saved.yaml").read_text()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"a": "base: a.yaml"}, r"a\.yaml: base a\.yaml builds on this config itself"),
        ({"a": "base: b.yaml", "b": "base: c.yaml", "c": "base: a.yaml"}, r"c\.yaml: base a\.yaml builds on"),
        ({"a": "base: none.yaml"}, r"a\.yaml: base none\.yaml is no file"),
        ({"a": "base: 3"}, r"a\.yaml: base must be the path of another config, found 3"),
        ({"a": "base:"}, r"a\.yaml: base must be the path of another config, found None"),
        ({"a": "base: b.yaml\ninner: {rate: 1}", "b": "inner: {rrate: 1}"}, r"b\.yaml: unknown key inner\.rrate"),
        ({"a": "base: b.yaml\ninner: {rate: 1}", "b": "inner: 3"}, r"b\.yaml: inner: expected keys and values"),
        ({"a": "base: b.yaml\ninner: 3", "b": "inner: {rate: 1}"}, r"a\.yaml: inner: expected keys and values"),
        ({"a": "base: b.yaml", "b": "- 1"}, r"b\.yaml: expected keys and values"),
    ],
)
def test_a_base_that_does_not_hold_is_one_line_that_names_its_file(tmp_path, texts, message):
    with pytest.raises(UserError, match=message) as caught:
        yaml.load(write_all(tmp_path, **texts), Outer)
    assert "\n" not in str(caught.value)


def test_a_setting_takes_the_place_of_another_one_of_the_base(tmp_path):
    path = write_all(tmp_path, a="base: b.yaml\ntrain: {epochs: 3}", b="train: {steps: 7, accumulate: 2}")
    train = yaml.load(path, RunConfig).train
    assert (train.steps, train.epochs, train.accumulate) == (None, 3.0, 2)
    with pytest.raises(UserError, match=r"train\.steps and train\.epochs are 7 and 3\.0; give one"):
        yaml.load(write_all(tmp_path, c="train: {steps: 7, epochs: 3}"), RunConfig)
