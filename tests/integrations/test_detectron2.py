"""Without detectron2: that what its source asks for is there. Nothing more is known until it runs."""

from torch import nn

from switchseg.norms import MIXING, SwitchNorm2d
from tests.integrations.hosts import run_snippets


def test_a_callable_from_channels_and_overrides_by_the_parameters_own_names():
    names = run_snippets("detectron2")
    layer = names["switch_norm"](4)
    assert type(layer) is SwitchNorm2d
    assert layer.num_features == 4
    model = nn.Sequential(nn.Conv2d(3, 4, 3), layer)
    own = {name for module in model.modules() for name, _ in module.named_parameters(recurse=False)}
    assert names["MIXING_OVERRIDES"].keys() == own & set(MIXING)
