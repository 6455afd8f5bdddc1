from dataclasses import replace

from switchseg.reports.runs import read_runs
from switchseg.reports.settings import differing


def test_settings_are_compared_under_dotted_keys(run_folders):
    first, second, _ = read_runs(run_folders)
    assert differing([first, second]) == {"model.norm": ["syncbn", "gn"]}
    more = replace(second, config={**first.config, "extra": {"a": [1, 2], "b": {}}})
    assert differing([first, more]) == {"extra.a": [None, [1, 2]], "extra.b": [None, {}]}
