import pytest
import torch
from torch import nn

from switchseg.classes import Classes
from switchseg.errors import UserError
from switchseg.models.blocks import MapSizes
from switchseg.models.create import create_model
from switchseg.models.decoders import parse_decoder
from switchseg.norms import NORMS, SwitchNorm, SwitchNorm2d
from switchseg.preprocessing import BGR

RESNET50 = MapSizes((256, 512, 1024, 2048), (4, 8, 8, 8))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("c1_bilinear", 9_515_164),
        ("c1_bilinear_deepsup", 14_311_736),
        ("ppm_bilinear", 23_150_772),
        ("ppm_bilinear_deepsup", 27_947_344),
        ("upernet", 40_590_558),
    ],
)
def test_decoders_have_as_many_parameters_as_in_2018(name: str, parameters: int) -> None:
    with torch.device("meta"):
        model = create_model("resnet50_dilated8", name, "sn", 150)
    assert count(model) - count(model.encoder) == parameters


def test_encoder_has_as_many_parameters_as_in_2018() -> None:
    with torch.device("meta"):
        model = create_model("resnet50_dilated8", "c1", "sn")
    assert count(model.encoder) == 23_508_350
    assert len(list(model.encoder.parameters())) == 265


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("c1", ("c1", False)),
        ("c1_bilinear", ("c1", False)),
        ("c1_deepsup", ("c1", True)),
        ("ppm_bilinear_deepsup", ("ppm", True)),
        ("upernet_lite", ("upernet_lite", False)),
        ("segformer_deepsup", ("segformer", True)),
    ],
)
def test_a_decoder_has_the_names_of_2018_and_of_mit(name: str, parsed: tuple[str, bool]) -> None:
    assert parse_decoder(name) == parsed


def test_norms_sit_in_all_parts() -> None:
    for norm in NORMS:
        with torch.device("meta"):
            model = create_model("resnet18", "c1_deepsup", norm, 3)
        kind = type(NORMS[norm](8))
        parts = {name.split(".")[0] for name, module in model.named_modules() if type(module) is kind}
        assert parts == {"encoder", "decoder", "auxiliary"}, norm
        if norm not in ("bn", "syncbn"):
            assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())


class Own(nn.Module):
    """A norm that somebody wrote for maps of any channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean((2, 3), keepdim=True) + 1e-5) * self.scale


def test_a_norm_may_be_a_class_a_callable_or_one_that_was_registered() -> None:
    assert create_model("resnet18", "c1", SwitchNorm2d, 3).spec.norm == "sn"
    for norm in (Own, lambda channels: Own(channels)):
        model = create_model("resnet18", "c1", norm, 3)
        assert model(torch.randn(1, 3, 64, 64)).shape[:2] == (1, 3)
        assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
        assert sum(isinstance(module, Own) for module in model.modules()) == 21
        assert model.spec.norm.startswith(f"{__name__}.")
    NORMS["own"] = Own
    try:
        assert create_model("convnext_atto", "c1", "own", 3).spec.norm == "own"
    finally:
        del NORMS["own"]


@pytest.mark.parametrize("encoder", ["resnet18", "convnext_atto"])
def test_a_norm_for_other_inputs_is_refused_before_it_meets_any(encoder: str) -> None:
    with pytest.raises(UserError, match=r"torch\.nn\.modules\.normalization\.LayerNorm makes .* channels|layers that"):
        create_model(encoder, "c1", nn.LayerNorm, 3)
    with pytest.raises(UserError, match=r"makes no layer .*num_channels"):
        create_model(encoder, "c1", lambda channels: nn.GroupNorm(7, channels), 3)
    with pytest.raises(UserError, match="^norm must be a name"):
        create_model(encoder, "c1", Own(8), 3)


def test_norms_of_an_encoder_that_are_no_batch_norm_stay() -> None:
    model = create_model("mobilevit_xxs", "c1", "sn", 3).encoder
    assert any(isinstance(module, nn.LayerNorm) for module in model.modules())
    shvit = create_model("shvit_s1", "c1", "sn", 3).encoder
    kept = [type(module).__name__ for module in shvit.modules() if isinstance(module, nn.GroupNorm)]
    assert set(kept) == {"GroupNorm1"}


def test_conversion_keeps_the_activations_that_timm_puts_into_its_norms() -> None:
    images = torch.randn(2, 3, 64, 64)
    model = create_model("mobilenetv2dilated", "c1", "sn", 3)
    with torch.no_grad():
        assert model.encoder.stem(images).min() >= 0


def test_initialisation_is_that_of_2018() -> None:
    torch.manual_seed(0)
    model = create_model("resnet50", "ppm_deepsup", "sn", 9)
    last_gammas = [
        block.bn3.weight
        for name, block in model.encoder.named_modules()
        if name.endswith((".0", ".1")) and isinstance(getattr(block, "bn3", None), SwitchNorm)
    ]
    assert last_gammas
    assert not any(gamma.any() for gamma in last_gammas)
    convolution = model.decoder.block[0].weight
    assert abs(convolution.std().item() / (2 / convolution[0].numel()) ** 0.5 - 1) < 0.01


def test_the_option_wins_over_the_name() -> None:
    assert create_model("resnet18", "c1_deepsup", "bn", 2, auxiliary=False).auxiliary is None


def test_dropout_of_the_auxiliary_head_is_that_of_its_decoder() -> None:
    assert create_model("resnet18", "c1_deepsup", "bn", 2).auxiliary.dropout.p == 0
    assert create_model("resnet18", "ppm_deepsup", "bn", 2).auxiliary.dropout.p == 0.1


def test_classes_and_preprocessing_become_the_spec() -> None:
    classes = Classes.named(("road", "sky"))
    model = create_model("resnet18", "c1", "bn", classes=classes, preprocessing=BGR)
    assert (model.spec.classes, model.spec.preprocessing) == (classes, BGR)
    assert model.decoder.classify.out_channels == 2
    assert create_model("resnet18", "c1", "bn", 3).spec.classes == Classes.unnamed(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet19", "c1"), "encoder: there is no encoder 'resnet19'; did you mean resnet1"),
        (("zzz", "c1"), "encoder: there is no encoder 'zzz'; `switchseg models` lists"),
        (("hf-hub:somebody/else", "c1"), "encoder: 'hf-hub:somebody/else' is no name of an encoder"),
        (("resnet18", "c2"), "decoder: there is no decoder 'c2'; did you mean 'c1'"),
        (("resnet18", "c1", "batch"), "norm: there is no norm 'batch' (there are bn, "),
        (("resnet18", "c1", "bn", 0), "num_classes must be at least 1"),
        (("hrnetv2", "upernet"), "with it, take c1, ppm, aspp, segformer"),
        (("hrnetv2", "c1_deepsup"), "an auxiliary head needs 2 feature maps"),
        (("hrnetv2_dilated8", "c1"), "hrnet_w48 cannot be dilated"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: tuple, message: str) -> None:
    with torch.device("meta"), pytest.raises(UserError, match="^[^\n]*$") as caught:
        create_model(*arguments)
    assert message in str(caught.value)
