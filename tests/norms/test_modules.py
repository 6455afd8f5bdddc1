"""The layer against the 2018 code's numbers, its files and its running statistics."""

import copy
import pickle

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.checkpoint import checkpoint

from switchseg.norms import SwitchNorm1d, SwitchNorm2d, SwitchNorm3d
from switchseg.norms.layout import LONG_TRAINED
from tests.norms.cases import CPU_BACKENDS, SUBSETS


@pytest.mark.parametrize(("case", "statistics"), [("sn2d", ("in", "ln", "bn")), ("sn2d_no_bn", ("in", "ln"))])
def test_golden_2018(golden, case, statistics):
    numbers = load_file(golden / "switch_norm.safetensors")
    numbers = {name.removeprefix(f"{case}."): value for name, value in numbers.items() if name.startswith(f"{case}.")}
    layer = SwitchNorm2d(6, statistics=statistics, dtype=torch.float64)
    state = {name.removeprefix("before."): value for name, value in numbers.items() if name.startswith("before.")}
    layer.load_state_dict(state)

    def check(y_name, dx_name, grad_name):
        x = numbers["x"].clone().requires_grad_()
        layer.zero_grad()
        y = layer(x)
        y.backward(numbers["dy"])
        torch.testing.assert_close(y, numbers[y_name], atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(x.grad, numbers[dx_name], atol=1e-12, rtol=1e-12)
        for name, parameter in layer.named_parameters():
            expected = numbers[f"{grad_name}.{name}"].reshape(parameter.shape)
            torch.testing.assert_close(parameter.grad, expected, atol=1e-12, rtol=1e-12)

    check("y_train", "dx", "grad")
    for name in ("running_mean", "running_var"):
        if f"after.{name}" in numbers:
            expected = numbers[f"after.{name}"].flatten()
            torch.testing.assert_close(getattr(layer, name), expected, atol=1e-12, rtol=1e-12)
    layer.eval()  # with the running statistics of that step
    check("y_eval", "dx_eval", "grad_eval")


def test_missing_batch_count_means_long_trained():
    layer = SwitchNorm2d(4)
    state = layer.state_dict()
    del state["num_batches_tracked"]
    layer.load_state_dict(state)
    assert layer.num_batches_tracked == LONG_TRAINED


@pytest.mark.parametrize("taken", [("running_mean", "running_var"), ("running_mean",), ("running_var",)])
@pytest.mark.parametrize("backend", ["auto", "reference", *CPU_BACKENDS])
def test_without_running_statistics_the_moments_of_the_batch_are_used_throughout(backend, taken):
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = SwitchNorm2d(4, backend="reference")(x)
    layer = SwitchNorm2d(4, backend=backend)
    for name in taken:
        setattr(layer, name, None)
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer.eval()(x), expected)


LAYERS = [
    (SwitchNorm1d, (3, 4)),
    (SwitchNorm1d, (3, 4, 7)),
    (SwitchNorm2d, (3, 4, 5, 6)),
    (SwitchNorm3d, (2, 4, 3, 2, 3)),
]


@pytest.mark.parametrize(("kind", "shape"), LAYERS)
@pytest.mark.parametrize("statistics", SUBSETS, ids="+".join)
def test_gradcheck(kind, shape, statistics):
    for training in (True, False):
        layer = kind(4, statistics=statistics, dtype=torch.float64, eps=0.1).train(training)
        names = [name for name, _ in layer.named_parameters()]

        def function(x, *parameters, layer=layer, names=names):
            return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

        x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        parameters = [torch.randn_like(parameter).requires_grad_() for parameter in layer.parameters()]
        assert torch.autograd.gradcheck(function, (x, *parameters))


def test_1d_without_maps_is_the_2018_layer():
    """2018's 1d layer mixes LN and BN of (N, C), both with unbiased variances."""
    layer = SwitchNorm1d(6, statistics=("ln", "bn"), dtype=torch.float64)
    state = {name: torch.ones(1, 6, dtype=torch.float64) for name in ("weight", "running_mean", "running_var")}
    state |= {"bias": torch.zeros(1, 6, dtype=torch.float64)}
    state |= {name: torch.tensor([0.3, 1.1], dtype=torch.float64) for name in ("mean_weight", "var_weight")}
    layer.load_state_dict(state)
    x = torch.randn(5, 6, dtype=torch.float64)
    share = torch.tensor([0.3, 1.1], dtype=torch.float64).softmax(0)
    mean = share[0] * x.mean(1, keepdim=True) + share[1] * x.mean(0)
    var = share[0] * x.var(1, keepdim=True) + share[1] * x.var(0)
    torch.testing.assert_close(layer(x), (x - mean) / (var + 1e-5).sqrt(), atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(layer.running_var, 0.997 + 0.003 * x.var(0), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_2018_shapes_load(dims):
    layer = {1: SwitchNorm1d, 2: SwitchNorm2d, 3: SwitchNorm3d}[dims](5)
    wide, narrow = {1: ((1, 5), (1, 5)), 2: ((1, 5, 1, 1), (1, 5, 1)), 3: ((1, 5, 1, 1, 1), (1, 5, 1))}[dims]
    state = {name: torch.randn(wide) for name in ("weight", "bias")}
    state |= {name: torch.rand(narrow) for name in ("running_mean", "running_var")}
    state |= {name: torch.randn(3) for name in ("mean_weight", "var_weight")}
    layer.load_state_dict(state)
    for name, value in state.items():
        assert torch.equal(getattr(layer, name), value.flatten())
    assert layer.num_batches_tracked == LONG_TRAINED


def test_wrong_shapes_do_not_load():
    state = SwitchNorm2d(4).state_dict()
    state["weight"] = torch.ones(1, 5, 1, 1)
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        SwitchNorm2d(4).load_state_dict(state)
    with pytest.raises(RuntimeError, match="running_mean"):
        SwitchNorm2d(4).load_state_dict(SwitchNorm2d(4, statistics=("in", "ln")).state_dict())


def test_running_statistics_start_as_a_plain_average():
    layer = SwitchNorm2d(3, momentum=0.25)
    batches = [torch.randn(4, 3, 5, 5) + shift for shift in range(6)]
    expected = None
    for count, batch in enumerate(batches, 1):
        layer(batch)
        mean = batch.mean((0, 2, 3))
        share = max(0.25, 1 / count)
        expected = mean if expected is None else expected + share * (mean - expected)
        torch.testing.assert_close(layer.running_mean, expected)
    assert layer.num_batches_tracked == 6


def test_momentum_none_averages_all_batches():
    layer = SwitchNorm2d(3, momentum=None)
    batches = torch.randn(10, 4, 3, 5, 5)
    for batch in batches:
        layer(batch)
    torch.testing.assert_close(layer.running_mean, batches.mean((0, 1, 3, 4)))


def test_checkpointed_batches_count_as_they_do_in_batch_norm():
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    for layer in (torch.nn.BatchNorm2d(3), SwitchNorm2d(3)):
        checkpoint(layer, x, use_reentrant=False).sum().backward()
        assert layer.num_batches_tracked == 2


def test_1x1_maps_stay_finite():
    """2018: the variance of one element was 0 / 0, and pyramid pooling could not be trained (PPM, ASPP)."""
    for kind, shape in [(SwitchNorm2d, (2, 4, 1, 1)), (SwitchNorm3d, (1, 4, 1, 1, 1)), (SwitchNorm1d, (1, 4))]:
        for backend in ("auto", "reference"):
            layer = kind(4, backend=backend)
            x = torch.randn(shape, requires_grad=True)
            layer(x).square().sum().backward()
            assert all(tensor.isfinite().all() for tensor in (x.grad, *layer.state_dict().values()))
            assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())
            assert layer.eval()(x).isfinite().all()


def test_mixing_gradients_sum_to_zero():
    """2018's SyncSN overwrote two of the three, so they did not."""
    layer = SwitchNorm2d(4, dtype=torch.float64)
    with torch.no_grad():
        layer.mean_weight.copy_(torch.tensor([0.2, -1.0, 2.0]))
    layer(torch.randn(2, 4, 5, 5, dtype=torch.float64)).pow(3).sum().backward()
    for weight in (layer.mean_weight, layer.var_weight):
        assert weight.grad.abs().max() > 1e-3
        assert weight.grad.sum().abs() < 1e-12


def test_half_precision_statistics_are_float32():
    """2018 in float16: non-finite at a mean of 300."""
    x = (300 + torch.randn(2, 4, 32, 32)).to(torch.float16)
    y = SwitchNorm2d(4)(x)
    assert y.dtype == torch.float16
    torch.testing.assert_close(y.float(), SwitchNorm2d(4)(x.float()), atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(SwitchNorm2d(4, dtype=torch.bfloat16)(x.bfloat16()).float(), y.float(), atol=1, rtol=1)


def test_autocast_keeps_the_type_of_the_input():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), SwitchNorm2d(4), torch.nn.ReLU(inplace=True))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(torch.randn(2, 3, 8, 8))
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert model[1].mean_weight.grad.dtype == torch.float32


@pytest.mark.parametrize("layer", [SwitchNorm2d(4), SwitchNorm2d(4, affine=False, statistics=("in", "ln"))])
def test_copies_are_the_same_layer(layer, tmp_path):
    x = torch.randn(2, 4, 5, 5)
    layer = layer.train()
    layer(x)
    torch.save(layer.state_dict(), tmp_path / "state.pt")
    loaded = SwitchNorm2d(4, affine=layer.affine, statistics=layer.statistics)
    loaded.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), loaded]
    expected = layer.eval()(x)
    for other in copies:
        assert torch.equal(other.eval()(x), expected)


def test_mistakes_are_named():
    layer = SwitchNorm2d(4)
    for x, message in [
        (torch.randn(4, 5), r"SwitchNorm2d takes inputs with 4 dimensions, got shape \(4, 5\)"),
        (torch.randn(2, 3, 5, 5), r"SwitchNorm2d takes 4 channels, got shape \(2, 3, 5, 5\)"),
        (torch.randn(0, 4, 5, 5), r"at least one element per channel, got shape \(0, 4, 5, 5\)"),
        (torch.ones(2, 4, 5, 5, dtype=torch.long), "floating point inputs, got torch.int64"),
        (torch.ones(2, 4, 5, 5).to_mkldnn(), r"layout torch\.strided is needed, got torch\._mkldnn"),
        (torch.ones(2, 4, 5, 5).to_sparse(), r"layout torch\.strided is needed, got torch\.sparse_coo"),
    ]:
        with pytest.raises(ValueError, match=message):
            layer(x)
    with pytest.raises(ValueError, match="statistics must be some of"):
        SwitchNorm2d(4, statistics=("bn", "in"))
    with pytest.raises(ValueError, match="unknown activation 'gelu'"):
        SwitchNorm2d(4, activation="gelu")
    with pytest.raises(ValueError, match="unknown backend 'fused'; the backends are auto"):
        SwitchNorm2d(4, backend="fused")


def test_repr_says_what_it_is():
    text = "SwitchNorm2d(4, eps=1e-05, momentum=0.003, affine=True, statistics=in+ln+bn)"
    assert repr(SwitchNorm2d(4)) == text
    layer = SwitchNorm2d(4, statistics=("in", "ln"), activation="relu", backend="reference")
    assert repr(layer).endswith("statistics=in+ln, activation=relu, backend=reference)")


def test_residual_and_activation():
    x, residual = torch.randn(2, 4, 5, 5), torch.randn(2, 4, 5, 5)
    plain = SwitchNorm2d(4)
    for backend in (*CPU_BACKENDS, "reference"):
        layer = SwitchNorm2d(4, activation="relu", backend=backend)
        torch.testing.assert_close(layer(x, residual), (plain(x) + residual).relu())


def test_memory_format_is_kept():
    x = torch.randn(2, 4, 5, 6).to(memory_format=torch.channels_last).requires_grad_()
    y = SwitchNorm2d(4)(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    y.sum().backward()
    assert x.grad.is_contiguous(memory_format=torch.channels_last)
