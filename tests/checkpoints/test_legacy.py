import itertools

import pytest
import torch
from torch import Tensor

from switchseg.checkpoints.legacy import export_states, import_states, recognise
from switchseg.errors import UserError
from switchseg.models.create import create_model

SOURCES = ("encoder.pth", "decoder.pth")
DECODERS = ("c1", "c1_deepsup", "ppm", "ppm_deepsup", "upernet", "upernet_lite")
MIT_PAIRS = [
    *itertools.product(("resnet18dilated", "resnet50", "resnext101", "mobilenetv2dilated"), DECODERS),
    ("hrnetv2", "c1"),
    ("hrnetv2", "ppm"),
]


def meta_state(encoder: str, decoder: str, norm: str) -> dict[str, Tensor]:
    with torch.device("meta"):
        return create_model(encoder, decoder, norm, 7).state_dict()


@pytest.mark.parametrize(("encoder", "decoder"), MIT_PAIRS)
def test_keys_of_every_pair_of_mit_go_there_and_back(encoder: str, decoder: str) -> None:
    name = "resnet50s" if encoder == "resnet50" else encoder
    state = meta_state(name, decoder, "bn")
    files = export_states(state, decoder, "bn")
    layout = recognise(**files)
    assert (layout.name, layout.norm, layout.preprocessing) == ("mit", "bn", "rgb")
    assert layout.encoder_name(encoder) in (name, "resnet18s_dilated8")
    back, dropped = import_states(**files, wanted=state, decoder_name=decoder, layout=layout, sources=SOURCES)
    assert back.keys() == state.keys()
    assert not dropped


@pytest.mark.parametrize("norm", ["sn", "sn_in_ln"])
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("encoder", ["resnet50", "resnet50_dilated16", "resnet101_dilated8"])
def test_keys_and_shapes_of_every_pair_of_2018_go_there_and_back(encoder: str, decoder: str, norm: str) -> None:
    state = meta_state(encoder, decoder, norm)
    files = export_states(state, decoder, norm)
    layout = recognise(**files)
    assert (layout.name, layout.norm, layout.preprocessing) == ("2018", norm, "bgr")
    assert layout.encoder_name(encoder) == encoder
    assert files["encoder"]["layer1.0.sn2.weight"].shape == (1, 64, 1, 1)
    assert not any(key.endswith("num_batches_tracked") for key in files["encoder"])
    assert ("sn1.running_var" in files["encoder"]) == (norm == "sn")
    back, _ = import_states(**files, wanted=state, decoder_name=decoder, layout=layout, sources=SOURCES)
    assert {key: tensor.shape for key, tensor in back.items()} == {key: tensor.shape for key, tensor in state.items()}


@pytest.mark.parametrize(
    ("decoder", "keys"),
    [
        (
            "c1_deepsup",
            {"cbr.0.weight", "cbr.1.weight", "conv_last.bias", "cbr_deepsup.1.bias", "conv_last_deepsup.bias"},
        ),
        ("ppm_deepsup", {"ppm.3.1.weight", "ppm.3.2.running_var", "conv_last.0.weight", "conv_last.4.bias"}),
        (
            "upernet",
            {"ppm_conv.0.0.weight", "ppm_last_conv.1.bias", "fpn_in.2.0.weight", "fpn_out.2.0.1.weight"}
            | {"conv_last.0.0.weight", "conv_last.1.bias"},
        ),
    ],
)
def test_decoder_keys_are_those_of_the_code_bases(decoder: str, keys: set[str]) -> None:
    files = export_states(meta_state("resnet50_dilated8", decoder, "bn"), decoder, "bn")
    assert keys <= files["decoder"].keys()


@pytest.mark.parametrize(
    ("arch", "deep", "name"),
    [
        ("resnet50", False, "resnet50"),
        ("resnet50", True, "resnet50s"),
        ("resnet50dilated", True, "resnet50s_dilated8"),
        ("resnet50dilated", False, "resnet50_dilated8"),
        ("resnet101_dilated16", False, "resnet101_dilated16"),
        ("resnet18dilated", True, "resnet18s_dilated8"),
        ("hrnetv2", False, "hrnetv2"),
        ("resnext101", True, "resnext101"),
    ],
)
def test_the_stem_decides_what_a_name_means(arch: str, deep: bool, name: str) -> None:
    keys = {"bn1.running_mean": torch.ones(1)} | ({"conv3.weight": torch.ones(1)} if deep else {})
    assert recognise(keys, {"a.running_mean": torch.ones(1)}).encoder_name(arch) == name


def test_bookkeeping_of_mit_is_left_out_and_reported() -> None:
    state = meta_state("resnet18dilated", "c1", "bn")
    files = export_states(state, "c1", "bn")
    extra = {f"bn1.{name}": torch.ones(1) for name in ("_tmp_running_mean", "_tmp_running_var", "_running_iter")}
    encoder = {key: tensor for key, tensor in files["encoder"].items() if not key.endswith("num_batches_tracked")}
    layout = recognise(encoder | extra, files["decoder"])
    back, dropped = import_states(encoder | extra, files["decoder"], state, "c1", layout, SOURCES)
    assert sorted(dropped) == sorted(extra)
    assert back.keys() == state.keys()


def test_norms_that_took_the_place_of_batch_norm_go_back_to_mit() -> None:
    files = [export_states(meta_state("mobilenetv2dilated", "c1", norm), "c1", norm) for norm in ("bn", "syncbn")]
    assert files[0]["encoder"].keys() == files[1]["encoder"].keys()


def test_differences_name_the_file() -> None:
    state = meta_state("resnet18dilated", "c1", "bn")
    files = export_states(state, "c1", "bn")
    layout = recognise(**files)
    more = files["decoder"] | {"cbr_deepsup.0.weight": torch.ones(1)}
    with pytest.raises(UserError, match=r"decoder\.pth: .*1 unexpected: cbr_deepsup\.0\.weight"):
        import_states(files["encoder"], more, state, "c1", layout, SOURCES)
    less = {key: tensor for key, tensor in files["encoder"].items() if key != "layer1.0.conv1.weight"}
    with pytest.raises(UserError, match=r"encoder\.pth: .*1 missing: layer1\.0\.conv1\.weight"):
        import_states(less, files["decoder"], state, "c1", layout, SOURCES)


def test_files_of_neither_or_of_both_are_refused() -> None:
    bn, sn = {"bn1.running_mean": torch.ones(3)}, {"sn1.mean_weight": torch.ones(3)}
    with pytest.raises(UserError, match="the encoder file has neither"):
        recognise({"conv.weight": torch.ones(1)}, bn)
    with pytest.raises(UserError, match="the decoder file has neither"):
        recognise(bn, {"sn1.mean_weight": torch.ones(5)})
    with pytest.raises(UserError, match="the encoder file has bn norms and the decoder file sn; take a pair"):
        recognise(bn, sn)


def test_what_the_layouts_lack_is_refused() -> None:
    with pytest.raises(UserError, match="no place for decoder 'aspp'"):
        export_states(meta_state("resnet18", "aspp", "bn"), "aspp", "bn")
    with pytest.raises(UserError, match="norm 'gn': the 2018 layout holds sn"):
        export_states(meta_state("resnet18", "c1", "gn"), "c1", "gn")
    with pytest.raises(UserError, match="no place for an auxiliary head beside decoder 'upernet'"):
        export_states(meta_state("resnet18", "upernet_deepsup", "bn"), "upernet_deepsup", "bn")
