"""Values that cannot be are refused when a config is read: every field of it is given some."""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switchseg.cli import main
from switchseg.config.schema import RunConfig
from switchseg.errors import UserError
from switchseg.losses.config import LossConfig
from switchseg.settings import from_mapping

# What these name is found by timm, on a disk or by an import, not by reading a config; any text may be such a name.
NAMES = ("model.pretrained", "data.root", "data.train_split", "data.val_split", "data.train_list", "data.val_list")


def fields(kind: type = RunConfig, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, hint in typing.get_type_hints(kind).items():
        if dataclasses.is_dataclass(hint):
            yield from fields(typing.cast(type, hint), f"{prefix}{key}.")
        else:
            yield prefix + key, hint


def bad_values(key: str, hint: Any) -> Iterator[Any]:
    """Yield values of the wrong kind, and values of the right kind that no setting can have."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for alternative in arguments:
            if alternative is not type(None):
                yield from bad_values(key, alternative)
    elif origin is typing.Literal:
        yield from ("nonsense", 7, ["x"])
    elif origin is tuple:
        yield from (3, "x", [{}])
        for value in bad_values(key, arguments[0]):
            yield [value] * (1 if arguments[-1] is Ellipsis else len(arguments))
    elif hint is bool:
        yield from ("false", 2, [], {})
    elif hint is int:
        yield from (-1, 10**30, 2.5, "many", [1], {})
    elif hint is float:
        yield from (-1.0, math.nan, math.inf, -math.inf, "fast", [1.0], {})
    else:
        yield from (5, True, ["x"], {})
        if key not in (*NAMES, "plugins"):
            # timm has hundreds of networks; what is no name of one is refused by its form.
            yield "no/name" if key == "model.encoder" else "nonsense"


CASES = [(key, value) for key, hint in fields() for value in bad_values(key, hint)]


@pytest.mark.parametrize(("key", "value"), CASES, ids=[f"{key}={value}" for key, value in CASES])
def test_no_field_takes_what_cannot_be(key: str, value: Any) -> None:
    content = value
    for part in reversed(key.split(".")):
        content = {part: content}
    with pytest.raises(UserError, match=rf"^run\.yaml: .*{re.escape(key)}") as caught:
        from_mapping(RunConfig, content, "run.yaml")
    assert "\n" not in str(caught.value)


def test_every_field_was_tried() -> None:
    parts = vars(RunConfig()).values()
    sections = [dataclasses.fields(part) for part in parts if dataclasses.is_dataclass(part)]
    assert len({key for key, _ in CASES}) == sum(map(len, sections)) + len(parts) - len(sections)


@pytest.mark.parametrize("key", ["model.encoder", *NAMES])
def test_what_cannot_be_told_from_its_name_is_looked_up_before_anything_is_written(
    key: str, tiny_camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.yaml").write_text(
        f"data: {{dataset: camvid, root: {tiny_camvid}}}\nmodel: {{encoder: resnet18, decoder: c1}}\n"
    )
    arguments = [str(tmp_path / "c.yaml"), "--out", str(tmp_path / "run"), f"--{key}=nonsense", "--train.device=cpu"]
    assert main(["train", *arguments]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert "nonsense" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flag", ["--evaluate.short-sides=0", "--train.seed=-1", "--optim.poly-power=nan"])
def test_flags_are_held_to_the_same(flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text("")
    assert main(["train", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "run"), flag]) == 2
    assert flag[2:].split("=")[0].replace("-", "_") in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        ({"terms": ["dicee"]}, "loss.terms: there is no loss 'dicee'; did you mean 'dice'?"),
        ({"terms": []}, "loss.terms: nothing; "),
        ({"terms": ["dice", "dice"]}, "loss.terms: dice dice; losses, each once, were expected"),
        ({"terms": ["dice"], "weights": [1, 2]}, "loss.weights: 2 numbers for 1 terms"),
        ({"terms": ["dice", "lovasz"], "class_weights": "auto"}, "loss.class_weights: dice and lovasz weigh all"),
        ({"name": "nonsense"}, "loss.terms: there is no loss 'nonsense'"),
        ({"name": ["dice"]}, "loss.terms must be a list of texts"),
        ({"name": "dice", "terms": ["dice"]}, "unknown key loss.name; "),
    ],
)
def test_losses_that_do_not_go_together_are_refused(loss: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError) as caught:
        from_mapping(RunConfig, {"loss": loss}, "run.yaml")
    assert str(caught.value).startswith(f"run.yaml: {reason}")


def test_each_loss_has_its_factor() -> None:
    assert LossConfig(terms=("focal", "dice")).factors == {"focal": 1.0, "dice": 1.0}
    assert LossConfig(terms=("focal", "dice"), weights=(2, 0.5)).factors == {"focal": 2, "dice": 0.5}


def test_a_loss_section_with_one_name_means_what_it_meant() -> None:
    old = {"name": "cross_entropy", "auxiliary_weight": 0.2, "average": "devices"}
    read = from_mapping(RunConfig, {"loss": old}, "run.yaml").loss
    assert read == LossConfig(terms=("cross_entropy",), auxiliary_weight=0.2, average="devices")
