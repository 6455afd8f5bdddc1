"""Every target and every decoder: what is written says what the model says."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from switchseg.errors import UserError
from switchseg.export import TARGETS, onnx, parity, program
from switchseg.export.network import Deployed, Interface
from switchseg.export.onnx import session
from switchseg.export.trace import trace
from switchseg.models.create import create_model
from switchseg.models.segmenter import Segmenter
from tests.models.encoders.test_any_size import FAMILIES

NOT_EXPORTED = "edgenext_xx_small"
"""Its positions are counted by cumulative sums, whose sizes torch.export does not follow."""
EXPORTED = [name for name in FAMILIES if name != NOT_EXPORTED]


def network(decoder: str = "c1", norm: str = "sn", encoder: str = "resnet18", **interface: object) -> Deployed:
    torch.manual_seed(0)
    model = create_model(encoder, decoder, norm, num_classes=7)
    lively(model)
    return Deployed(model.eval(), Interface(**interface))  # type: ignore[arg-type]


def lively(model: Segmenter) -> None:
    """Give the norms other values than those they start with, so that nothing cancels."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.ndim == 1 and tensor.is_floating_point():
            with torch.no_grad():
                tensor += 0.3 * torch.rand_like(tensor) * (1 if "var" in name or "weight" in name else -1)


def check_onnx(path: Path, net: Deployed) -> None:
    """Three sizes that the export has not seen, in onnxruntime: labels equal on 99.99 % of the pixels."""
    opened = session(path)
    for size in ((1, 3, 96, 224), (3, 3, 152, 104), (1, 3, 304, 400)):
        images = net.example(size, seed=9)
        with torch.inference_mode():
            expected = net(images).numpy()
        found = opened.run(None, {"images": images.numpy()})[0]
        assert found.dtype == expected.dtype
        if net.interface.output != "labels":
            np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
            found, expected = found.argmax(1), expected.argmax(1)
        assert (found == expected).mean() >= 0.9999


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_onnx_of_the_plain_interface(tmp_path: Path) -> None:
    net = network()
    report = TARGETS["onnx"](net, tmp_path / "model.onnx")
    assert report.agreement >= 0.9999
    check_onnx(tmp_path / "model.onnx", net)
    opened = session(tmp_path / "model.onnx")
    assert opened.get_inputs()[0].shape == ["batch", 3, "height", "width"]
    assert opened.get_outputs()[0].name == "logits"
    description = json.loads(opened.get_modelmeta().custom_metadata_map["switchseg"])
    assert len(description["classes"]) == 7
    assert description["input"] == "normalized float32"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("decoder", "encoder"),
    [
        ("c1_deepsup", "resnet18"),
        ("ppm", "resnet18_dilated8"),
        ("upernet_lite", "resnet18_dilated8"),
        ("upernet", "resnet18"),
    ],
)
def test_onnx_of_every_decoder_of_2018(tmp_path: Path, decoder: str, encoder: str) -> None:
    net = network(decoder, encoder=encoder, output="probabilities")
    TARGETS["onnx"](net, tmp_path / "model.onnx")
    check_onnx(tmp_path / "model.onnx", net)


def test_pt2_runs_on_other_sizes(tmp_path: Path) -> None:
    net = network("ppm", "gn", preprocess=True, output="labels")
    report = TARGETS["pt2"](net, tmp_path / "model.pt2")
    assert report.agreement >= 0.9999
    extra = {"switchseg.json": ""}
    loaded = torch.export.load(tmp_path / "model.pt2", extra_files=extra).module()
    images = net.example((1, 3, 96, 224), seed=9)
    labels = loaded(images)
    assert labels.dtype == torch.uint8
    assert (labels == net(images)).float().mean() >= 0.9999
    assert json.loads(extra["switchseg.json"])["output"] == "labels"


def test_folding_leaves_the_model_as_it_was_and_changes_nothing_but_rounding() -> None:
    torch.manual_seed(0)
    model = create_model("resnet18", "c1", "bn", num_classes=7)
    lively(model)
    model.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    folded = Deployed(model, Interface())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.network.encoder.modules())
    images = folded.example()
    with torch.inference_mode():
        torch.testing.assert_close(folded(images), model(images), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_the_model_and_what_runs_elsewhere_agree_on_labels_and_probabilities() -> None:
    model = network().network
    images = Deployed(model, Interface(preprocess=True)).example()
    with torch.inference_mode():
        probabilities = Deployed(model, Interface(preprocess=True, output="probabilities"))(images)
        labels = Deployed(model, Interface(preprocess=True, output="labels"))(images)
        logits = Deployed(model, Interface())(model.spec.preprocessing.normalize(images))
    torch.testing.assert_close(probabilities.sum(1), torch.ones(len(images), *images.shape[-2:]))
    assert torch.equal(probabilities.argmax(1).to(torch.uint8), labels)
    upsampled = torch.nn.functional.interpolate(logits, size=images.shape[-2:], mode="bilinear")
    torch.testing.assert_close(upsampled.softmax(1), probabilities)


def test_a_file_that_disagrees_is_not_accepted() -> None:
    net = network()

    def wrong(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return net(torch.from_numpy(images)).numpy()[:, ::-1].copy()

    with pytest.raises(UserError, match=r"^model\.onnx was not written: it does not agree with the model"):
        parity.require(parity.compare(net, wrong), "model.onnx")
    with pytest.raises(UserError, match="returns the shape"):
        parity.compare(net, lambda images: images)


def test_values_that_are_not_numbers_are_not_accepted() -> None:
    net = network()

    def broken(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return net(torch.from_numpy(images)).numpy() * np.float32("nan")

    with pytest.raises(UserError, match="does not agree"):
        parity.require(parity.compare(net, broken), "model.onnx")


def check_deepest_maps(net: Deployed, sides: tuple[int, ...]) -> None:
    """Both files' output is the model's where the deepest maps have so many cells a side, and below a whole cell."""
    stride = max(net.network.encoder.maps.strides)
    traced = trace(net)
    # In this order: the program is changed for a .pt2 file.
    files = {"onnx": onnx.runner(onnx.to_onnx(net, traced)), "pt2": program.runner(program.to_pt2(net, traced))}
    squares = sorted({*(side * stride for side in sides), 1, 8, 32})
    for height, width in (*((side, side) for side in squares), (33, 97)):
        images = net.example((1, 3, height, width), seed=3)
        with torch.inference_mode():
            expected = net(images).numpy()
        assert np.isfinite(expected).all()
        for kind, run in files.items():
            found, atol = run(images.numpy()), 1e-3 * np.abs(expected).max()
            np.testing.assert_allclose(found, expected, atol=atol, err_msg=f"{kind} at {height}x{width}")


@pytest.mark.parametrize("norm", [pytest.param("sn", marks=pytest.mark.slow), "gn"])
def test_small_maps_say_what_the_model_says(norm: str) -> None:
    check_deepest_maps(network("ppm", norm), (1, 8))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("norm", "decoder"),
    [
        *((norm, "aspp") for norm in ("sn", "sn_in_ln", "ssn", "gn", "in", "ln", "bn", "syncsn")),
        *(("sn", decoder) for decoder in ("upernet_lite", "segformer", "deeplabv3plus", "unet", "linear")),
    ],
)
def test_small_maps_with_every_norm_and_decoder(norm: str, decoder: str) -> None:
    check_deepest_maps(network(decoder, norm), (1, 8))


# Maps and paddings are the encoder's affair, and with BatchNorm, which is folded into the convolutions, a program has a
# tenth of the operators. With SN, all take an hour: SWITCHSEG_EVERY=1 pytest -m slow tests/export -k families
EVERY = "SWITCHSEG_EVERY" in os.environ
WITH_SN = EXPORTED if EVERY else ["resnet18", "mobilevit_xxs", "maxvit_pico_rw_256"]
NETWORKS = [*(("bn", name) for name in EXPORTED), *(("sn", name) for name in WITH_SN)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("norm", "encoder"), NETWORKS)
def test_families_of_encoders_at_every_size(norm: str, encoder: str) -> None:
    check_deepest_maps(network("c1", norm, encoder), (1, 8, 32) if EVERY else (1, 8))


def rounding(function: Callable[[float], int]) -> Deployed:
    """Return a network that stretches images to a height that is `function` of a quarter of theirs, times four."""

    class Stretch(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            height, width = images.shape[-2:]
            return torch.nn.functional.interpolate(images, size=(function(height / 4) * 4, width), mode="bilinear")

    net = network(norm="bn")
    net.network.encoder.body.conv1 = torch.nn.Sequential(Stretch(), net.network.encoder.body.conv1)
    return net


def test_sizes_that_are_rounded_up_can_be_written() -> None:
    net = rounding(math.ceil)
    run = program.runner(program.to_pt2(net, trace(net)))
    for height in (1, 31, 64):
        images = net.example((1, 3, height, 40), seed=3)
        with torch.inference_mode():
            np.testing.assert_allclose(run(images.numpy()), net(images).numpy(), rtol=1e-5, atol=1e-5)


def test_a_program_that_torch_cannot_write_is_refused() -> None:
    net = rounding(lambda quarter: math.floor(quarter) + 1)
    with pytest.raises(UserError, match=r"^encoder 'resnet18' with decoder 'c1' cannot be exported \(") as caught:
        program.to_pt2(net, trace(net))
    assert "\n" not in str(caught.value)


def test_the_family_that_torch_cannot_trace_is_refused() -> None:
    with pytest.raises(UserError, match=f"^encoder '{NOT_EXPORTED}' with decoder 'c1' cannot be exported"):
        trace(network(encoder=NOT_EXPORTED))
