"""What scores of short trainings say, and what they leave open."""

import json
from pathlib import Path

import pytest

from switchseg.engine.norm_choice.verdict import LEAST, decide, least_significant_difference

MEASURED = sorted((Path(__file__).parents[3] / "docs" / "results" / "probe").glob("*-seeds*.json"))
NORMS = ("bn", "gn", "in", "sn")
EVEN = {"in": 0.34, "ln": 0.33, "bn": 0.33}


def scores(**means: float) -> dict[str, list[float]]:
    """Scores of three seeds around these means, whose noise is about half a point."""
    wiggle = {
        "bn": (0.002, -0.002, 0),
        "gn": (-0.002, 0, 0.002),
        "in": (0, 0.002, -0.002),
        "sn": (0.001, 0.001, -0.002),
    }
    return {norm: [mean + offset for offset in wiggle[norm]] for norm, mean in means.items()}


@pytest.mark.parametrize("images", [2, 32])
@pytest.mark.parametrize("best", NORMS)
def test_a_norm_that_is_clearly_ahead_is_taken(best, images):
    means = {norm: 0.30 + 0.05 * (norm == best) for norm in NORMS}
    verdict = decide(scores(**means), EVEN, images)
    assert verdict.norm == best
    assert verdict.is_clear
    assert f"{best} is 5.0 points ahead" in verdict.reason


@pytest.mark.parametrize(
    ("means", "shares", "images", "norm", "says"),
    [
        # Equal to BN: what costs nothing in inference, or what depends less on the batch.
        ({"bn": 0.3, "gn": 0.2, "in": 0.2, "sn": 0.3}, EVEN, 32, "bn", "bn costs nothing in inference"),
        ({"bn": 0.3, "gn": 0.3, "in": 0.3, "sn": 0.3}, EVEN, 16, "bn", "bn, gn, in and sn are within 1.0 points"),
        ({"bn": 0.3, "gn": 0.2, "in": 0.2, "sn": 0.3}, EVEN, 2, "sn", "with 2 images a device sn"),
        ({"bn": 0.3, "gn": 0.3, "in": 0.3, "sn": 0.2}, EVEN, 2, "bn", "bn costs nothing in inference"),
        # BN behind: whichever statistic of single images the mixture has turned to.
        ({"bn": 0.2, "gn": 0.3, "in": 0.3, "sn": 0.3}, {"in": 0.5, "ln": 0.3, "bn": 0.2}, 2, "in", "IN 50%, LN 30%"),
        ({"bn": 0.2, "gn": 0.3, "in": 0.3, "sn": 0.3}, {"in": 0.3, "ln": 0.5, "bn": 0.2}, 2, "gn", "LN 50%"),
        ({"bn": 0.2, "gn": 0.2, "in": 0.3, "sn": 0.3}, {"in": 0.3, "ln": 0.5, "bn": 0.2}, 2, "in", "bn is not among"),
        # One image a device: BN was not even trained.
        ({"gn": 0.3, "in": 0.2, "sn": 0.3}, EVEN, 1, "gn", "gn and sn are within 1.0 points"),
    ],
)
def test_of_norms_that_are_equally_good_the_one_with_less_against_it_is_taken(means, shares, images, norm, says):
    verdict = decide(scores(**means), shares, images)
    assert verdict.norm == norm
    assert not verdict.is_clear
    assert says in verdict.reason


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path.stem)
def test_scores_that_were_measured_on_scenes_of_a_known_answer_give_it(path):
    found = json.loads(path.read_text())
    of_norm = {norm: [each["mean_iou"] for each in found["results"] if each["norm"] == norm] for norm in NORMS}
    verdict = decide(of_norm, found["shares"]["encoder 1/4"], found["images_per_device"])
    assert verdict.norm == ("bn" if path.stem.startswith("one-style") else "in")
    assert verdict.reason == found["verdict"]["reason"]


def test_noise_is_what_seeds_do_to_norms_unlike():
    # By hand: means 2 and 4, seeds 2, 3 and 4, so residuals -1, 0, 1 and 1, 0, -1: 4 squared, 2 degrees of freedom.
    unlike = {"bn": [0.0, 2.0, 4.0], "sn": [4.0, 4.0, 4.0]}
    assert least_significant_difference(unlike) == pytest.approx(4.30 * (2 * (4 / 2) / 3) ** 0.5)
    alike = {"bn": [0.1, 0.2, 0.4], "sn": [0.3, 0.4, 0.6]}
    assert least_significant_difference(alike) == pytest.approx(0, abs=1e-12)


def test_scores_that_agree_by_chance_need_the_least_difference_all_the_same():
    close = decide({"bn": [0.30, 0.31], "sn": [0.30 + 0.9 * LEAST, 0.31 + 0.9 * LEAST]}, EVEN, 32)
    assert close.norm == "bn"
    far = decide({"bn": [0.30, 0.31], "sn": [0.30 + 1.1 * LEAST, 0.31 + 1.1 * LEAST]}, EVEN, 32)
    assert far.norm == "sn"


def test_two_seeds_that_disagree_decide_nothing():
    assert decide({"bn": [0.2, 0.4], "sn": [0.4, 0.3]}, EVEN, 32).close == ("sn", "bn")
