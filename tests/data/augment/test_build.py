"""The list in the config is read strictly, without torch."""

import subprocess
import sys
from typing import Any

import pytest

from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.data.augment import TRANSFORMS, build
from switchseg.data.augment.geometry import Flip, Scale
from switchseg.data.config import DataConfig
from switchseg.errors import UserError


def test_settings_are_those_of_the_entry_and_else_the_default_ones() -> None:
    assert build([{"name": "scale", "factors": [0.75, 1.25]}, {"name": "flip", "axis": "vertical"}]) == [
        ("scale", Scale(factors=(0.75, 1.25))),
        ("flip", Flip(axis="vertical", probability=0.5)),
    ]


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"name": "rotaton"}, "there is no transform 'rotaton'; did you mean 'rotation'?"),
        ({"probability": 0.5}, "{'probability': 0.5} has no name; one of scale, crop, "),
        ({"name": 3}, "{'name': 3} has no name"),
        ({"name": "rotation", "degree": 5}, "rotation: unknown key degree; did you mean degrees?"),
        ({"name": "rotation", "degrees": 5}, "rotation: degrees must be a list of numbers, found 5"),
        ({"name": "rotation", "degrees": [5, -5]}, "rotation: degrees: 5 -5; the lower number first was expected"),
        ({"name": "crop", "size": [0, 5]}, "crop: size: 0 5; at least 1"),
        ({"name": "flip", "axis": "diagonal"}, "flip: axis must be one of horizontal, vertical"),
        ({"name": "perspective", "distortion": 1}, "perspective: distortion: 1.0; at least 0 and below 1"),
        ({"name": "class_mix", "share": 0}, "class_mix: share: 0.0; above 0"),
        ({"name": "torchvision.RandomPerspectiv"}, "no transform 'RandomPerspectiv'; did you mean RandomPerspective?"),
        (
            {"name": "torchvision.RandomPerspective", "distorsion_scale": 1},
            "torchvision.RandomPerspective: unknown key distorsion_scale; did you mean distortion_scale?",
        ),
        ({"name": "torchvision.RandomPerspective", "distortion_scale": 7}, "torchvision.RandomPerspective: "),
        ({"name": "torchvision.RandomPerspective", "probability": "often"}, "torchvision.RandomPerspective: "),
        ({"name": "torchvision.GaussianBlur", "probability": 2, "kernel_size": 3}, "probability: 2; at least 0"),
        ({"name": "torchvision.RandomRotation", "degrees": 5, "interpolation": "x"}, "torchvision.RandomRotation: 'x'"),
    ],
)
def test_a_mistake_is_one_line_that_says_the_mend(entry: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        DataConfig(augment=(entry,))
    assert str(caught.value).startswith("data.augment: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_can_be_named_without_settings_and_is_saved_as_it_was_read(name: str, tmp_path) -> None:
    (tmp_path / "c.yaml").write_text(f"data:\n  augment:\n  - {{name: {name}, probability: 0.25}}\n")
    config = yaml.load(tmp_path / "c.yaml", RunConfig)
    assert config.data.augment == ({"name": name, "probability": 0.25},)
    yaml.save(tmp_path / "saved.yaml", config)
    assert yaml.load(tmp_path / "saved.yaml", RunConfig) == config


def test_naming_our_own_loads_no_torch() -> None:
    entries = tuple({"name": name} for name in TRANSFORMS)
    program = (
        f"import sys; from switchseg.data.config import DataConfig; DataConfig(augment={entries!r}); "
        "print('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"
