"""`switchseg bench norms`, at the smallest size, without its gate of parity tests."""

import pytest
import torch
from torch import nn

from benchmarks import norms
from switchseg.errors import UserError
from switchseg.models.encoders.timm_encoder import create_encoder


@pytest.mark.parametrize("shape", [(2, 32, 6, 5), (2, 32, 3, 4, 5)])
def test_rows_compare_every_norm_with_batch_norm(shape):
    options = norms.Arguments(threads=1, rounds=1, channels_last=len(shape) == 5)
    rows = norms._measure(options, shape)
    assert {(row["variant"], row["measure"]) for row in rows} == {
        (variant, name) for variant in [*norms.variants(), "floor"] for name in norms.PASSES
    }
    assert all(float(row["median"]) > 0 for row in rows)
    assert all(float(row["ratio"]) == 1 for row in rows if row["variant"] == "bn")


@pytest.mark.parametrize("encoder", ["resnet50_dilated8", "hrnetv2"])
def test_shapes_are_those_of_the_network(encoder):
    shapes = norms.norm_shapes(encoder, 2, (96, 128))
    with torch.device("meta"):
        norm_layers = [module for module in create_encoder(encoder).modules() if isinstance(module, nn.BatchNorm2d)]
    assert shapes.total() == len(norm_layers)
    assert all(shape[0] == 2 for shape in shapes)
    if encoder == "resnet50_dilated8":
        assert (2, 2048, 12, 16) in shapes


def test_shapes_are_those_of_a_volume():
    shapes = norms.volume_shapes(1, (32, 48, 48))
    assert shapes.total() == 18
    assert shapes[1, 32, 32, 48, 48] == 4
    assert shapes[1, 320, 2, 3, 3] == 2
    with pytest.raises(UserError, match="multiples of 16, not 32 48 40"):
        norms.volume_shapes(1, (32, 48, 40))


def test_a_red_test_means_no_number(monkeypatch, tmp_path):
    (tmp_path / "tests" / "norms" / "operator").mkdir(parents=True)
    for name in ("operator/test_call.py", "test_modules.py"):
        (tmp_path / "tests" / "norms" / name).write_text("def test_parity():\n    assert False\n")
    monkeypatch.setattr(norms, "_REPOSITORY", tmp_path)
    with pytest.raises(UserError, match=r"no measurement: the parity tests in tests/norms fail \(1 failed"):
        norms.run(["--no-save"])
