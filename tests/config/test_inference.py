"""The rules by which images are labelled."""

import pytest

from switchseg.classes import Classes
from switchseg.config.inference import RULES, Compute, Rule
from switchseg.errors import UserError


def test_scaled_sizes_are_those_of_2018() -> None:
    sizes = [Rule().scaled_size(512, 683, side) for side in (300, 400, 500, 600)]
    assert sizes == [(304, 400), (400, 536), (504, 672), (600, 800)]
    assert Rule().scaled_size(100, 1000, 450) == (104, 1000)  # the long side rules


@pytest.mark.parametrize(
    "wrong",
    [
        {"short_sides": ()},
        {"short_sides": (0,)},
        {"window": 0},
        {"stride": 8},
        {"window": 8, "stride": 9},
        {"threshold": 1.5},
    ],
)
def test_impossible_rules_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="must (be|come)"):
        Rule(**wrong)


def test_a_rule_says_what_it_does() -> None:
    assert RULES["2018"].describe() == (
        "short side 450, long side at most 1000; stretched to multiples of 8 (cv2 bilinear); softmax at label size"
    )
    text = Rule(short_sides=(300, 400), flip=True, window=240, resize="pil").describe()
    for part in ("300 400", "(pil bilinear)", "windows of 240 every 160 (rounded up", "with the mirrored image"):
        assert part in text


@pytest.mark.parametrize(
    ("names", "foreground"),
    [(("background", "crack"), 1), (("crack", "Background"), 0), (("day", "night"), 1), (("background",) * 2, 1)],
)
def test_the_foreground_is_what_is_not_called_background(names: tuple[str, str], foreground: int) -> None:
    rule = Rule(threshold=0.3)
    assert rule.describe().endswith("; foreground where its probability is at least 0.3")
    assert rule.cut(Classes.named(names)) == (foreground, 0.3)
    assert Rule().cut(Classes.named(names)) is None


def test_a_threshold_is_for_two_classes() -> None:
    with pytest.raises(UserError, match="for two classes, background and foreground; the model has 3"):
        Rule(threshold=0.5).cut(Classes.unnamed(3))


def test_a_batch_has_an_image():
    with pytest.raises(ValueError, match="at least 1 image per batch, not 0"):
        Compute(images_per_batch=0)
