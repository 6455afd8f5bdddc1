from functools import partial

import pytest
import torch
from torch import nn

from switchseg.norms.factories import Factories, keeping_the_contract
from tests.norms.cases import ScaleNorm


@pytest.mark.parametrize(
    ("dims", "made"), [({2}, "one"), ({2, 3}, "one"), ({4}, "two"), ({5}, "three"), ({3, 4}, "any")]
)
def test_inputs_of_several_dimensions_get_the_maker_for_all(dims: set[int], made: str) -> None:
    factories = Factories(*(partial(nn.Identity, name) for name in Factories._fields))
    assert factories.for_inputs(dims) is getattr(factories, made)


def test_a_factory_that_takes_device_and_type_stays_what_it_is() -> None:
    for factory in (nn.BatchNorm2d, lambda channels, **options: nn.BatchNorm2d(channels, **options)):
        assert keeping_the_contract(factory) is factory


def test_what_another_factory_makes_is_moved() -> None:
    make = keeping_the_contract(ScaleNorm)
    layer = make(4, device="meta", dtype=torch.float64)
    assert isinstance(layer, ScaleNorm)
    assert (layer.gain.device.type, layer.gain.dtype) == ("meta", torch.float64)
    assert make(4).gain.dtype == torch.float32
