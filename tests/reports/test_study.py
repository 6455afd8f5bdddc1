import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from switchseg.errors import UserError
from switchseg.reports.runs import read_runs
from switchseg.reports.study import collect_study
from tests.reports.make_runs import make_studied


def test_means_deviations_and_paired_differences(template):
    study = collect_study(make_studied(template))
    assert (study.variants, study.images) == (["BN", "SN"], [1, 2])
    bn, sn = study.cells["BN", 2], study.cells["SN", 2]
    assert (bn.mean, bn.deviation) == pytest.approx((0.39, 0.01))
    assert sn.deviation == pytest.approx(math.sqrt((0.0067**2 + 0.0167**2 + 0.0233**2) / 2), abs=1e-4)
    difference = study.difference("SN", 2)
    assert difference.values == pytest.approx({304: 0.03, 305: 0.05, 306: -0.01})
    assert study.difference("SN", 1) is None
    assert math.isnan(study.cells["SN", 1].deviation)


def test_the_tables_say_it(template):
    lines = collect_study(make_studied(template)).to_markdown().splitlines()
    assert lines[:4] == [
        "| images per device | BN | SN |",
        "|---|---:|---:|",
        "| 1 | – | 41.00 (1) |",
        "| 2 | 39.00 ± 1.00 (3) | 41.33 ± 2.08 (3) |",
    ]
    assert lines[5] == "| images per device; minus BN | SN |"
    assert lines[8] == "| 2 | +2.33 ± 3.06 (2 of 3) |"
    assert lines[-1].startswith("Single scale. mIoU in percent")


def test_the_json_holds_every_score(template):
    study = collect_study(make_studied(template))
    entry = json.loads(json.dumps(study.to_json()))
    cell = next(cell for cell in entry["cells"] if cell["variant"] == "SN" and cell["images_per_device"] == 2)
    assert cell["by_seed"] == {"304": 0.42, "305": 0.43, "306": 0.39}
    assert cell["difference_to_first"]["mean"] == pytest.approx(0.07 / 3)
    assert entry["first"] == "BN"
    assert next(c for c in entry["cells"] if c["images_per_device"] == 1)["deviation"] is None


def test_single_runs_are_no_study(template, run_folders):
    assert collect_study([replace(template, single=None)]) is None
    assert not collect_study(read_runs(run_folders)).is_repeated
    assert collect_study(make_studied(template)).is_repeated


def test_runs_with_other_settings_have_cells_of_their_own(template):
    other = make_studied(template, {("sn", 2, seed): 0.4 for seed in (304, 305, 306)}, norm_init=0.9)
    study = collect_study(make_studied(template) + other)
    assert study.variants == ["BN", "SN, norm_init default", "SN, norm_init 0.9"]
    assert len(study.cells["SN, norm_init 0.9", 2].values) == 3


def test_the_same_run_twice_is_refused(template):
    runs = make_studied(template)
    with pytest.raises(UserError, match=r"^sn-2-305-0: other is SN with 2 images and seed 305 too; name one$"):
        collect_study([replace(runs[4], path=Path("other")), *runs])


def test_one_run_of_each_variant_stands_for_it(template):
    runs = make_studied(template)
    assert collect_study(runs).representatives() == [runs[0], runs[3]]
