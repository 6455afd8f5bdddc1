import subprocess
import sys

import pytest

from switchseg.data.config import DataConfig
from switchseg.errors import UserError


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"pipeline": "crops"}, "data.pipeline: there is no pipeline 'crops'; did you mean 'crop'"),
        ({"on_error": "ignore"}, "data.on_error"),
        ({"decoder": "turbo"}, "data.decoder"),
        ({"resize": "cv2"}, "data.resize"),
        ({"short_sides": ()}, "data.short_sides: nothing"),
        ({"short_sides": (300, 0)}, "data.short_sides: 300 0"),
        ({"pad_multiple": 0}, "data.pad_multiple: 0"),
        ({"crop_scales": (2.0, 0.5)}, "data.crop_scales"),
        ({"crop_max_share": 1.5}, "data.crop_max_share"),
        ({"workers": -1}, "data.workers: -1"),
        ({"val_fraction": 0.25, "val_fold": 4}, "data.val_fold: 4; with data.val_fraction 0.25 it must be below 4"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, complaint):
    with pytest.raises(UserError, match=complaint):
        DataConfig(**settings)


def test_the_defaults_are_those_of_2018():
    config = DataConfig()
    assert (config.short_sides, config.max_long_side, config.pad_multiple) == ((300, 375, 450, 525, 600), 1000, 8)
    assert config.flip


def test_help_does_not_wait_for_torch():
    program = "import sys, switchseg.data.config; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
