"""The Triton kernels: interpreted and compiled without a device, and on a device where there is one."""

import itertools
import subprocess
import sys

import pytest
import torch

from switchseg.norms import SwitchNorm2d, SyncSwitchNorm2d
from switchseg.norms.operator import cuda
from switchseg.norms.operator.call import STATISTICS, Options
from switchseg.norms.operator.cut import Cut
from tests.norms.cases import SUBSETS, arguments, assert_same, run

on_device = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("flags", [(), pytest.param(("--many",), marks=pytest.mark.slow)])
def test_interpreted_kernels_equal_the_cpu(flags):
    pytest.importorskip("triton")
    command = [sys.executable, "-W", "ignore", "-m", "tests.norms.operator.interpreted_kernels", *flags]
    subprocess.run(command, check=True)


SPILLED = 64  # bytes of a thread: tiles that are not aligned take many registers to say where they lie
CASES = {
    "everything": (Options(STATISTICS, 1e-5, 0.003, relu=True, training=True), set(), set()),
    "no parameters": (
        Options(("in", "ln"), 1e-5, None, relu=False, training=True),
        {"residual", "weight", "bias", "running_mean", "running_var", "batches"},
        {"y", "weight", "bias", "grad_bias"},
    ),
    "shares": (
        Options(("bn",), 1e-5, None, relu=True, training=False, softmax=False),
        {"residual", "var_mix", "batches"},
        {"y"},
    ),
    "other processes": (
        Options(STATISTICS, 1e-5, None, relu=True, training=True, group="0"),
        {"running_mean", "running_var", "batches"},
        set(),
    ),
}


@pytest.mark.parametrize(
    ("case", "shape"),
    [
        ("everything", (2, 256, 32, 32)),
        *(pytest.param(case, (2, 256, 32, 32), marks=pytest.mark.slow) for case in list(CASES)[1:]),
        *(
            pytest.param(case, shape, marks=pytest.mark.slow)
            for case in CASES
            for shape in ((1, 2, 1, 1), (3, 70, 5, 7), (20, 2048, 7, 7))
        ),
    ],
    ids=str,
)
def test_kernels_compile_for_hopper(case, shape, tmp_path, monkeypatch):
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from benchmarks.kernels import compile_step, usage
    from switchseg.norms.operator.plans import backward_recipes, forward_recipes

    options, no_inputs, nothing_kept = CASES[case]
    for channels_last, dtype in ((False, torch.float32), (True, torch.bfloat16)):
        cut = Cut.of_shape(torch.Size(shape), channels_last)
        recipes = forward_recipes(cut, dtype, no_inputs, options) + backward_recipes(cut, dtype, nothing_kept, options)
        for recipe in recipes:
            for step in recipe.steps:
                used = usage(compile_step(step, recipe.types, 90))
                assert used.spilled <= SPILLED, (step.kernel, used)


@pytest.mark.skipif(torch.cuda.is_available(), reason="Triton works here")
def test_where_triton_does_not_work_it_says_why():
    """As where there is no compiler for its launcher: the formula stands in, and nothing stops."""
    pytest.importorskip("triton")
    assert cuda.obstacle(torch.float32).startswith("Triton does not work here: RuntimeError: ")


def test_a_direction_is_at_most_three_launches():
    pytest.importorskip("triton")
    from switchseg.norms.operator.plans import backward_recipes, forward_recipes

    for shape in itertools.product((1, 2, 20), (1, 64, 2048), (1, 7, 200), (1, 200)):
        cut = Cut.of_shape(torch.Size(shape), False)
        for options, no_inputs, nothing_kept in CASES.values():
            for recipes in (
                forward_recipes(cut, torch.float32, no_inputs, options),
                backward_recipes(cut, torch.float32, nothing_kept, options),
            ):
                assert sum(len(recipe.steps) for recipe in recipes) <= 3
                assert len(recipes) == (2 if options.group else 1)


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
            found = run(values, grad.cuda(), backend="cuda", **options)
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
def test_device_shares_moments_with_a_group(group):
    values = _to("cuda", arguments((2, 64, 20, 20), STATISTICS, torch.float32, residual=True))
    grad = torch.randn(2, 64, 20, 20, device="cuda")
    alone, shared = (run(values, grad, backend="cuda", activation="relu", group=name) for name in ("", group))
    assert_same(shared, alone, atol=1e-4, rtol=1e-4)


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


@on_device
@pytest.mark.parametrize("shape", [(3, 2, 19000, 19000), (1, 1, 40000, 40000)])
def test_device_reaches_beyond_2_to_the_31(shape):
    """In elements of all maps, and in the sum of two places in one of them."""
    if torch.cuda.mem_get_info()[0] < 40 << 30:
        pytest.skip("needs 40 GiB")
    x = torch.randn(shape, device="cuda", dtype=torch.float16)
    last = x[-1:].clone()
    layer = SwitchNorm2d(shape[1], statistics=("in",), device="cuda")
    found, expected = (_forward_and_backward(layer, each) for each in (x, last))
    for value, alone in zip(found, expected, strict=True):
        torch.testing.assert_close(value[-1:], alone, atol=2e-3, rtol=2e-3)
    assert abs(found[0][-1, -1].float().mean().item()) < 1e-3
    assert abs(found[0][-1, -1].float().std().item() - 1) < 1e-3


def _forward_and_backward(layer, x):
    y = layer(x.requires_grad_())
    y.backward(torch.ones_like(y[..., :1]).expand_as(y))
    return y.detach(), x.grad


@on_device
def test_device_compiles_without_graph_breaks():
    torch.compiler.reset()
    layer, x = SwitchNorm2d(8, activation="relu", device="cuda"), torch.randn(2, 8, 16, 16, device="cuda")
    expected = layer(x)
    torch.testing.assert_close(torch.compile(layer, fullgraph=True, backend="aot_eager")(x), expected)
