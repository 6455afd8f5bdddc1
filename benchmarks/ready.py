"""Look in seconds whether all is there that benchmarks/gpu.sh needs, before it takes minutes.

`python -m benchmarks.ready DEVICE` names what is missing or wrong, line by line, and ends with 1 if anything is.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from importlib import import_module

import torch

from benchmarks.norms import make_input
from switchseg.norms import SwitchNorm2d, resolve_backend
from switchseg.norms.operator import addresses, native

MODULES = (
    "benchmarks.host",
    "benchmarks.train",
    "tests.norms.operator.test_cuda",
    "tests.norms.operator.test_launches",
    "tests.engine.test_capture_on_device",
    "pytest_timeout",
    "xdist",
)
"""What the parts import, and what their tests are run with."""


def main(device: str) -> int:
    """Print what is missing or wrong, and return whether anything is."""
    problems = [*_not_importable(), *_not_built(), *_not_right(device)]
    print("\n".join(problems) or "ready")
    return int(bool(problems))


def _not_importable() -> Iterator[str]:
    for name in MODULES:
        try:
            import_module(name)
        except Exception as error:  # whatever the module does when it is imported
            yield f"{name} cannot be imported: {type(error).__name__}: {error}"


def _not_built() -> Iterator[str]:
    for name, found in (("_native", native.functions), ("_addresses", addresses._read)):
        if found is None:
            yield f"{name}.so is not there, or not of these sources: python setup.py -q build_ext --inplace"


def _not_right(device: str) -> Iterator[str]:
    """Compare a layer with the formula, on the maps that `bench host` takes, whose kernels are compiled then."""
    x, grad = (make_input((2, 64, 16, 16), True, "bfloat16", device) for _ in range(2))
    print("SwitchNorm:", *resolve_backend(x))
    # Said once where Triton's launcher stands in, which is no error, but not what is to be measured.
    warnings.filterwarnings("error", "Triton launches the kernels of SwitchNorm")
    try:
        found, expected = (_gradient(backend, x, grad) for backend in ("auto", "reference"))
        torch.testing.assert_close(found, expected, atol=0.05, rtol=0.05)
    except Exception as error:  # what comes of a driver or a compiler has no common class
        yield f"a layer does not work: {type(error).__name__}: {error}"


def _gradient(backend: str, x: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    leaf = x.detach().requires_grad_()
    SwitchNorm2d(x.shape[1], device=x.device, backend=backend)(leaf).backward(grad)
    assert leaf.grad is not None
    return leaf.grad


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
