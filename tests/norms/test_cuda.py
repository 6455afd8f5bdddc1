"""The Triton kernels: interpreted and compiled without a device, and on a device where there is one."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from switchseg.norms import SwitchNorm2d, SyncSwitchNorm2d
from tests.norms.cases import SUBSETS, arguments, assert_same, run

on_device = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("flags", [(), pytest.param(("--all",), marks=pytest.mark.slow)])
def test_interpreted_kernels_equal_the_cpu(flags):
    pytest.importorskip("triton")
    script = Path(__file__).with_name("interpreted_kernels.py")
    subprocess.run([sys.executable, "-W", "ignore", script, *flags], check=True)


FLOAT_INPUTS = {"x", "y", "grad", "grad_x", "residual", "rectified", "masked"}
INTEGERS = {"rows", "images", "channels", "length", "span", "splits"}


@pytest.mark.parametrize(
    ("dtype", "channels_last", "block_r", "block_l", "ones"),
    [
        ("fp32", False, 2, 1024, ()),
        ("bf16", True, 64, 32, ()),
        ("fp16", False, 32, 64, ("splits",)),
        ("fp32", False, 1024, 1, ("length", "splits", "images")),  # Triton compiles integers that are 1 as constants
    ],
)
def test_kernels_compile_for_hopper(dtype, channels_last, block_r, block_l, ones, tmp_path, monkeypatch):
    triton = pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from switchseg.norms import kernels

    def compiled(name, absent=(), **constants):
        kernel = getattr(kernels, name)
        constants |= dict.fromkeys(absent) | {one: 1 for one in ones if one in kernel.arg_names}
        kinds = dict.fromkeys(INTEGERS, "i32") | dict.fromkeys(FLOAT_INPUTS, f"*{dtype}") | {"eps": "fp32"}
        signature = {
            argument: "constexpr" if argument in constants else kinds.get(argument, "*fp32")
            for argument in kernel.arg_names
        }
        return triton.compile(ASTSource(kernel, signature, constants), target=GPUTarget("cuda", 90, 32)).asm["ptx"]

    tile = {"CHANNELS_LAST": channels_last, "BLOCK_R": block_r, "BLOCK_L": block_l}
    everything, bn_only = {"IN": 0, "LN": 1, "BN": 2}, {"IN": -1, "LN": -1, "BN": 0}
    assert compiled("moments", **tile)
    assert compiled("merge", BLOCK=256)
    assert compiled("apply", **tile, **everything, RELU=True)
    assert compiled("apply", ("residual", "weight", "bias"), **tile, **bn_only, RELU=False)
    assert compiled("sums", **tile)
    assert compiled("sums", ("rectified", "masked"), **tile)
    assert compiled("merge_gradients", LN=1, BN=2, BLOCK=256)
    assert compiled("merge_gradients", ("weight",), LN=-1, BN=-1, BLOCK=256)
    assert compiled("gradient", **tile, **everything)
    assert compiled("gradient", ("weight",), **tile, **bn_only)


def _to(device, values):
    return {name: None if value is None else value.to(device) for name, value in values.items()}


@on_device
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(2, 64, 56, 57), (2, 130, 1, 1), (1, 256, 7, 7), (4, 3, 224, 224), (3, 2048, 3, 5)])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 2e-2), (torch.float16, 3e-3)], ids=str
)
def test_device_equals_reference(dtype, tolerance, shape, order):
    for statistics in SUBSETS:
        for evaluation, activation in ((False, None), (True, "relu")):
            values = arguments(shape, statistics, dtype, evaluation, residual=activation is not None)
            grad = torch.randn(shape).to(dtype)
            options = {"statistics": statistics, "activation": activation}
            wide = _to("cuda", {name: None if value is None else value.double() for name, value in values.items()})
            expected = run(wide, grad.cuda().double(), backend="reference", **options)
            values = _to("cuda", values)
            values["x"] = values["x"].to(memory_format=order)
            found = run(values, grad.cuda(), backend="fused", **options)
            for name, value in expected.items():
                scale = max(1.0, value.abs().max().item()) if value.numel() else 1.0
                found[name], expected[name] = found[name].double() / scale, value / scale
            assert_same(found, expected, atol=tolerance, rtol=tolerance)


@on_device
def test_device_large_mean():
    x = 1000 + 0.01 * torch.randn(2, 6, 64, 64, device="cuda")
    y = SwitchNorm2d(6, device="cuda", eps=1e-9)(x)
    expected = SwitchNorm2d(6, device="cuda", dtype=torch.float64, eps=1e-9)(x.double())
    torch.testing.assert_close(y.double(), expected, atol=0.03, rtol=0.01)


@on_device
def test_device_never_waits():
    """A device that is waited for cannot run ahead, nor be captured in a graph."""
    layer = SyncSwitchNorm2d(8, device="cuda")
    x = torch.randn(2, 8, 16, 16, device="cuda", requires_grad=True)
    layer(x).sum().backward()  # compiles
    torch.cuda.set_sync_debug_mode("error")
    try:
        layer(x).sum().backward()
        layer.eval()(x)
    finally:
        torch.cuda.set_sync_debug_mode("default")
