import torch
from torch import nn

from switchseg.norms.specimens import evaluate, specimen, stand_ins, takes_inputs


def test_inputs_that_a_layer_takes():
    assert [dims for dims in (2, 3, 4, 5) if takes_inputs(nn.BatchNorm1d(4), 4, dims)] == [2, 3]
    assert not takes_inputs(nn.BatchNorm2d(4), 5, 4)
    assert not takes_inputs(nn.Conv2d(4, 5, 1), 4, 4)


def test_the_result_depends_on_no_weight_of_the_modules_own():
    layers = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1, device="meta")
    x = specimen(4, 4, layers[0])
    first, second = (evaluate(layer, stand_ins(layer), x) for layer in layers)
    assert first is not None
    assert torch.equal(first, second)


def test_a_module_is_left_as_it_was_and_its_hooks_see_nothing():
    seen = []
    layer = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(inplace=True)).train()
    layer[1].eval()
    layer.register_forward_hook(lambda *_: seen.append(1))
    x = specimen(4, 4, layer)
    before = x.clone()
    assert evaluate(layer, stand_ins(layer), x) is not None
    assert [part.training for part in layer.modules()] == [True, True, False]
    assert torch.equal(x, before)
    assert not seen


def test_what_cannot_be_run_gives_nothing():
    assert evaluate(nn.BatchNorm2d(5), stand_ins(nn.BatchNorm2d(5)), torch.zeros(3, 4, 2, 2)) is None
    assert evaluate(nn.Identity(), {}, torch.zeros(3)) is not None
