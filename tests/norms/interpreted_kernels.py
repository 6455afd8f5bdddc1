"""Run the Triton kernels on CPU tensors, in Triton's interpreter, against the operator for the CPU; see test_cuda."""

import itertools
import os
import sys

os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported

import torch

from switchseg.norms import cuda, fused

SHAPES = [(2, 5, 3, 7), (1, 3, 1, 1), (3, 70, 2, 3), (2, 3, 40, 40), (2, 260, 4, 1)]


def compare(shape, channels_last, statistics, evaluation, relu):
    torch.manual_seed(0)
    x = torch.randn(shape) * 2 + 1
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    channels = shape[1]
    shares = torch.randn(len(statistics.split()), 2).softmax(0)
    weight, bias = (None, None) if statistics == "in ln" else torch.randn(2, channels).unbind()
    running = torch.stack([torch.randn(channels), torch.rand(channels) + 0.1]) if evaluation else None
    residual = torch.randn(shape) if relu else None
    arguments = (x, shares, weight, bias, running, residual, statistics, 1e-5, relu, "")
    expected = fused.forward(*arguments)
    close(cuda.forward(*arguments), expected)
    rectified = expected[0] if relu else None
    arguments = (torch.randn(shape), x, rectified, shares, weight, *expected[1:], statistics, not evaluation, relu, "")
    close(cuda.backward(*arguments), fused.backward(*arguments))


def close(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        scale = max(1.0, theirs.abs().max().item()) if theirs.numel() else 1.0
        torch.testing.assert_close(ours / scale, theirs / scale, atol=1e-4, rtol=1e-4)


if __name__ == "__main__":
    both = (False, True)
    cases = list(itertools.product(SHAPES, itertools.product(both, ("in ln bn", "in ln", "bn", "ln"), both, both)))
    if "--all" not in sys.argv:
        cases = cases[::7]
    for shape, option in cases:
        try:
            compare(shape, *option)
        except Exception as error:
            raise AssertionError(f"{shape} {option}") from error
