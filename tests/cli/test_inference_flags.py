import pytest

from switchseg.cli.inference_flags import ComputeFlags, LabelFlags
from switchseg.config.inference import RULES, Compute, Rule
from switchseg.errors import UserError


def test_a_flag_overrides_the_named_rule_and_a_named_rule_the_usual_one() -> None:
    usual = Rule(short_sides=(32,), flip=True)
    assert LabelFlags().resolve(usual) == usual
    assert LabelFlags(rule="mit").resolve(usual) == RULES["mit"]
    assert LabelFlags(rule="mit", short_sides=(64,)).resolve(usual) == Rule(short_sides=(64,), resize="pil")


def test_a_threshold_of_zero_is_one() -> None:
    assert LabelFlags(threshold=0.0).resolve(Rule()).threshold == 0.0


def test_flags_that_make_no_rule_are_refused() -> None:
    with pytest.raises(UserError, match="the stride must come with a window"):
        LabelFlags(stride=8).resolve(Rule())


def test_what_changes_the_speed_leaves_out_where_it_is_computed() -> None:
    assert ComputeFlags(device="cuda:1", images_per_batch=3).compute == Compute(images_per_batch=3)
