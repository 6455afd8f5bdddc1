from dataclasses import replace

from switchseg.reports.runs import read_runs
from switchseg.reports.settings import differing, written


def test_settings_are_compared_under_dotted_keys(run_folders):
    first, second, _ = read_runs(run_folders)
    assert differing([first, second]) == {"model.norm": ["syncbn", "gn"]}
    more = replace(second, config={**first.config, "extra": {"a": [1, 2], "b": {}}})
    assert differing([first, more]) == {"extra.a": [None, [1, 2]], "extra.b": [None, {}]}


def test_values_are_written_as_people_write_them():
    assert written([300, 375]) == "300, 375"
    assert written([{"name": "crop", "size": [64, 32]}, {"name": "flip"}]) == "crop size 64 32, flip"
