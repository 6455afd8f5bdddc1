import numpy as np
import pytest

from switchseg.reports.runs import Run, read_run
from switchseg.reports.series import Series, Shares, common_span, curve, last_shares, shares_over_time


def test_smoothing_is_the_running_mean_and_keeps_the_ends():
    series = Series(np.arange(7.0), np.array([0, 0, 3, 0, 0, 6, 0.0]))
    assert series.smoothed(3).values == pytest.approx([0, 1, 1, 1, 2, 2, 3])
    assert series.smoothed(1).values == pytest.approx(series.values)


def test_the_window_has_the_same_steps_however_often_a_run_logs():
    often, rarely = Series(np.arange(401.0), np.arange(401.0) % 2), Series(np.arange(0, 201.0, 10), np.zeros(21))
    assert common_span([often, rarely]) == common_span([rarely, often]) == 20
    assert often.smoothed(20).values[200] == pytest.approx(10 / 21)
    assert Series(rarely.steps, rarely.steps).smoothed(20).values[:2] == pytest.approx([5, 10])


def test_thinning_keeps_first_and_last():
    series = Series(np.arange(1000.0), np.arange(1000.0)).thinned(11)
    assert len(series) == 11
    assert (series.steps[0], series.steps[-1]) == (0, 999)


def test_a_curve_leaves_out_what_is_no_finite_number():
    records = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": float("nan")}, {"step": 3}, {"step": 4, "loss": None}]
    run = Run(path=None, label="x", events={"train": [*records, {"step": 5, "lr": {"encoder": 0.1}, "loss": 1}]})
    assert curve(run, "train", "loss").steps.tolist() == [1, 5]
    backwards = Run(path=None, label="x", events={"train": run.events["train"][::-1]})
    assert curve(backwards, "train", "loss").values.tolist() == [2, 1]
    assert curve(run, "train", "lr.encoder").values.tolist() == [0.1]
    assert len(curve(run, "evaluate", "mean_iou")) == 0


def test_shares_are_read_with_their_stages(run_folders):
    run = read_run(run_folders[2])
    assert [step for step, _ in shares_over_time(run)] == list(range(20, 241, 20))
    shares = last_shares(run)
    assert shares.statistics == ("in", "ln", "bn")
    assert shares.means.shape == (17, 3)
    assert shares.variances.sum(1) == pytest.approx(np.ones(17))
    assert shares.groups == [("stem", 1), ("layer1", 4), ("layer2", 4), ("layer3", 4), ("layer4", 4)]
    assert last_shares(read_run(run_folders[0])) is None


def test_layers_with_fewer_statistics_share_nothing_with_the_missing_ones():
    entry = {"mean": {"in": 0.4, "ln": 0.6}, "var": {"in": 0.5, "ln": 0.5}}
    full = {"mean": {"in": 0.2, "ln": 0.3, "bn": 0.5}, "var": {"in": 0.2, "ln": 0.3, "bn": 0.5}}
    events = {"shares": [{"step": 1, "layers": {"decoder.a": entry, "encoder.stages.2.b": full}}]}
    shares = last_shares(Run(path=None, label="x", events=events))
    assert shares.means.tolist() == [[0.4, 0.6, 0.0], [0.2, 0.3, 0.5]]
    assert shares.groups == [("decoder", 1), ("stages 2", 1)]


def test_groups_follow_the_layers_order():
    ones = np.ones((3, 1))
    shares = Shares(("encoder.bn1", "encoder.layer1.0.bn1", "decoder.norm"), ("in",), ones, ones)
    assert [name for name, _ in shares.groups] == ["stem", "layer1", "decoder"]
