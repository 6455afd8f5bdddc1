"""The names of norms without torch, and those that were added."""

import subprocess
import sys

import pytest

from switchseg.errors import UserError
from switchseg.models.config import ModelConfig
from switchseg.models.norm_names import NORM_NAMES
from switchseg.norms import KINDS, NORMS, GroupNorm, register_norm


def test_the_names_are_those_of_the_norms_before_and_after_these_are_imported() -> None:
    code = (
        "import sys; from switchseg.models.norm_names import NORM_NAMES; before = [*NORM_NAMES];"
        "assert len(NORM_NAMES) == len(before) and 'torch' not in sys.modules;"
        "from switchseg.norms import KINDS; assert before == [*NORM_NAMES] == [*KINDS], before;"
        "assert NORM_NAMES['sn'] is KINDS['sn']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_norm_that_was_added_is_a_name_for_configs() -> None:
    with pytest.raises(UserError, match=r"^model\.norm: there is no norm 'halves'"):
        ModelConfig(norm="halves")
    register_norm("halves", lambda channels: GroupNorm(2, channels))
    try:
        assert ModelConfig(norm="halves").norm in NORM_NAMES
        assert NORM_NAMES["halves"] is KINDS["halves"]
    finally:
        del NORMS["halves"]
