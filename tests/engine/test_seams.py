import numpy as np
import pytest

from switchseg.config.inference import Rule
from switchseg.engine.seams import Seams, border_lines, count, find_seams
from switchseg.models.create import create_model


@pytest.fixture(scope="module")
def model():
    return create_model("resnet18_dilated8", "c1", "bn", num_classes=2).eval()


def test_borders_are_where_windows_meet(model) -> None:
    rule = Rule(short_sides=(64,), window=32, stride=32)
    rows, columns = border_lines(rule, model, (64, 96))
    near = [*range(28 - 1, 36)]  # half a cell of 8 pixels on both sides of 32
    assert np.flatnonzero(rows).tolist() == near
    assert np.flatnonzero(columns).tolist() == [*near, *(line + 32 for line in near)]
    overlapping = Rule(short_sides=(64,), window=48, stride=16)
    assert np.flatnonzero(border_lines(overlapping, model, (64, 64))[0]).tolist() == [*range(11, 20), *range(43, 52)]


def test_borders_follow_the_size_of_the_labels(model) -> None:
    rows, _ = border_lines(Rule(short_sides=(64,), window=32, stride=32), model, (640, 640))
    assert np.flatnonzero(rows).tolist() == [*range(280 - 1, 360)]


def test_labels_that_change_at_borders_score_high_and_others_one(model) -> None:
    rule = Rule(short_sides=(64,), window=32, stride=32)
    squares = np.indices((64, 96)) // 32
    # They change at borders alone, so there is nothing to compare with.
    assert find_seams(squares.sum(0) % 2, rule, model).score is None
    noise = np.random.default_rng(0).integers(0, 2, (64, 96))
    assert find_seams(noise, rule, model).score == pytest.approx(1, abs=0.1)
    stepped = np.where(np.indices((64, 96))[1] < 32, noise, 2)
    assert find_seams(stepped, rule, model).score < find_seams(noise, rule, model).score * 2


def test_without_windows_there_are_none(model) -> None:
    assert find_seams(np.zeros((8, 8), int), Rule(), model) == Seams()
    assert Seams().to_json() == {"score": None, "along": None, "elsewhere": None}


@pytest.mark.parametrize(("along_differing", "share"), [(0, "0.00 %"), (3, "25.00 %")])
def test_where_no_labels_differ_elsewhere_there_is_no_score(along_differing: int, share: str) -> None:
    seams = Seams(along=12, along_differing=along_differing, elsewhere=40, elsewhere_differing=0)
    told = f"no score ({share} of neighbouring pixels differ where windows meet, and none elsewhere to compare with)"
    assert seams.describe() == told
    assert seams.to_json() == {"score": None, "along": along_differing / 12, "elsewhere": 0.0}


def test_counts_add_up() -> None:
    labels = np.array([[0, 1], [1, 1], [1, 0]])
    seams = count(labels, np.array([True, False]), np.array([False]))
    assert seams == Seams(along=2, along_differing=1, elsewhere=5, elsewhere_differing=3)
    assert seams.plus(seams) == Seams(4, 2, 10, 6)
    assert seams.score == pytest.approx(0.5 / 0.6)
