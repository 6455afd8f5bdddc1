"""Inputs and comparisons that several test files of the norms share."""

import torch
from torch import nn

from switchseg.norms import functional
from switchseg.norms.operator import native

SUBSETS = [("in", "ln", "bn"), ("in", "ln"), ("in", "bn"), ("ln", "bn"), ("in",), ("ln",), ("bn",)]
CPU_BACKENDS = ["aten"] if native.functions is None else ["native", "aten"]  # those that work here


def arguments(shape, statistics, dtype=torch.float64, evaluation=False, residual=False, seed=0):
    """Build the arguments of `functional.switch_norm` for an input of `shape`, parameters in the statistics' type."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*size):
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    wide = torch.promote_types(dtype, torch.float32)
    channels = shape[1]
    running = torch.stack([normal(channels), normal(channels).square() + 0.1])
    return {
        "x": (normal(*shape) * 2 + 1).to(dtype),
        "shares": normal(len(statistics), 2).softmax(0).to(wide),
        "weight": normal(channels).to(wide),
        "bias": normal(channels).to(wide),
        "running": running.to(wide) if evaluation else None,
        "residual": normal(*shape).to(dtype) if residual else None,
    }


def run(values, grad, **options):
    """Call `functional.switch_norm` forward and backward; return the output and all gradients by name."""
    values = {name: None if value is None else value.detach() for name, value in values.items()}
    learned = [name for name in ("x", "shares", "weight", "bias", "residual") if values[name] is not None]
    for name in learned:
        values[name].requires_grad_()
        values[name].grad = None
    y, batch = functional.switch_norm(**values, **options)
    y.backward(grad)
    return {"y": y.detach(), "batch": batch, **{name: values[name].grad for name in learned}}


def assert_same(found, expected, **tolerances):
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name].double(), value.double(), msg=lambda text, name=name: f"{name}: {text}", **tolerances
        )


class ScaleNorm(nn.Module):
    """What a user may write: takes the channels alone, and any map."""

    def __init__(self, channels):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        shape = (-1, *[1] * (x.dim() - 2))
        return x / (x.square().mean(1, keepdim=True) + 1e-5).sqrt() * self.gain.view(shape)
