"""The registers, spills and shared memory of the CUDA kernels on several architectures; needs Triton, but no device."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from switchseg.norms.operator.call import STATISTICS, Options
from switchseg.norms.operator.cut import Cut
from switchseg.norms.operator.launches import Step
from switchseg.norms.operator.plans import Recipe, backward_recipes, forward_recipes

ARCHITECTURES = (80, 90, 100)
TYPES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16", torch.int64: "i64"}


class Usage(NamedTuple):
    """What a program of a kernel takes.

    Attributes:
        registers: Of a thread.
        spilled: Bytes of a thread that found no register and live in memory.
        shared: Bytes of shared memory.
    """

    registers: int
    spilled: int
    shared: int


def compile_step(step: Step, pointers: Mapping[str, torch.dtype], architecture: int, **options: Any) -> Any:
    """Compile a step of a `LaunchSequence`, the way Triton does when it is launched on such a device.

    Args:
        step: The kernel and its arguments.
        pointers: Those of the sequence.
        architecture: 80 for sm_80, and so on.
        **options: Triton's, besides the number of warps.
    """
    signature, constants, attributes = {}, dict(step.constants), {}
    for parameter in step.kernel.params:
        name, value = parameter.name, step.arguments.get(parameter.name)
        divisible = False
        if isinstance(value, str):
            signature[name] = f"*{TYPES[pointers[value]]}"
            divisible = not parameter.do_not_specialize_on_alignment
        elif isinstance(value, float):
            signature[name] = "fp32"
        elif value is None or (value == 1 and not parameter.do_not_specialize):
            signature[name] = "constexpr"
            constants.setdefault(name, value)
        else:
            signature[name] = "i32" if -(2**31) <= value < 2**31 else "i64"
            divisible = value % 16 == 0 and not parameter.do_not_specialize
        if divisible:
            attributes[(parameter.num,)] = [["tt.divisibility", 16]]
    source = ASTSource(step.kernel, signature, constants, attributes)
    target = GPUTarget("cuda", architecture, 32)
    return triton.compile(source, target=target, options={"num_warps": step.warps, **options})


def usage(compiled: Any) -> Usage:
    """Return what a compiled kernel takes."""
    with TemporaryDirectory() as directory:
        cubin = Path(directory, "kernel.cubin")
        cubin.write_bytes(compiled.asm["cubin"])
        command = [triton.knobs.nvidia.cuobjdump.path, "--dump-resource-usage", cubin]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = dict(re.findall(r"(REG|STACK|LOCAL):(\d+)", text))
    return Usage(int(found["REG"]), int(found["STACK"]) + int(found["LOCAL"]), compiled.metadata.shared)


def sequences(x: torch.Tensor) -> dict[str, Recipe]:
    """Return the kernels and pointers of a direction by its name, for a layer with all statistics and a ReLU.

    Args:
        x: Its input, on any device.
    """
    cut, options = Cut.of_shape(x.shape, not x.is_contiguous()), Options(STATISTICS, 1e-5, 0.003, True, True)
    (forward,) = forward_recipes(cut, x.dtype, {"residual"}, options)
    (backward,) = backward_recipes(cut, x.dtype, {"y"}, options)
    return {"forward": forward, "backward": backward}


def main() -> None:
    """Print a table."""
    print("layout", "dtype", "kernel", "sm", *Usage._fields, sep="\t")
    orders = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    for (order, memory_format), dtype in product(orders.items(), (torch.float32, torch.bfloat16)):
        x = torch.empty(2, 256, 64, 64, dtype=dtype, device="meta", memory_format=memory_format)
        steps = [(step, recipe.types) for recipe in sequences(x).values() for step in recipe.steps]
        for (step, pointers), architecture in product(steps, ARCHITECTURES):
            used = usage(compile_step(step, pointers, architecture))
            print(order, TYPES[dtype], step.kernel.__name__, architecture, *used, sep="\t")


if __name__ == "__main__":
    main()
