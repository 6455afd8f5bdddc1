"""Run the Triton kernels on CPU tensors, in Triton's interpreter, against the formula in float64; see test_cuda."""

import itertools
import os
import sys

os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported

import torch
import torch.distributed as dist

from switchseg.norms import collective, reference
from switchseg.norms.operator import cuda, cut
from switchseg.norms.operator.call import Gradients, Inputs, Options, Saved
from switchseg.norms.operator.plan import Absent, Signature

# The last ones are cut into no spans, and into blocks of channels that are not full. A single value is not among them:
# it deviates from no mean, and what is left is rounding, magnified by 1 / sqrt(eps).
SHAPES = [(2, 5, 3, 7), (2, 3, 1, 1), (3, 70, 2, 3), (2, 3, 40, 40), (20, 3, 5, 5), (1, 300, 9, 9), (2, 260, 4, 1)]
MIXTURES = [("in", "ln", "bn"), ("in", "ln"), ("in", "bn"), ("bn",), ("ln",)]
BOTH = (False, True)


def inputs_of(shape, channels_last, statistics, training, residual, softmax, affine):
    torch.manual_seed(0)
    channels, count = shape[1], len(statistics)
    x = torch.randn(shape) * 2 + 1
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    mixes = torch.randn(2, count).unbind() if softmax else (torch.randn(count, 2).softmax(0), None)
    few = torch.randn(2, channels).unbind() if affine else (None, None)
    tracked = (torch.randn(channels), torch.rand(channels) + 0.1) if "bn" in statistics else (None, None)
    batches = torch.tensor(3) if "bn" in statistics and training else None
    return Inputs(x, torch.randn(shape) if residual else None, *mixes, *few, *tracked, batches)


def compare(shape, channels_last, statistics, training, relu, residual, softmax, affine, group=""):
    inputs = inputs_of(shape, channels_last, statistics, training, residual, softmax, affine)
    options = Options(statistics, 1e-5, 0.003, relu, training, softmax, group)
    if group:  # `functional` moves the running statistics then
        inputs = inputs._replace(batches=None)
    before = [None if each is None else each.double() for each in inputs]
    inputs = inputs.laid_out()
    absent = [each is None for each in (inputs.residual, *inputs[4:])]
    plan = cuda.plan(
        Signature(torch.float32, inputs.x.shape, inputs.x.stride(), inputs.x.device, Absent(*absent), options)
    )
    y, kept = plan.forward(inputs, plan.addresses(inputs))
    grad = torch.randn(shape)
    learned = inputs.weight, inputs.bias if plan.keeps_bias else None
    found = plan.backward(grad, Saved(inputs.x, y if plan.keeps_output else None, *learned, kept))
    expected_y, expected, batch = by_formula(before, grad.double(), options)
    close("y", y, expected_y)
    for name, ours, theirs in zip(Gradients._fields, found, expected, strict=True):
        assert (ours is None) == (theirs is None), name
        if ours is not None:
            close(name, ours, theirs)
    if inputs.batches is not None:
        assert inputs.batches == 4
        for ours, old, new in zip(inputs[6:8], before[6:8], batch, strict=True):
            close("running statistics", ours, old + (new - old) / 4)


def by_formula(inputs, grad, options):
    learned = [None if each is None else each.requires_grad_() for each in inputs[:6]]
    x, residual, mean_mix, var_mix, weight, bias = learned
    mean_share, var_share = (mean_mix.softmax(0), var_mix.softmax(0)) if options.softmax else mean_mix.unbind(1)
    running = None if options.training or inputs[6] is None else inputs[6:8]
    y, *batch = reference.switch_norm(
        x, mean_share, var_share, weight, bias, statistics=options.statistics, running=running, eps=options.eps
    )
    y = y if residual is None else y + residual
    y = y.relu() if options.relu else y
    y.backward(grad)
    return y, [None if each is None else each.grad for each in learned], batch


def close(name, ours, theirs):
    scale = max(1.0, theirs.abs().max().item())
    torch.testing.assert_close(
        ours.double() / scale, theirs / scale, atol=1e-4, rtol=1e-4, msg=lambda text: f"{name}: {text}"
    )


def group_of_one():
    """Return the name of a group of this process, through which moments go as through one of several."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    name = dist.group.WORLD.group_name
    collective._GROUPS[name] = dist.group.WORLD
    return name


def compare_all(cases, **options):
    for shape, option in cases:
        try:
            compare(shape, *option, **options)
        except Exception as error:
            raise AssertionError(f"{cut.PROGRAMS} programs, {shape}, {option}, {options}") from error


if __name__ == "__main__":
    options = itertools.product(BOTH, MIXTURES, BOTH, BOTH, BOTH, BOTH, BOTH)
    cases = list(itertools.product(SHAPES, options))
    cases = cases[::17] if "--many" in sys.argv else cases[::61]
    for programs in (cut.PROGRAMS, 4):  # with few, maps are whole or cut into few spans
        cut.PROGRAMS = programs
        compare_all(cases)
    shared = [(shape, option) for shape, option in cases if "bn" in option[1] and option[2]]  # moments of a batch
    compare_all(shared[::5], group=group_of_one())
    dist.destroy_process_group()
