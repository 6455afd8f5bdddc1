"""The table of kinds, each of them at work."""

import ast
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from switchseg import norms
from switchseg.norms import KINDS, MIXING, NORMS, STATISTICS, SwitchNorm1d, find_kind, find_norm, takes_inputs
from switchseg.norms.recognise import recognise
from switchseg.reports.runs import norm_title
from tests.norms.cases import ScaleNorm


@pytest.mark.parametrize("name", NORMS)
def test_every_norm_trains(name):
    torch.manual_seed(0)
    layer = NORMS[name](6, device="cpu", dtype=torch.float64)
    x = torch.randn(2, 6, 5, 7, dtype=torch.float64, requires_grad=True)
    layer(x).pow(3).sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in layer.parameters())
    assert layer.eval()(x).shape == x.shape
    assert layer.weight.shape == layer.bias.shape == (6,)


@pytest.mark.parametrize("name", NORMS)
def test_every_norm_fits_a_timm_encoder(name):
    encoder = timm.create_model("resnet18", features_only=True, norm_layer=NORMS[name], output_stride=8)
    assert [feature.shape[-1] for feature in encoder(torch.randn(2, 3, 32, 32))] == [16, 8, 4, 4, 4]


@pytest.mark.parametrize("name", [name for name in NORMS if name not in ("bn", "syncbn")])
def test_every_norm_takes_one_pixel_of_one_image(name):
    """Where batch norm has nothing to average, torch refuses."""
    layer = NORMS[name](32)
    x = torch.randn(1, 32, 1, 1, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.isfinite().all()


def test_layers_for_other_dimensions():
    assert type(find_norm("sn", 1)(4)) is SwitchNorm1d
    assert type(find_norm("bn", 3)(4)) is nn.BatchNorm3d
    assert type(find_norm("bn")(4)) is nn.BatchNorm2d
    for kind in KINDS.values():
        for dims in (2, 3, 4, 5):
            layer = kind.factories.for_inputs({dims})(4)
            assert takes_inputs(layer, 4, dims), (kind.name, dims)


def test_kinds_of_a_family_keep_the_same_tensors():
    for family in {kind.family for kind in KINDS.values()}:
        states = [kind.factory(4).state_dict() for kind in KINDS.values() if kind.family == family]
        shapes = [{key: tensor.shape for key, tensor in state.items()} for state in states]
        assert all(shape == shapes[0] for shape in shapes)


def test_the_table_is_true():
    for kind in KINDS.values():
        layer = kind.factory(4)
        norm = recognise(layer.eval())
        assert kind.like_batch_norm == norm.tracks
        assert kind.mixes == len(getattr(layer, MIXING[0], ()))
        assert kind.is_batch_norm == isinstance(layer, nn.BatchNorm2d)


def test_titles_are_those_of_papers():
    """Names follow one rule, by which reports, which never load torch, write them."""
    titles = ["BN", "SyncBN", "GN", "IN", "LN", "SN", "SN (IN+LN)", "SyncSN", "SSN", "SyncSSN"]
    assert [norm_title(name) for name in KINDS] == titles
    assert norm_title("my_norm") == "MY_NORM"


# Where a name is the default of an option, what a command chooses, or paired with what another library calls it.
DEFAULTS = {"cli/compare.py", "cli/models.py", "models/config.py", "models/create.py", "norms/convert.py"}
CHOICES = {"engine/finetune/choose.py", "integrations/lightning.py", "integrations/mmengine.py", "cli/probe.py"}
CHOICES |= {f"engine/norm_choice/{name}.py" for name in ("candidate", "choice", "verdict")}
WITHOUT_TORCH = {"models/norm_names.py"}


def test_names_of_norms_stand_in_the_table_alone():
    source = Path(norms.__file__).parent.parent
    names = set(KINDS) - set(STATISTICS) - {"gn"}  # timm has weights of a ResNet with GroupNorm, under that name
    found = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert found <= DEFAULTS | CHOICES | WITHOUT_TORCH | {"norms/kinds.py"}


def test_the_gate_takes_names_classes_and_callables():
    assert find_kind("sn") is find_kind(SwitchNorm1d) is find_kind(KINDS["sn"]) is KINDS["sn"]
    assert find_kind(nn.BatchNorm2d).name == "bn"
    layer = find_kind(ScaleNorm).factory(4, device="meta", dtype=torch.float64)
    assert (layer.gain.device.type, layer.gain.dtype) == ("meta", torch.float64)
    assert find_kind(lambda channels: nn.GroupNorm(2, channels)).factory(4, dtype=torch.bfloat16).num_groups == 2
    assert find_kind(partial(nn.GroupNorm, 2)).factory(4, device="meta").weight.is_meta
    assert find_kind(ScaleNorm).name.endswith("cases.ScaleNorm")


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4), 3, None])
def test_what_makes_no_layers_is_refused_in_one_line(norm):
    with pytest.raises(TypeError, match=r"^norm must be a name \(bn, syncbn, .*\), a class or a callable"):
        find_kind(norm)


def test_unknown_names_list_the_known_ones():
    for find in (find_norm, find_kind):
        with pytest.raises(ValueError, match="unknown norm 'frn'; the norms are bn, syncbn, gn, in, ln, sn, sn_in_ln"):
            find("frn")


def test_needs_torch_alone():
    """With every other dependency hidden, the norms import and train."""
    code = """
import sys
for name in ("timm", "torchvision", "numpy", "safetensors", "cv2", "PIL", "yaml", "tyro", "rich"):
    sys.modules[name] = None
import torch
from switchseg.norms import SwitchNorm2d
SwitchNorm2d(4)(torch.randn(2, 4, 5, 5)).sum().backward()
foreign = [name for name in sys.modules if name.startswith("switchseg.") and not name.startswith("switchseg.norms")]
assert not foreign, foreign
assert "switchseg.norms.operator.kernels" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
