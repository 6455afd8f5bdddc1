"""A layer in one call of a backend each way, running statistics included, against the layer by the formula."""

import copy

import pytest
import torch
from torch.nn.utils import parametrize

from switchseg.norms import SwitchNorm2d, SwitchNorm3d
from switchseg.norms.operator import eager, native

MIXTURES = [("in", "ln", "bn"), ("in", "ln"), ("ln", "bn"), ("bn",)]
ORDERS = (torch.contiguous_format, torch.channels_last)
TOLERANCES = {torch.float64: 1e-11, torch.float32: 2e-5, torch.bfloat16: 2e-2}


@pytest.fixture(params=["native", "aten"], autouse=True)
def backend(request):
    """Run every test with both."""
    if request.param == "native" and native.functions is None:
        pytest.skip("no compiler when the package was installed")
    return request.param


@pytest.fixture
def calls(monkeypatch):
    """Count the layers that are one call."""
    found = []
    run = eager.run
    monkeypatch.setattr(eager, "run", lambda *arguments: found.append(arguments) or run(*arguments))
    return found


def layer_of(channels: int = 5, dtype: torch.dtype = torch.float32, **options) -> SwitchNorm2d:
    generator = torch.Generator().manual_seed(0)
    norm = SwitchNorm2d(channels, dtype=torch.float64 if dtype == torch.float64 else torch.float32, **options)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return norm


def maps(dtype: torch.dtype, order: torch.memory_format, seed: int = 1) -> torch.Tensor:
    x = torch.randn(3, 5, 7, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 2
    return x.to(dtype).contiguous(memory_format=order)


def gradients_of(norm: SwitchNorm2d, tensors: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Return the output of `norm` for "x" and "residual", and what it makes of "gradient"."""
    inputs = [tensors[name].requires_grad_() for name in ("x", "residual")]
    y = norm(*inputs)
    return [y.detach(), *torch.autograd.grad(y, [*inputs, *norm.parameters()], tensors["gradient"])]


def steps(norm: SwitchNorm2d, x: torch.Tensor, residual: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Run `norm` forward and backward and return all that it computes."""
    inputs = {"x": x.detach().requires_grad_()}
    if residual is not None:
        inputs["residual"] = residual.detach().requires_grad_()
    for _ in range(3):
        y = norm(*inputs.values())
        y.backward(torch.linspace(-1, 1, y.numel()).view_as(y).to(y.dtype))
    found = {name: each.grad for name, each in [*inputs.items(), *norm.named_parameters()]}
    return {"y": y.detach(), **found, **{name: buffer.double() for name, buffer in norm.named_buffers()}}


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("statistics", MIXTURES, ids="+".join)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("ending", ["", "residual", "relu", "residual relu"])
def test_equals_the_formula(backend, calls, dtype, order, statistics, training, ending):
    if dtype == torch.bfloat16 and ending == "residual relu":
        pytest.skip("the formula rounds before it adds and rectifies: another value may be the one above 0")
    norm = layer_of(
        dtype=dtype, statistics=statistics, activation="relu" if "relu" in ending else None, backend=backend
    ).train(training)
    other = copy.deepcopy(norm)
    other.backend = "reference"
    x = maps(dtype, order)
    residual = maps(dtype, order, seed=2) if "residual" in ending else None
    found = steps(norm, x, residual)
    assert len(calls) == 3
    expected = steps(other, x, residual)
    assert len(calls) == 3
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value.dtype == expected[name].dtype
        error = (value.double() - expected[name].double()).norm() / expected[name].double().norm().clamp(min=1)
        assert error < 5 * TOLERANCES[dtype], (name, error)


@pytest.mark.parametrize("momentum", [None, 0.003, 0.5])
def test_running_statistics_are_those_of_the_formula(backend, momentum):
    norm = layer_of(momentum=momentum, backend=backend)
    other = layer_of(momentum=momentum, backend="reference")
    for seed in range(4):
        for each in (norm, other):
            each(maps(torch.float32, torch.contiguous_format, seed))
    assert norm.num_batches_tracked == other.num_batches_tracked == 4
    torch.testing.assert_close(norm.state_dict(), other.state_dict())


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_gradcheck(backend, affine, training):
    norm = layer_of(dtype=torch.float64, affine=affine, activation="relu", backend=backend).train(training)
    generator = torch.Generator().manual_seed(3)
    x, residual = (torch.randn(2, 5, 3, 2, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2))
    names = [name for name, _ in norm.named_parameters()]

    def function(x, residual, *parameters):
        return torch.func.functional_call(norm, dict(zip(names, parameters, strict=True)), (x, residual))

    assert torch.autograd.gradcheck(function, (x, residual, *norm.parameters()))


def test_moving_the_running_statistics_counts_as_a_change_in_place(backend):
    norm = layer_of(backend=backend)
    before = norm.running_mean._version
    norm(maps(torch.float32, torch.contiguous_format))
    assert norm.running_mean._version > before


def test_evaluation_keeps_the_running_statistics(backend):
    norm = layer_of(backend=backend).eval()
    before = copy.deepcopy(norm.state_dict())
    with torch.no_grad():
        norm(maps(torch.float32, torch.channels_last))
    torch.testing.assert_close(norm.state_dict(), before, atol=0, rtol=0)


def test_frozen_parameters_get_no_gradient(backend):
    norm = layer_of(backend=backend).requires_grad_(False)
    x = maps(torch.float32, torch.contiguous_format).requires_grad_()
    norm(x).sum().backward()
    assert x.grad is not None
    assert all(parameter.grad is None for parameter in norm.parameters())


class _Other(torch.Tensor):
    """Any subclass: what it keeps and where is its own affair."""


@pytest.mark.parametrize("ending", ["", "relu"])
@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_residual_that_lies_otherwise_is_one_call_too(backend, calls, order, ending):
    norm = layer_of(activation=ending or None, backend=backend)
    other = copy.deepcopy(norm)
    x, like = maps(torch.float32, order), maps(torch.float32, order, seed=2)
    residual = like.contiguous(memory_format=ORDERS[order is ORDERS[0]])
    found, expected = steps(norm, x, residual), steps(other, x, like)
    assert len(calls) == 6
    torch.testing.assert_close(found, expected, atol=0, rtol=0)


@pytest.mark.parametrize("case", ["float64 parameters", "cropped", "subclass", "3d"])
def test_what_memory_does_not_show_is_made_to_fit(backend, calls, case):
    """The same result, by way of more calls."""
    norm, x = layer_of(backend=backend), maps(torch.float32, torch.contiguous_format)
    other = copy.deepcopy(norm)
    other.backend = "reference"
    if case == "float64 parameters":
        norm.double()
        other.double()
    elif case == "cropped":
        x = torch.nn.functional.pad(x, (1, 2))[..., 1:-2]
    elif case == "subclass":
        norm.running_var = norm.running_var.as_subclass(_Other)
    else:
        norm, x = SwitchNorm3d(5, backend=backend), x.unsqueeze(2)
        other = SwitchNorm3d(5, backend="reference")
    found, expected = steps(norm, x, None), steps(other, x, None)
    assert len(calls) == (3 if case == "3d" else 0)
    for name, value in found.items():
        torch.testing.assert_close(value.as_subclass(torch.Tensor), expected[name], atol=1e-4, rtol=1e-4)


PLACES = ("x", "residual", "gradient")
NOT_IN_MEMORY = {
    "negated": torch._neg_view,
    "of a conjugate": lambda x: torch.complex(x, -x).conj().imag.as_strided(x.shape, x.stride()),
    "zeros": lambda x: torch._efficientzerotensor(x.shape),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("make", NOT_IN_MEMORY.values(), ids=NOT_IN_MEMORY)
def test_numbers_that_memory_does_not_hold(backend, place, make):
    """torch negates these when it reads them, or has no memory for them at all."""
    tensors = {name: maps(torch.float32, torch.contiguous_format, seed) for seed, name in enumerate(PLACES)}
    tensors[place] = make(tensors[place])
    assert tensors[place].is_neg() or tensors[place]._is_zerotensor()
    found, expected = (
        gradients_of(layer_of(activation="relu", backend=each), tensors) for each in (backend, "reference")
    )
    for value, other in zip(found, expected, strict=True):
        torch.testing.assert_close(value, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        lambda norm, x: norm.double(),
        lambda norm, x: setattr(norm.weight, "data", torch.zeros(1)),
        lambda norm, x: setattr(x, "data", x.data.bfloat16()),
        lambda norm, x: setattr(x, "data", x.data[..., :2]),
    ],
)
def test_data_that_changed_since_forward_is_refused(backend, change):
    """The compiled passes would read and write past its end; BatchNorm raises too."""
    norm, x = layer_of(backend=backend), maps(torch.float32, torch.contiguous_format).requires_grad_()
    y = norm(x)
    change(norm, x)
    with pytest.raises(RuntimeError):
        y.sum().backward()


@pytest.mark.parametrize("dims", [1, 4])
def test_saved_tensors_that_a_hook_changed_are_refused(backend, dims):
    """Among them what the passes leave for the way back, which is half as long then as they read."""
    norm, x = layer_of(affine=False, backend=backend), maps(torch.float32, torch.contiguous_format).requires_grad_()

    def unpack(tensor):
        return tensor.half() if tensor.dim() == dims else tensor

    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, unpack):
        y = norm(x)
    with pytest.raises(RuntimeError, match="other data"):
        y.sum().backward()


@pytest.mark.parametrize("name", ["x", "weight"])
def test_freed_memory_is_refused(backend, name):
    if backend == "aten":
        pytest.skip("torch's own kernels look for themselves")
    norm, x = layer_of(backend=backend), maps(torch.float32, torch.contiguous_format)
    {"x": x, "weight": norm.weight}[name].untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match="no memory"):
        norm(x)


@pytest.mark.parametrize("affine", [True, False])
def test_a_second_derivative_is_refused(backend, affine):
    norm, x = layer_of(affine=affine, backend=backend), maps(torch.float32, torch.contiguous_format).requires_grad_()
    y = norm(x)
    (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        first.sum().backward()


@pytest.mark.parametrize("shape", [(3, 6, 2, 2), (3, 5), (3, 4, 2, 2)], ids=str)
def test_wrong_shapes_are_refused_as_by_the_operator(shape):
    norm = layer_of(affine=False, statistics=("in", "ln"))
    with pytest.raises(ValueError, match="SwitchNorm2d takes"):
        norm(torch.ones(shape))


def test_a_layer_that_lost_its_running_statistics_uses_those_of_the_batch():
    norm, x = layer_of(), maps(torch.float32, torch.contiguous_format)
    expected = norm(x)
    norm.running_mean = norm.running_var = norm.num_batches_tracked = None
    torch.testing.assert_close(norm(x), expected)
    torch.testing.assert_close(norm.eval()(x), expected)


def test_layers_made_and_run_in_inference_mode():
    with torch.inference_mode():
        norm = layer_of()
        norm(maps(torch.float32, torch.contiguous_format))
        assert norm.num_batches_tracked == 1


def test_transforms_over_the_parameters_alone():
    norm, x = layer_of().eval(), maps(torch.float32, torch.contiguous_format)

    def loss(parameters):
        return torch.func.functional_call(norm, parameters, (x,)).square().sum()

    found = torch.func.grad(loss)({name: parameter.detach() for name, parameter in norm.named_parameters()})
    norm(x).square().sum().backward()
    for name, parameter in norm.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, atol=1e-3, rtol=1e-4)


class _Doubled(torch.nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 2 * weight


def test_a_parametrized_layer_uses_what_it_is_parametrized_to():
    norm, x = layer_of(), maps(torch.float32, torch.contiguous_format)
    expected = 2 * (norm(x) - norm.bias.view(-1, 1, 1)) + norm.bias.view(-1, 1, 1)
    parametrize.register_parametrization(norm, "weight", _Doubled())
    torch.testing.assert_close(norm(x), expected)
