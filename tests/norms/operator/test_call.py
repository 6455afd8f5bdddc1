"""The backends for the CPU against the reference: outputs, gradients, formats, and what torch asks of operators."""

import itertools

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchseg.norms.functional import switch_norm
from switchseg.norms.operator import boundary, native
from switchseg.norms.operator.call import Kept
from tests.norms.cases import SUBSETS, arguments, assert_same, run

SHAPES = [(2, 4, 5, 7), (1, 3, 4, 4), (3, 1, 3, 5), (2, 6, 1, 1), (1, 1, 1, 1), (3, 4, 9), (2, 3, 2, 3, 4)]
LARGE = [
    (2, 5, 61, 41),
    (1, 70, 30, 41),
    (3, 2100, 5, 7),
]  # several blocks of a row, chunks of pixels, strips of channels


@pytest.fixture(params=["native", "aten"], autouse=True)
def backend(request):
    """Run every test with both."""
    if request.param == "native" and native.functions is None:
        pytest.skip("no compiler when the package was installed")
    return request.param


def in_format(x, name):
    if name == "channels_last" and x.dim() > 3:
        return x.contiguous(memory_format=torch.channels_last if x.dim() == 4 else torch.channels_last_3d)
    if name == "strided":
        return torch.stack([x, torch.zeros_like(x)], -1)[..., 0]
    if name == "cropped":
        return torch.nn.functional.pad(x, (1, 2))[..., 1:-2]
    return x


@pytest.mark.parametrize("order", ["contiguous", "channels_last", "strided", "cropped"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_reference(backend, shape, order):
    for statistics, evaluation, activation in itertools.product(SUBSETS, (False, True), (None, "relu")):
        values = arguments(shape, statistics, evaluation=evaluation, residual=activation is not None)
        values["x"] = in_format(values["x"], order)
        grad = in_format(torch.randn(shape, dtype=torch.float64), "strided")
        options = {"statistics": statistics, "activation": activation}
        expected = run(values, grad, backend="reference", **options)
        found = run(values, grad, backend=backend, **options)
        assert_same(found, expected, atol=1e-9, rtol=1e-9)
        if order == "channels_last" and min(shape) > 1:
            assert found["y"].stride() == values["x"].stride()


@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_large_maps_on_any_number_of_threads(backend, shape, order):
    values = arguments(shape, ("in", "ln", "bn"), torch.float32, residual=True)
    values["x"] = in_format(values["x"], order)
    grad = torch.randn(shape)
    wide = {name: None if value is None else value.double() for name, value in values.items()}
    expected = run(wide, grad.double(), backend="reference", activation="relu")
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(run(values, grad, backend=backend, activation="relu"))
    finally:
        torch.set_num_threads(before)
    assert_same(found[0], expected, atol=2e-3, rtol=1e-4)
    if backend == "native":
        assert all(torch.equal(each[name], found[0][name]) for each in found for name in expected)


@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 2e-2), (torch.float16, 3e-3)], ids=str
)
def test_low_precision(backend, dtype, tolerance, order):
    """Against the reference in float64 on the same rounded input."""
    if backend == "native" and dtype == torch.float16:
        pytest.skip("the library has no passes for float16")
    for evaluation in (False, True):
        values = arguments((2, 8, 12, 10), ("in", "ln", "bn"), dtype, evaluation)
        values["x"] = in_format(values["x"], order)
        grad = torch.randn(2, 8, 12, 10).to(dtype)
        wide = {name: None if value is None else value.double() for name, value in values.items()}
        expected = run(wide, grad.double(), backend="reference")
        found = run(values, grad, backend=backend)
        assert found["y"].dtype == found["x"].dtype == dtype
        assert_same(found, expected, atol=tolerance * 3, rtol=tolerance)


@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
def test_large_mean_does_not_cancel(backend, order):
    """2018's E[x^2] - E[x]^2 is NaN here. One float32 step at 1000 is 0.006 standard deviations."""
    values = arguments((2, 6, 16, 16), ("in", "ln", "bn"), torch.float32)
    generator = torch.Generator().manual_seed(1)
    x = 1000 + 0.01 * torch.randn(2, 6, 16, 16, generator=generator)
    values["x"] = in_format(x, order)
    values["weight"] = torch.rand(6, generator=generator) + 0.5
    values["bias"] = torch.randn(6, generator=generator)
    grad = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    wide = {name: None if value is None else value.double() for name, value in values.items()}
    options = {"eps": 1e-9}
    expected = run(wide, grad.double(), backend="reference", **options)
    for each in (backend, "reference"):
        found = run(values, grad, backend=each, **options)
        assert_same({"y": found["y"]}, {"y": expected["y"]}, atol=0.03, rtol=0.01)
        for name in ("x", "weight", "bias"):
            error = (found[name] - expected[name]).norm() / expected[name].norm()
            assert error < 0.02, (each, name, error)


def test_uninitialised_memory_is_never_read(backend):
    """Deterministic mode fills what torch.empty returns with NaN."""
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.utils.deterministic.fill_uninitialized_memory
        assert torch.empty(3).isnan().all()
        for order in ("contiguous", "channels_last"):
            values = arguments((2, 4, 5, 7), ("in", "ln", "bn"), residual=True)
            values["x"] = in_format(values["x"], order)
            found = run(values, torch.randn(2, 4, 5, 7, dtype=torch.float64), backend=backend, activation="relu")
            assert all(value.isfinite().all() for value in found.values())
    finally:
        torch.use_deterministic_algorithms(False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.lists(st.integers(1, 6), min_size=3, max_size=5).map(tuple),
    statistics=st.sampled_from(SUBSETS),
    evaluation=st.booleans(),
    order=st.sampled_from(["contiguous", "channels_last", "cropped"]),
    seed=st.integers(0, 1000),
)
def test_any_shape(backend, shape, statistics, evaluation, order, seed):
    values = arguments(shape, statistics, evaluation=evaluation, seed=seed)
    values["x"] = in_format(values["x"], order)
    grad = torch.randn(shape, dtype=torch.float64)
    expected = run(values, grad, backend="reference", statistics=statistics)
    found = run(values, grad, backend=backend, statistics=statistics)
    # Where a variance is 0, 1 / sqrt(eps) magnifies rounding.
    assert_same(found, expected, atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("evaluation", [False, True])
@pytest.mark.parametrize("formula", [False, True])
def test_gradcheck(backend, evaluation, formula):
    for statistics, shape in itertools.product(SUBSETS, [(2, 3, 2, 3), (2, 2, 1, 1)]):
        values = arguments(shape, statistics, evaluation=evaluation, residual=True)
        running = values.pop("running")

        def function(*tensors, running=running, statistics=statistics, names=tuple(values)):
            options = dict(zip(names, tensors, strict=True))
            return switch_norm(
                **options,
                running=running,
                statistics=statistics,
                activation="relu",
                backend="reference" if formula else backend,
                eps=0.1,
            )[0]

        inputs = [value.requires_grad_() for value in values.values()]
        assert torch.autograd.gradcheck(function, inputs)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # opcheck's own
def test_operator_keeps_torch_rules(backend):
    for statistics, evaluation, residual, order in [
        ("in ln bn", False, True, "contiguous"),
        ("in ln bn", True, False, "channels_last"),
        ("in ln", False, False, "contiguous"),
        ("bn", False, True, "channels_last"),
    ]:
        values = arguments((2, 4, 5, 7), statistics.split(), torch.float32, evaluation, residual)
        values["x"] = in_format(values["x"], order)
        flat = boundary_arguments(values, statistics, relu=residual, backend=backend)
        torch.library.opcheck(boundary.operator, flat)


def boundary_arguments(values, statistics, relu, backend):
    """Return the flat arguments of the operator for those of `functional.switch_norm`."""
    learned = [None if values[name] is None else values[name].requires_grad_() for name in ("weight", "bias")]
    residual = None if values["residual"] is None else values["residual"].requires_grad_()
    running = (None, None) if values["running"] is None else values["running"].unbind()
    mixes = (values["shares"].requires_grad_(), None)
    training = values["running"] is None
    x = values["x"].requires_grad_()
    return (x, residual, *mixes, *learned, *running, statistics, 1e-5, relu, training, "", backend)


@pytest.mark.parametrize("order", ["strided", "cropped", "transposed"])
def test_operator_takes_any_strides(backend, order):
    """Compilers call it without `functional.switch_norm`, which makes inputs dense."""
    values = arguments((2, 3, 6, 6), ("in", "ln", "bn"))
    values["x"] = values["x"].transpose(2, 3) if order == "transposed" else in_format(values["x"], order)
    flat = boundary_arguments(values, "in ln bn", relu=False, backend=backend)
    x = flat[0]
    y = boundary.operator(*flat)[0]
    grad = torch.randn(y.shape, dtype=y.dtype)
    expected = run(values, grad, backend="reference")
    torch.testing.assert_close(y, expected["y"], atol=1e-9, rtol=1e-9)
    (grad_x,) = torch.autograd.grad(y, x, grad)
    torch.testing.assert_close(grad_x, expected["x"], atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", ["x", "weight", "kept"])
@torch.no_grad()
def test_the_backward_operator_refuses_what_does_not_fit(backend, name):
    """Anybody may call it, and the compiled passes would read and write past an end."""
    flat = boundary_arguments(arguments((2, 3, 4, 5), ("in", "ln", "bn")), "in ln bn", relu=False, backend=backend)
    x, weight = flat[0], flat[4]
    tensors = {"grad": torch.ones_like(x), "x": x, "y": None, "weight": weight, "bias": None}
    tensors["kept"] = boundary.operator(*flat)[1]
    how = (False, True, "in ln bn", 1e-5, False, True, False, "", backend)
    assert boundary.backward_operator(*tensors.values(), *how)[0].isfinite().all()
    tensors[name] = tensors[name][:1]
    with pytest.raises(RuntimeError):
        boundary.backward_operator(*tensors.values(), *how)


def test_takes_shares_and_residuals_that_lie_otherwise_in_memory(backend):
    """A transposed tensor, and one image's residual for both: the strides of the latter are those of the input."""
    values = arguments((2, 3, 4, 5), ("in", "ln", "bn"), residual=True)
    values["shares"] = values["shares"].T.contiguous().T
    values["residual"] = values["residual"][:1]
    grad = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    expected = run(values, grad, backend="reference")
    found = run(values, grad, backend=backend)
    assert_same(found, expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(("name", "shape"), [("shares", (2, 2)), ("weight", (2,)), ("bias", (4,)), ("running", (2, 2))])
def test_refuses_numbers_that_do_not_fit(backend, name, shape):
    """The compiled passes would read past their end."""
    values = arguments((2, 3, 4, 5), ("in", "ln", "bn"), evaluation=name == "running")
    values[name] = torch.rand(shape, dtype=torch.float64)
    with pytest.raises((ValueError, RuntimeError)):
        switch_norm(**values, backend=backend)


def test_keeps_nothing_of_the_input_size_but_the_input(backend):
    """What autograd saves: the input itself, and numbers per map."""
    x = torch.randn(2, 8, 32, 32, requires_grad=True)
    shares = torch.full((3, 2), 1 / 3)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor) or tensor, lambda kept: kept):
        switch_norm(x, shares, torch.ones(8), torch.zeros(8), backend=backend)
    large = [tensor for tensor in saved if tensor.numel() >= x.numel()]
    assert [tensor.data_ptr() for tensor in large] == [x.data_ptr()]
    assert sum(tensor.numel() for tensor in saved) - x.numel() <= Kept.size(2, 8) + 2 * 8
