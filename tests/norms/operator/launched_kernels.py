"""A sequence of small kernels with all kinds of parameters, for whatever launches them."""

# ruff: noqa: N803 - compile-time arguments are written in capitals, as in all Triton code

import torch
import triton
import triton.language as tl

from switchseg.norms.operator import cuda
from switchseg.norms.operator.launches import LaunchSequence, Step

COUNT, PART = 300, 256
POINTERS = {"x": torch.bfloat16, "y": torch.float32, "z": torch.float32, "bias": torch.float32, "total": torch.float32}


@triton.jit
def scaled(x, y, bias, factor, offset, count, one, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    values = tl.load(x + at, mask=at < count).to(tl.float32) * factor + (offset % 1000) + one
    if bias is not None:
        values += tl.load(bias + at, mask=at < count)
    tl.store(y + at, values.to(y.dtype.element_ty), mask=at < count)


@triton.jit
def summed(y, total, count, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(total, tl.sum(tl.load(y + at, mask=at < count, other=0.0), 0))


STEPS = (
    Step(
        scaled,
        (3,),
        {"x": "x", "y": "y", "bias": "bias", "factor": 0.1, "offset": 1 << 40, "count": COUNT, "one": 1},
        {"BLOCK": 128},
        2,
    ),
    Step(
        scaled,
        (1, 5),
        {"x": "y", "y": "z", "bias": None, "factor": 2.0, "offset": 3, "count": PART, "one": 7},
        {"BLOCK": PART},
    ),
    Step(summed, (1,), {"y": "z", "total": "total", "count": PART}, {"BLOCK": 512}, 8),
)


def tensors_on(device):
    """Return what the pointers point to, in their order; y, z and total are yet to be computed."""
    generator = torch.Generator().manual_seed(0)
    lengths = {"x": COUNT, "y": COUNT, "z": PART, "bias": COUNT, "total": 1}
    values = {name: torch.randn(lengths[name], generator=generator) for name in POINTERS}
    return {name: values[name].to(device, dtype) for name, dtype in POINTERS.items()}


def addresses_of(tensors):
    return [tensor.data_ptr() for tensor in tensors.values()]


def assert_computed(tensors):
    y = tensors["x"].float() * 0.1 + (1 << 40) % 1000 + 1 + tensors["bias"]
    z = y[:PART] * 2 + 3 + 7
    torch.testing.assert_close(tensors["y"], y)
    torch.testing.assert_close(tensors["z"], z)
    torch.testing.assert_close(tensors["total"], z.sum(0, keepdim=True))


if __name__ == "__main__":  # in the interpreter, by test_launches
    tensors = tensors_on("cpu")
    sequence = LaunchSequence(STEPS, POINTERS, 0)
    assert sequence.obstacle == "Triton interprets"
    sequence(0, *addresses_of(tensors))
    assert_computed(tensors)
    assert cuda.obstacle(torch.float32) == "Triton interprets kernels, in the host's memory"
