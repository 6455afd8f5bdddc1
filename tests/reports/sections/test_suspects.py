import json
from dataclasses import replace

import pytest

from switchseg.errors import UserError
from switchseg.reports.run_files import read_suspects
from switchseg.reports.runs import read_runs
from switchseg.reports.sections import suspects


def test_regions_come_with_pictures_and_lists(run_folders):
    *others, run = read_runs(run_folders)
    markup = suspects.section([*others, run])
    assert "2 regions in 2 of 5 images" in markup
    assert markup.count("<img") == 1
    assert "labelled car, looks like road" in markup
    assert markup.count("street_002") == 2  # a row of the regions and one of the images
    assert suspects.section(others) is None
    assert suspects.section([replace(run, suspects={**run.suspects, "regions": []})]) is None


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "suspects.json"
    path.write_text(json.dumps({"rule": "", "regions": [{"rank": 1}], "images": [], "images_searched": 1}))
    with pytest.raises(UserError, match="suspects.json: not a list of suspect regions"):
        read_suspects(path)
