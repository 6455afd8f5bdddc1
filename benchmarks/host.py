"""What one layer costs the host: calls on a map so small that a device is never waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from benchmarks import results
from benchmarks.norms import PASSES, make_input, make_pass
from switchseg.cli.arguments import parse
from switchseg.norms import SwitchNorm2d, resolve_backend


class _Nothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *learned: Tensor) -> Tensor:
        ctx.save_for_backward(x, *learned)
        return torch.empty_like(x)

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> Any:
        return tuple(torch.empty_like(each) for each in ctx.saved_tensors)


class Floor(nn.Module):
    """SwitchNorm's parameters in an autograd function that computes nothing: what Python and torch take at least."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.learned = [nn.Parameter(torch.ones(size)) for size in (3, 3, channels, channels)]
        for index, each in enumerate(self.learned):
            self.register_parameter(str(index), each)

    def forward(self, x: Tensor) -> Tensor:
        """Return memory that nobody has written."""
        return _Nothing.apply(x, *self.learned)  # type: ignore[no-any-return]


VARIANTS: dict[str, Callable[[int], nn.Module]] = {"bn": nn.BatchNorm2d, "floor": Floor, "sn": SwitchNorm2d}


@dataclass(frozen=True)
class Arguments:
    """Measure what a layer costs the host."""

    channels: int = 64
    side: int = 16
    """Height and width of the maps, two images of them."""
    channels_last: bool = True
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    device: str = "cuda"
    calls: int = 300
    """How many are queued before the device is waited for, outside of the time."""
    rounds: int = 9
    save: bool = True
    """Append the rows to benchmarks/results.csv."""


def run(arguments: Sequence[str]) -> None:
    """Measure, print and record."""
    options = parse(Arguments, "bench host", arguments)
    shape = (2, options.channels, options.side, options.side)
    like = (shape, options.channels_last, options.dtype, options.device)
    print("SwitchNorm:", *resolve_backend(make_input(*like)))
    grad = make_input(*like)
    rows: list[dict[str, object]] = []
    for name in PASSES:
        passes = {
            variant: make_pass(make(options.channels).to(options.device), make_input(*like), grad, name)
            for variant, make in VARIANTS.items()
        }
        seconds: dict[str, list[float]] = {variant: [] for variant in passes}
        for number in range(options.rounds + 1):
            for variant, work in passes.items():
                took = _a_call(work, options.calls)
                if number:  # the first round compiles
                    seconds[variant].append(took)
        for variant, times in seconds.items():
            timing = results.summary(times)
            ratio = f"{results.ratio(times, seconds['bn']):.3f}"
            numbers = {key: f"{getattr(timing, key) * 1e6:.1f}" for key in ("median", "low", "high")}
            layout = "channels_last" if options.channels_last else "contiguous"
            case = f"{'x'.join(map(str, shape))} {layout} {options.dtype}"
            rows.append(
                {"case": case, "variant": variant, "measure": name, **numbers, "unit": "us", "ratio": ratio}
                | {"ratio_to": "bn"}
            )
            print(f"  {name:<17} {variant:<4} {numbers['median']:>8} us  x bn {ratio}", flush=True)
    if options.save:
        results.append("host", rows)


def _a_call(work: Callable[[], object], calls: int) -> float:
    results.wait()
    began = time.perf_counter()
    for _ in range(calls):
        work()
    took = (time.perf_counter() - began) / calls
    results.wait()
    return took
