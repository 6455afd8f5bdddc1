"""Advice as text that can be pasted into dataset.yaml."""

import yaml

from switchseg.classes import Classes
from switchseg.data.advice import Advice, Reading, is_unnamed, yaml_line


def test_a_setting_is_one_line_of_yaml_that_reads_back():
    for value in ({0: 255, 7: 1}, [1, 2], "a: b", True, {"a": [1, 2]}):
        line = yaml_line("key", value)
        assert "\n" not in line
        assert yaml.safe_load(line) == {"key": value}


def test_all_readings_are_offered_and_then_the_remedy():
    first, second = Reading({"ignore": [3]}, "3 is void"), Reading({"reduce_zero_label": True}, "0 is void")
    advice = Advice("seen", (first, second), "Export them anew.")
    assert advice.setting == "ignore: [3]  # 3 is void\nor\nreduce_zero_label: true  # 0 is void\nor\nExport them anew."
    assert Advice("seen", remedy="Export them anew.").setting == "Export them anew."


def test_classes_are_unnamed_until_one_has_a_name():
    assert is_unnamed(Classes.unnamed(3))
    assert not is_unnamed(Classes.named(("road", "car")))
