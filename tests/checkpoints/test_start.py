import dataclasses
from pathlib import Path

import pytest
import torch

from switchseg.checkpoints.model_directory import save_model
from switchseg.checkpoints.start import start_model
from switchseg.classes import Classes
from switchseg.errors import UserError
from switchseg.models.config import ModelConfig
from switchseg.models.create import create_model
from switchseg.norms import SwitchNorm, norm_shares
from switchseg.preprocessing import BGR

CLASSES = Classes.named(("road", "sky", "tree"))
CONFIG = ModelConfig(encoder="resnet18_dilated8", decoder="c1_deepsup", norm="bn")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = create_model("resnet18_dilated8", "c1_deepsup", "bn", classes=CLASSES)
    for _ in range(3):
        model(torch.randn(2, 3, 64, 64))
    save_model(model, tmp_path_factory.mktemp("trained"))
    return tmp_path_factory.getbasetemp() / "trained0"


def start(trained: Path, classes: Classes = CLASSES, **changes: object) -> tuple:
    told: list[str] = []
    config = dataclasses.replace(CONFIG, pretrained=str(trained), **changes)
    return start_model(config, classes, told.append), told


def test_without_pretrained_weights_it_is_create_model() -> None:
    model = start_model(dataclasses.replace(CONFIG, preprocessing="bgr", auxiliary=False), CLASSES)
    assert model.spec.preprocessing == BGR
    assert model.spec.classes == CLASSES
    assert model.training
    assert model.auxiliary is None


def test_a_trained_model_goes_on(trained: Path) -> None:
    model, told = start(trained)
    assert not told
    assert model.training
    assert model.encoder.body.bn1.num_batches_tracked == 3


@pytest.mark.parametrize("norm", ["sn", "syncsn"])
def test_statistics_of_a_mixture_become_those_of_the_new_training(norm: str, tmp_path: Path) -> None:
    x = torch.randn(2, 3, 64, 64)
    old = create_model("resnet18_dilated8", "c1_deepsup", "sn", classes=CLASSES)
    old(x)
    save_model(old, tmp_path)
    model, _ = start(tmp_path, norm="sn")
    torch.testing.assert_close(model.eval()(x), old.eval()(x))
    model, _ = start(tmp_path, norm=norm)
    assert {int(layer.num_batches_tracked) for layer in model.modules() if isinstance(layer, SwitchNorm)} == {0}


def test_other_classes_need_a_request_and_change_the_last_layers_only(trained: Path) -> None:
    two = Classes.named(("a", "b"))
    with pytest.raises(UserError, match=r"has 3 classes, the data set 2; pass --model\.reset-head"):
        start(trained, two)
    model, told = start(trained, two, reset_head=True)
    assert told == [f"{trained}: the last layers begin at random, for 2 classes; all other weights are taken over"]
    old = start(trained)[0].state_dict()
    fresh = {key for key, tensor in model.state_dict().items() if not torch.equal(tensor, old[key])}
    assert fresh == {f"{part}.classify.{leaf}" for part in ("decoder", "auxiliary") for leaf in ("weight", "bias")}
    assert model.spec.classes == two


@pytest.mark.parametrize("norm", ["sn", "syncsn", "syncbn"])
def test_a_batch_norm_model_goes_on_with_another_norm(norm: str, trained: Path) -> None:
    image = torch.randn(1, 3, 64, 64)
    model, told = start(trained, norm=norm)
    with torch.no_grad():
        expected = start(trained)[0].eval()(image)
        torch.testing.assert_close(model.eval()(image), expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())
    assert told == [f"{trained}: its bn norms are now {norm} and begin with the same output"]
    assert model.spec.norm == norm


def test_mixtures_begin_at_the_share_that_is_asked_for(trained: Path) -> None:
    model, told = start(trained, norm="sn", norm_init=0.9)
    assert all(each["mean"]["bn"] == pytest.approx(0.9) for each in norm_shares(model).values())
    assert told == [f"{trained}: its bn norms are now sn and begin at model.norm_init 0.9"]


def test_a_norm_that_cannot_be_reached_is_told(trained: Path) -> None:
    with pytest.raises(UserError, match="its bn norms cannot become gn; take"):
        start(trained, norm="gn")
    with pytest.raises(UserError, match=r"there is no norm 'frn'.*\(there are bn, "):
        start(trained, norm="frn")


def test_the_auxiliary_head_comes_and_goes(trained: Path) -> None:
    model, told = start(trained, auxiliary=False)
    assert model.auxiliary is None
    assert "no auxiliary head any more" in told[0]
    assert not model.spec.auxiliary


def test_another_architecture_or_input_is_told(trained: Path) -> None:
    with pytest.raises(UserError, match=r"is resnet18_dilated8 \+ c1_deepsup, but the config asks for resnet18"):
        start(trained, encoder="resnet18")
    with pytest.raises(UserError, match="was trained on rgb input, but model.preprocessing is bgr"):
        start(trained, preprocessing="bgr")


def test_classes_in_another_order_are_refused_and_other_names_told(trained: Path) -> None:
    names = start(trained)[0].spec.classes.names
    with pytest.raises(UserError, match="has another number in the data set; .*--model.reset-head"):
        start(trained, Classes.named(names[::-1]))
    assert start(trained, Classes.named(names[::-1]), reset_head=True)[0].spec.classes.names == names[::-1]
    model, told = start(trained, Classes.named(("x", *names[1:])))
    assert told == [f"{trained}: its classes get other names, from class 0 on ({names[0]!r} becomes 'x')"]
    assert model.spec.classes.names == ("x", *names[1:])
