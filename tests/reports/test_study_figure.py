"""The figure of a study: each variant at its batch sizes, however many there are."""

import matplotlib.pyplot as plt
import pytest

from switchseg.reports.runs import read_runs
from switchseg.reports.study_figure import study_figure
from tests.reports.make_runs import make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return read_runs([make_run(folder / norm, norm, images=1, size=(30, 40)) for norm in ("syncbn", "gn", "sn")])


def test_every_variant_has_a_line_and_a_name(runs):
    figure = study_figure(runs)
    axes = figure.axes[0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["SyncBN", "GN", "SN"]
    assert axes.get_xlabel() == "images per device"
    plt.close("all")


def test_many_variants_stay_at_their_batch_size(tmp_path):
    """Fourteen variants once reached over to the next batch size."""
    many = [make_run(tmp_path / f"norm{n}", f"norm{n}", images=1, size=(30, 40)) for n in range(14)]
    axes = study_figure(read_runs(many)).axes[0]
    places = {place for line in axes.get_lines() for place in line.get_xdata()}
    assert len(places) == 14
    assert all(abs(place) < 0.5 for place in places)
