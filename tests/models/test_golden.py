"""Whole networks against the numbers that the 2018 code and the MIT framework computed, in float64."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from switchseg.checkpoints import legacy
from switchseg.models.create import create_model
from switchseg.models.segmenter import Segmenter

CASE_2018 = "resnet50_dilated8-c1_bilinear_deepsup"
CASE_MIT = "mit-resnet50dilated-ppm_deepsup"


def legacy_states(golden: Path, case: str) -> dict[str, dict[str, Tensor]]:
    """Return the encoder and decoder files of a golden case, as weights.py would write them but in float64."""
    specification = importlib.util.spec_from_file_location("golden_weights", golden / "weights.py")
    weights = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(weights)
    manifest = json.loads((golden / f"{case}.json").read_text())
    return {
        part: {
            key: torch.zeros((), dtype=torch.long)
            if key.endswith("num_batches_tracked")
            else torch.from_numpy(weights.fill(f"{part}.{key}", shape)).float().double()
            for key, shape in shapes.items()
        }
        for part, shapes in manifest.items()
    }


def load(golden: Path, case: str, arch: tuple[str, str], num_classes: int = 13) -> tuple[Segmenter, legacy.Layout]:
    states = legacy_states(golden, case)
    layout = legacy.recognise(**states)
    model = create_model(layout.encoder_name(arch[0]), arch[1], layout.norm, num_classes).double()
    state, dropped = legacy.import_states(
        **states, wanted=model.state_dict(), decoder_name=arch[1], layout=layout, sources=("encoder", "decoder")
    )
    assert not dropped
    model.load_state_dict(state)
    return model, layout


@pytest.fixture(scope="module")
def model_2018(golden: Path) -> Segmenter:
    return load(golden, CASE_2018, ("resnet50_dilated8", "c1_bilinear_deepsup"))[0]


def probabilities(model: Segmenter, image: Tensor, size: tuple[int, int]) -> Tensor:
    with torch.no_grad():
        logits = model.eval()(image)
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False).softmax(1)


def test_evaluation_is_that_of_2018(golden: Path, model_2018: Segmenter) -> None:
    case = load_file(golden / f"{CASE_2018}.eval.safetensors")
    result = probabilities(model_2018, case["image"], case["probabilities"].shape[-2:])
    torch.testing.assert_close(result, case["probabilities"], rtol=0, atol=1e-9)


def test_evaluation_is_that_of_mit(golden: Path) -> None:
    model, layout = load(golden, CASE_MIT, ("resnet50dilated", "ppm_deepsup"))
    assert (layout.name, layout.norm, layout.deep_stem) == ("mit", "bn", True)
    case = load_file(golden / f"{CASE_MIT}.eval.safetensors")
    result = probabilities(model, case["image"], case["probabilities"].shape[-2:])
    torch.testing.assert_close(result, case["probabilities"], rtol=0, atol=1e-9)


def test_training_step_is_that_of_2018(golden: Path, model_2018: Segmenter) -> None:
    case = load_file(golden / f"{CASE_2018}.train.safetensors")
    model = model_2018.train()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    logits, auxiliary = model(case["image"])
    label = case["label"].long()
    loss = F.cross_entropy(logits, label, ignore_index=-1) + 0.4 * F.cross_entropy(auxiliary, label, ignore_index=-1)
    loss.backward()
    assert abs(loss.item() - case["loss"].item()) < 1e-9

    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    after = model.state_dict()
    checked = 0
    for part, theirs_of in legacy.legacy_keys(after, "c1_bilinear_deepsup", "2018").items():
        for ours, theirs in theirs_of.items():
            if f"gradnorm.{part}.{theirs}" in case:
                norm = case[f"gradnorm.{part}.{theirs}"]
                torch.testing.assert_close(gradients[ours].norm(), norm.reshape(()), rtol=1e-6, atol=0)
                checked += 1
            if f"grad.{part}.{theirs}" in case:
                expected = case[f"grad.{part}.{theirs}"].reshape(gradients[ours].shape)
                torch.testing.assert_close(gradients[ours], expected, rtol=1e-6, atol=1e-12)
            if f"after.{part}.{theirs}" in case:
                expected = case[f"after.{part}.{theirs}"].reshape(after[ours].shape)
                torch.testing.assert_close(after[ours], expected, rtol=1e-9, atol=1e-12)
    assert checked == len(gradients) == sum(key.startswith("gradnorm.") for key in case)
    model.load_state_dict(before)
