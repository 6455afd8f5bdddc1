"""The layer under torch's compilers and exporters."""

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

from switchseg.norms import NORMS, SwitchNorm2d, set_sparse_radius
from switchseg.norms.operator import backends, native
from tests.norms.cases import CPU_BACKENDS


def _network(name="sn"):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), NORMS[name](8), nn.ReLU(inplace=True))
    model(torch.randn(2, 3, 9, 9))
    return model


@pytest.mark.parametrize("backend", ["auto", *CPU_BACKENDS, "reference"])
def test_compiles_without_graph_breaks(backend):
    layer = SwitchNorm2d(8, backend=backend)
    eager = SwitchNorm2d(8)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for size in (6, 7):
        x = torch.randn(2, 8, size, size)
        inputs = [x.clone().requires_grad_() for _ in range(2)]
        for function, tensor in zip((compiled, eager), inputs, strict=True):
            function(tensor).pow(3).sum().backward()
        torch.testing.assert_close(inputs[0].grad, inputs[1].grad, atol=1e-4, rtol=1e-4)
    for name, parameter in eager.named_parameters():
        torch.testing.assert_close(layer.get_parameter(name).grad, parameter.grad, atol=1e-3, rtol=1e-4)
    for name, buffer in eager.named_buffers():
        torch.testing.assert_close(layer.get_buffer(name), buffer)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Inductor's own
@pytest.mark.parametrize("name", ["sn", "ssn"])
def test_inductor(name):
    model = _network(name)
    x = torch.randn(2, 3, 16, 16)
    expected = model(x)
    torch.testing.assert_close(torch.compile(model, fullgraph=True)(x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["sn", "sn_in_ln", "ssn", "syncsn"])
def test_exported_programs_need_nothing_of_ours(name):
    model = _network(name).eval()
    x = torch.randn(2, 3, 12, 10)
    dynamic = {2: torch.export.Dim("height", min=4, max=64), 3: torch.export.Dim("width", min=4, max=64)}
    program = torch.export.export(model, (x,), dynamic_shapes=(dynamic,))
    assert not any("switchseg" in str(node.target) for node in program.graph.nodes)
    for size in ((12, 10), (5, 17)):
        x = torch.randn(2, 3, *size)
        torch.testing.assert_close(program.module()(x), model(x), atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore")  # the exporter's own
@pytest.mark.parametrize("name", ["sn", "ssn"])
def test_onnx(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = _network(name).eval()
    x = torch.randn(2, 3, 12, 10)
    dynamic = {2: torch.export.Dim("height", min=4, max=64), 3: torch.export.Dim("width", min=4, max=64)}
    path = str(tmp_path / "model.onnx")
    torch.onnx.export(model, (x,), path, dynamo=True, dynamic_shapes=(dynamic,), verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for size in ((12, 10), (5, 17)):
        x = torch.randn(2, 3, *size)
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), model(x), atol=1e-4, rtol=1e-4)


def test_frozen_layers_compile_too():
    layer = NORMS["ssn"](4)
    with torch.no_grad():
        layer.mean_weight[0] = 9
        layer.var_weight[2] = 9
    assert set_sparse_radius(layer, 1.0) == 1
    x = torch.randn(2, 4, 5, 5)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), layer(x))


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("with_native", [True, False])
def test_compilers_get_what_is_faster(monkeypatch, with_native, order):
    """Measured on the CPU: Inductor wins only on contiguous tensors, and only against ATen's kernels."""
    if not with_native:
        monkeypatch.setattr(native, "functions", None)
        monkeypatch.setattr(backends, "_choose_once", backends._choose)
    elif native.functions is None:
        pytest.skip("no compiler when the package was installed")
    torch.compiler.reset()  # or the tests before this one count towards the limit of recompilations
    graphs = []

    def record(graph, _):
        graphs.append(graph)
        return graph.forward

    x = torch.randn(2, 4, 5, 6).to(memory_format=order)
    torch.compile(SwitchNorm2d(4), fullgraph=True, backend=record)(x)
    (graph,) = graphs
    assert ("switchseg" in str(graph.graph)) == (with_native or order == torch.channels_last)


def test_a_compiler_does_not_look_into_the_choice():
    """On a GPU it depends on what is installed, which Dynamo cannot trace."""
    torch.compiler.reset()

    def reason(x):
        return x + len(backends._choose("cuda", torch.float64, 4, ("in",), "auto").reason)

    found = torch.compile(reason, fullgraph=True, backend="eager")(torch.zeros(()))
    assert found == len("not cuda: there are no kernels for torch.float64 on CUDA")


def _traced(layer, x, _):
    return make_fx(layer)(x)(x)


def _scripted(layer, x, _):
    return torch.jit.trace(layer, x, check_trace=False)(x)


def _mapped(layer, x, _):
    return torch.vmap(layer)(x[None])[0]


def _tangent(layer, x, tangent):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(layer(forward_ad.make_dual(x, tangent))).tangent


@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore::torch.jit.TracerWarning")  # torch's own, and checks of shapes
@pytest.mark.parametrize("follow", [_traced, _scripted, _mapped, _tangent])
def test_what_follows_the_computation_sees_all_of_it(follow):
    """The compiled passes are no ATen calls: a graph without them would return memory that nobody wrote."""
    x, tangent = torch.randn(2, 2, 4, 5, 6).unbind()
    layer, reference = SwitchNorm2d(4).eval(), SwitchNorm2d(4, backend="reference").eval()
    with torch.no_grad():
        torch.testing.assert_close(follow(layer, x, tangent), follow(reference, x, tangent))
        with pytest.raises(ValueError, match="backend 'aten' does not work here: a tracer"):
            follow(SwitchNorm2d(4, backend="aten").eval(), x, tangent)


def test_a_training_layer_can_be_traced():
    x = torch.randn(2, 4, 5, 6)
    graph = make_fx(SwitchNorm2d(4, momentum=None))(x)
    torch.testing.assert_close(graph(x), SwitchNorm2d(4)(x), atol=1e-5, rtol=1e-5)
