from dataclasses import replace

from switchseg.reports.variants import variant_titles
from tests.reports.make_runs import SCORES, make_studied


def test_runs_of_a_norm_with_other_settings_are_another_variant(template):
    sn = {key: score for key, score in SCORES.items() if key[0] == "sn"}
    runs = make_studied(template) + make_studied(template, sn, norm_init=0.9)
    assert list(dict.fromkeys(variant_titles(runs))) == ["BN", "SN, norm_init default", "SN, norm_init 0.9"]
    assert variant_titles(runs[:1]) == ["BN"]


def test_another_length_is_another_variant_and_recorders_are_not(template):
    first, *_ = make_studied(template, {("sn", 2, 304): 0.42})
    longer = replace(first, config={**first.config, "train": {**first.config["train"], "steps": 800}})
    assert variant_titles([first, longer]) == ["SN, steps 400", "SN, steps 800"]
    recorded = {"plugins": ["csv.py"], "train": {**first.config["train"], "recorders": ["csv"]}}
    assert variant_titles([first, replace(first, config={**first.config, **recorded})]) == ["SN", "SN"]
