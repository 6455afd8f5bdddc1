import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from switchseg.errors import UserError
from switchseg.reports.runs import Run, read_runs
from switchseg.reports.study import Sample, collect_study, variant_titles

# (norm, images per device, seed) -> mIoU
SCORES = {
    ("bn", 2, 304): 0.39,
    ("bn", 2, 305): 0.38,
    ("bn", 2, 306): 0.40,
    ("sn", 2, 304): 0.42,
    ("sn", 2, 305): 0.43,
    ("sn", 2, 306): 0.39,
    ("sn", 1, 304): 0.41,
}


def make_studied(template: Run, scores: dict = SCORES, **settings: object) -> list[Run]:
    """Return runs like `template` with these scores; `settings` are further ones of the model section."""
    return [
        replace(
            template,
            path=Path(f"{norm}-{images}-{seed}-{len(settings)}"),
            config={
                **template.config,
                "model": {"norm": norm, **settings},
                "train": {"images_per_device": images, "seed": seed, "steps": 800 // images},
            },
            single=replace(template.single, mean_iou_all_classes=score),
            multi=None,
        )
        for (norm, images, seed), score in scores.items()
    ]


@pytest.fixture
def template(run_folders) -> Run:
    return read_runs(run_folders)[0]


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


def test_only_seeds_that_both_have_are_paired():
    left, right = Sample({1: 0.5, 2: 0.6, 3: 0.7}), Sample({2: 0.5, 3: 0.5, 4: 0.5})
    assert left.minus(right).values == pytest.approx({2: 0.1, 3: 0.2})
    assert left.minus(Sample({9: 0.1})) is None


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


def test_runs_of_a_norm_with_other_settings_are_another_variant(template):
    sn = {key: score for key, score in SCORES.items() if key[0] == "sn"}
    runs = make_studied(template) + make_studied(template, sn, norm_init=0.9)
    study = collect_study(runs)
    assert study.variants == ["BN", "SN, norm_init default", "SN, norm_init 0.9"]
    assert len(study.cells["SN, norm_init 0.9", 2].values) == 3
    assert variant_titles(runs[:1]) == ["BN"]


def test_another_length_is_another_variant_and_recorders_are_not(template):
    first, *_ = make_studied(template, {("sn", 2, 304): 0.42})
    longer = replace(first, config={**first.config, "train": {**first.config["train"], "steps": 800}})
    assert variant_titles([first, longer]) == ["SN, steps 400", "SN, steps 800"]
    recorded = {"plugins": ["csv.py"], "train": {**first.config["train"], "recorders": ["csv"]}}
    assert variant_titles([first, replace(first, config={**first.config, **recorded})]) == ["SN", "SN"]


def test_the_same_run_twice_is_refused(template):
    runs = make_studied(template)
    with pytest.raises(UserError, match=r"^sn-2-305-0: other is SN with 2 images and seed 305 too; name one$"):
        collect_study([replace(runs[4], path=Path("other")), *runs])


def test_one_run_of_each_variant_stands_for_it(template):
    runs = make_studied(template)
    assert collect_study(runs).representatives() == [runs[0], runs[3]]
