"""Exchanging the norms of models from timm, torchvision and smp."""

import copy
import warnings
from functools import partial

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
import torchvision
from torch import nn
from torch.nn.utils import parametrize, prune

from switchseg.norms import SwitchNorm1d, SwitchNorm2d, SwitchNorm3d, convert_norms, fuse_activations, norm_shares

MODELS = {
    "resnet50": lambda: timm.create_model("resnet50", num_classes=10),
    "mobilenetv3": lambda: timm.create_model("mobilenetv3_large_100", num_classes=10),
    "efficientnet": lambda: timm.create_model("efficientnet_b0", num_classes=10),
    "convnext": lambda: timm.create_model("convnext_tiny", num_classes=10),
    "deeplabv3": lambda: torchvision.models.segmentation.deeplabv3_resnet50(
        weights=None, weights_backbone=None, num_classes=5
    ),
    "unet": lambda: smp.Unet("resnet18", encoder_weights=None),
    "manet": lambda: smp.MAnet("resnet18", encoder_depth=3, decoder_channels=(32, 16, 8), encoder_weights=None),
}
# The norms that no BatchNorm had been, and that therefore cannot start like one.
WITHOUT_BATCH_NORM = {"convnext"}


def _output(model, x):
    result = model(x)
    return result["out"] if isinstance(result, dict) else result


@pytest.mark.parametrize("name", MODELS)
def test_converted_models_train(name):
    torch.manual_seed(0)
    model = MODELS[name]()
    before = dict(model.named_parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model = convert_norms(model, "sn").train()
    after = set(model.parameters())
    assert all(parameter in after for parameter in before.values())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert norm_shares(model)
    values = {key: parameter.detach().clone() for key, parameter in before.items()}
    output = _output(model, torch.randn(2, 3, 64, 64))
    output.square().mean().backward()
    optimizer.step()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)
    assert any(not torch.equal(parameter, values[key]) for key, parameter in before.items())


@pytest.mark.parametrize("name", [name for name in MODELS if name not in WITHOUT_BATCH_NORM])
def test_starting_as_batch_norm_keeps_the_evaluation_output(name):
    torch.manual_seed(0)
    # In float64: there are networks, MAnet among them, that make more than 1e-4 of float32's rounding.
    model = MODELS[name]().double()
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        model.train()
        _output(model, x + torch.randn_like(x))  # running statistics that are not those of x
        model.eval()
        expected = _output(model, x)
        found = _output(convert_norms(model, "sn", init="bn"), x)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def test_every_kind_of_norm_has_a_place():
    model = nn.Sequential(
        nn.BatchNorm1d(4),
        nn.BatchNorm3d(4),
        nn.InstanceNorm2d(4),
        nn.GroupNorm(2, 4, eps=0.1),
        nn.LayerNorm(4),
        nn.SyncBatchNorm(4),
        torchvision.models.convnext.LayerNorm2d(4),
    )
    converted = convert_norms(model, "sn")
    kinds = [SwitchNorm1d, SwitchNorm3d, SwitchNorm2d, SwitchNorm2d, nn.LayerNorm, SwitchNorm2d, SwitchNorm2d]
    assert [type(module) for module in converted] == kinds
    assert converted[3].eps == 0.1
    assert not converted[2].affine


def test_shared_modules_stay_shared():
    norm = nn.BatchNorm2d(4)
    model = nn.ModuleDict({"a": norm, "b": nn.Sequential(nn.Conv2d(4, 4, 1), norm)})
    convert_norms(model, "sn")
    assert model["a"] is model["b"][1]
    assert isinstance(model["a"], SwitchNorm2d)


def _moved(model, x):
    """Give a BN network parameters and running statistics that matter; return it and its evaluation output of `x`."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and tensor.dim() == 1:
            low = 0.5 if name.endswith(("weight", "var")) else -0.5
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + low)
    with torch.no_grad():
        return model.eval(), model(x)


class DetectronFrozenNorm(nn.Module):
    """As detectron2 has it: four buffers, no base class, another formula."""

    def __init__(self, num_features):
        super().__init__()
        self.num_features, self.eps = num_features, 1e-5
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.ones(num_features))

    def forward(self, x):
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


class SynchronizedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """As MIT and apex derive theirs: from the private base, with bookkeeping, for any input."""

    def __init__(self, num_features):
        super().__init__(num_features)
        self.register_buffer("_iterations", torch.ones(1))

    def _check_input_dim(self, x):
        pass


FOREIGN = {
    "torchvision frozen": lambda: torchvision.ops.FrozenBatchNorm2d(6),
    "detectron frozen": lambda: DetectronFrozenNorm(6),
    "timm frozen with activation": lambda: timm.layers.norm_act.FrozenBatchNormAct2d(6, act_layer=nn.SiLU),
    "timm with activation": lambda: timm.layers.BatchNormAct2d(6, drop_layer=nn.Dropout),
    "timm split": lambda: timm.layers.SplitBatchNorm2d(6),
    "synchronised": lambda: nn.SyncBatchNorm(6),
    "privately derived": lambda: SynchronizedBatchNorm(6),
    "instance norm that tracks": lambda: nn.InstanceNorm2d(6, affine=True, track_running_stats=True),
    "not affine": lambda: nn.BatchNorm2d(6, affine=False),
    "own eps": lambda: nn.BatchNorm2d(6, eps=0.5),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("to", ["sn", "syncbn", "ssn", "bn"])
def test_batch_norms_of_whatever_class_start_their_successor(name, to):
    x = torch.randn(2, 3, 7, 5)
    model, expected = _moved(nn.Sequential(nn.Conv2d(3, 6, 1), FOREIGN[name]()), x)
    parameters = {parameter for name, parameter in model.named_parameters() if "aux" not in name}
    found = convert_norms(model, to, init="bn")
    torch.testing.assert_close(found(x), expected, atol=1e-5, rtol=1e-5)
    assert parameters <= set(found.parameters())
    assert not any("Frozen" in type(module).__name__ for module in found.modules())
    found.train()(x).sum().backward()
    assert all(parameter.grad is not None for parameter in found.parameters())


@pytest.mark.parametrize("size", [(8,), (8, 9), (8, 9, 7), (8, 5, 6, 7)])
@pytest.mark.parametrize("make", [nn.SyncBatchNorm, lambda channels: nn.GroupNorm(2, channels), SynchronizedBatchNorm])
@pytest.mark.parametrize("to", ["sn", "bn", "gn", "ssn"])
def test_the_new_layer_takes_what_the_old_one_took(make, size, to):
    x = torch.randn(4, *size)
    layer = convert_norms(make(8), to)
    assert layer(x).shape == x.shape


def test_layers_for_other_dimensions_fail_before_the_model_changes():
    model = nn.Sequential(nn.Conv1d(3, 8, 3), nn.BatchNorm1d(8), nn.Conv1d(8, 8, 3), nn.GroupNorm(2, 8))
    with pytest.raises(TypeError, match=r"^1: torch.*BatchNorm2d makes .* inputs of \d dimensions as the BatchNorm1d"):
        convert_norms(model, partial(nn.BatchNorm2d, eps=1e-3))
    assert [type(module) for module in model[1::2]] == [nn.BatchNorm1d, nn.GroupNorm]
    images = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8))  # a GroupNorm takes anything, this model does not
    assert type(convert_norms(images, partial(nn.BatchNorm2d, eps=1e-3))[1]) is nn.BatchNorm2d


@pytest.mark.parametrize(
    ("to", "init", "message"),
    [
        (nn.LayerNorm, "uniform", "LayerNorm for 8 channels, which cannot normalize inputs of 4 dimensions"),
        (lambda channels: nn.GroupNorm(3, channels), "uniform", "makes no layer for 8 channels .*divisible"),
        ("gn", "bn", "2: init='bn' needs running statistics"),
        ("sn", 0.9, "3: init=0.9 needs running statistics"),
    ],
)
def test_a_conversion_that_fails_changes_nothing(to, init, message):
    model = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.ReLU(), nn.BatchNorm2d(8), nn.BatchNorm2d(8, track_running_stats=False)
    ).eval()
    model[2].train()
    before, state = list(model.modules()), copy.deepcopy(model.state_dict())
    with pytest.raises((TypeError, ValueError), match=message):
        convert_norms(model, to, init)
    assert list(model.modules()) == before
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model] == [False, False, True, False]


def test_who_is_told_may_still_refuse():
    model = nn.Sequential(nn.BatchNorm2d(4), _Odd(4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="but not 1 "):
            convert_norms(model)
    assert type(model[0]) is nn.BatchNorm2d


def test_a_batch_norm_of_another_class_goes_on_with_its_statistics():
    x = torch.randn(2, 3, 4, 4)
    model, expected = _moved(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, momentum=0.5)), x)
    for to in (timm.layers.BatchNormAct2d, nn.SyncBatchNorm, "syncbn", "bn"):
        found = convert_norms(copy.deepcopy(model), to)
        torch.testing.assert_close(found(x), expected.relu() if to is timm.layers.BatchNormAct2d else expected)
        assert found[1].momentum == 0.5


def test_frozen_norms_may_be_the_goal_too():
    x = torch.randn(2, 3, 4, 4)
    model, expected = _moved(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), x)
    found = convert_norms(model, torchvision.ops.FrozenBatchNorm2d)
    torch.testing.assert_close(found(x), expected)
    assert not list(found[1].parameters())


class _Keeping(nn.Module):
    """Keeps its norms in every way there is."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleDict({"first": nn.BatchNorm2d(4), "second": nn.BatchNorm2d(4)})
        self.pair = (nn.Conv2d(3, 4, 1), self.norms["first"])
        self.lists = {"all": [[self.norms["second"]]]}
        self.conv = self.pair[0]
        self.lists["itself"] = self.lists

    def forward(self, x):
        return self.lists["all"][0][0](self.pair[1](self.conv(x)))


def test_norms_are_exchanged_wherever_the_model_keeps_them():
    model = convert_norms(_Keeping())
    assert type(model.pair[1]) is SwitchNorm2d
    assert model.pair[1] is model.norms["first"]
    assert model.lists["all"][0][0] is model.norms["second"]
    model(torch.randn(2, 3, 4, 4)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_tied_parameters_stay_tied():
    first, second = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
    second.weight = first.weight
    model = convert_norms(nn.Sequential(first, second))
    assert model[0].weight is model[1].weight is first.weight
    assert model[0].mean_weight is not model[1].mean_weight


def test_models_without_storage_are_converted_alike():
    """The directory of a model is loaded that way: which norms are exchanged may not depend on weights."""
    models = []
    for device in ("meta", "cpu"):
        with torch.device(device):
            models.append(convert_norms(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), "sn", init="bn"))
    assert models[0][1].running_mean.is_meta
    assert models[0].state_dict().keys() == models[1].state_dict().keys()
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.InstanceNorm2d(4))
    with torch.device("meta"):
        assert not any(parameter.is_meta for parameter in convert_norms(model).parameters())


def test_hooks_and_random_numbers_do_not_notice():
    seen = []
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    model[1].register_forward_hook(lambda *call: seen.append(call))
    state = torch.get_rng_state()
    convert_norms(model)
    assert not seen
    assert torch.equal(torch.get_rng_state(), state)


def test_layer_norms_of_transformers_stay_and_are_named():
    model = timm.create_model("mobilevit_xxs", num_classes=3)
    told = []
    convert_norms(model, "sn", report=told.append)
    (conversion,) = told
    layer_norms = {path for path, module in model.named_modules() if isinstance(module, nn.LayerNorm)}
    assert layer_norms
    assert set(conversion.left) == layer_norms
    assert set(conversion.left.values()) == {"LayerNorm: it normalizes the last dimensions"}
    assert len(conversion.converted) == len(norm_shares(model)) > 20
    assert not conversion.missed


def test_only_batch_norms_start_as_batch_norms():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4))
    x = torch.randn(2, 3, 5, 5)
    model, expected = _moved(model, x)
    message = r"^1 norm exchanged for sn, but not 2 \(GroupNorm: it is no BatchNorm, .*\); 3 \(InstanceNorm2d: "
    with pytest.warns(UserWarning, match=message):
        converted = convert_norms(copy.deepcopy(model), "sn", init="bn")
    torch.testing.assert_close(converted(x), expected, atol=1e-5, rtol=1e-5)
    converted = convert_norms(model, "sn", batch_norms_only=True)  # as one asked for: no warning
    assert [type(module) for module in converted[1:]] == [SwitchNorm2d, nn.GroupNorm, nn.InstanceNorm2d]


def test_norms_of_fused_blocks_keep_the_shortcut():
    model = timm.create_model("resnet18", num_classes=3)
    fuse_activations(convert_norms(model, "sn"))
    x = torch.randn(2, 3, 32, 32)
    with pytest.warns(
        UserWarning, match=r"4 norms exchanged for gn, but not layer1.0.bn1, .*\(.*convert before that\)"
    ):
        mixed = convert_norms(copy.deepcopy(model), "gn")
    assert mixed(x).shape == (2, 3)
    assert convert_norms(model, "syncsn")(x).shape == (2, 3)


class _Odd(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x).tanh()


def _parametrized():
    layer = nn.BatchNorm2d(4)
    parametrize.register_parametrization(layer, "weight", nn.Softplus())
    return layer


def _pruned():
    layer = nn.BatchNorm2d(4)
    prune.l1_unstructured(layer, "weight", 1)
    return layer


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (_Odd(4), "_Odd: it computes something else"),
        (_parametrized(), "its parameters are computed"),
        (_pruned(), "its parameters are computed"),
        (nn.LazyBatchNorm2d(), "it has seen no input yet"),
        (nn.RMSNorm(4), "RMSNorm: it computes something else"),
        (nn.LayerNorm([4, 5, 5]), "it normalizes the last dimensions"),
    ],
)
def test_what_cannot_be_exchanged_is_named_and_left(layer, reason):
    model = nn.Sequential(nn.ReLU(), layer)
    with pytest.warns(UserWarning, match=rf"^no norm was exchanged for sn: 1 \(.*{reason}"):
        convert_norms(model, "sn")
    assert model[1] is layer


def test_a_model_without_norms_is_told():
    with pytest.warns(UserWarning, match="^no norm was exchanged for sn: the model has none$"):
        convert_norms(nn.Sequential(nn.Linear(3, 3)), "sn")


def test_mistakes_are_named():
    model = nn.Sequential(nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match="unknown norm 'batch'; the norms are bn, syncbn"):
        convert_norms(model, "batch")
    with pytest.raises(ValueError, match="init must be 'uniform', 'bn' or a share"):
        convert_norms(model, "sn", init="best")
    with pytest.raises(ValueError, match="0: init='bn' needs running statistics"):
        convert_norms(model, "sn_in_ln", init="bn")
    assert type(model[0]) is nn.BatchNorm2d
