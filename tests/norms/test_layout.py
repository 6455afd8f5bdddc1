"""State dicts of 2018 and ours."""

import pytest
import torch

from switchseg.norms import LONG_TRAINED, NORMS, from_2018, to_2018


@pytest.mark.parametrize("norm", ["sn", "sn_in_ln"])
def test_layers_go_to_2018_and_back(norm):
    layer = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), NORMS[norm](1))
    state = layer.state_dict()
    old = to_2018(state)
    assert old["1.weight"].shape == (1, 1, 1, 1)
    assert old["1.mean_weight"] is state["1.mean_weight"]
    assert old["0.weight"] is state["0.weight"]
    assert not any(key.endswith("num_batches_tracked") for key in old)
    from_2018(old, state)
    assert {key: tensor.shape for key, tensor in old.items()} == {key: tensor.shape for key, tensor in state.items()}
    assert old.get("1.num_batches_tracked", LONG_TRAINED) == LONG_TRAINED


def test_other_shapes_are_left_for_the_loader_to_refuse():
    wanted = NORMS["sn"](4).state_dict()
    state = {"weight": torch.ones(4, 1), "bias": torch.ones(1, 3, 1, 1)}
    from_2018(state, wanted)
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == {"weight": (4, 1), "bias": (1, 3, 1, 1)}


def test_files_load_whatever_the_default_device_is():
    layer = NORMS["sn"](4)
    old = to_2018(layer.state_dict())
    with torch.device("meta"):
        layer.load_state_dict(old)
    assert layer.num_batches_tracked == LONG_TRAINED
