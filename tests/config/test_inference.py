"""The rules by which images are labelled."""

import pytest

from switchseg.config.inference import RULES, Compute, Rule


def test_scaled_sizes_are_those_of_2018() -> None:
    sizes = [Rule().scaled_size(512, 683, side) for side in (300, 400, 500, 600)]
    assert sizes == [(304, 400), (400, 536), (504, 672), (600, 800)]
    assert Rule().scaled_size(100, 1000, 450) == (104, 1000)  # the long side rules


@pytest.mark.parametrize(
    "wrong", [{"short_sides": ()}, {"short_sides": (0,)}, {"window": 0}, {"stride": 8}, {"window": 8, "stride": 9}]
)
def test_impossible_rules_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="must be"):
        Rule(**wrong)


def test_a_rule_says_what_it_does() -> None:
    assert RULES["2018"].describe() == (
        "short side 450, long side at most 1000; stretched to multiples of 8 (cv2 bilinear); softmax at label size"
    )
    text = Rule(short_sides=(300, 400), flip=True, window=240, resize="pil").describe()
    for part in ("300 400", "(pil bilinear)", "windows of 240 every 160", "averaged with the mirrored image"):
        assert part in text


def test_a_batch_has_an_image():
    with pytest.raises(ValueError, match="at least 1 image per batch, not 0"):
        Compute(images_per_batch=0)
