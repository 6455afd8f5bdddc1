"""Norms on a network's shapes: torch's own, the plain formula, the operator, compiled or not, and the floor."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import torch
from torch import Tensor, nn

from benchmarks import results
from switchseg.cli.arguments import parse
from switchseg.errors import UserError
from switchseg.models.encoders.timm_encoder import create_encoder
from switchseg.norms import NORMS, SwitchNorm2d, SwitchNorm3d

Make = Callable[[int], nn.Module]

_REPOSITORY = Path(__file__).parents[1]

_LAYERS = {
    4: (nn.BatchNorm2d, nn.InstanceNorm2d, SwitchNorm2d),
    5: (nn.BatchNorm3d, nn.InstanceNorm3d, SwitchNorm3d),
}


def variants(dims: int = 4) -> dict[str, Make]:
    """Return what is compared on inputs with `dims` dimensions: name -> maker of a layer for a number of channels."""
    batch_norm, instance_norm, switch_norm = _LAYERS[dims]
    return {
        "bn": batch_norm,
        "syncbn": nn.SyncBatchNorm,
        "gn": NORMS["gn"],
        "in": lambda channels: instance_norm(channels, affine=True),
        "sn-plain": lambda channels: switch_norm(channels, backend="reference"),
        "sn": lambda channels: switch_norm(channels),
        "bn-relu": lambda channels: nn.Sequential(batch_norm(channels), nn.ReLU()),
        "sn-relu": lambda channels: switch_norm(channels, activation="relu"),
    }


COMPILED = {"bn-compiled": "bn", "sn-plain-compiled": "sn-plain", "sn-compiled": "sn"}
PASSES = ("forward", "forward+backward", "evaluation")

# Channels at every level of a 3d U-Net, with two convolutions a level on the way down and two on the way up.
_VOLUME_CHANNELS = (32, 64, 128, 256, 320)

# Reads and writes of a whole input that no implementation of SN can do without, where a copy does two.
_MOVES = {"forward": 3, "forward+backward": 8, "evaluation": 3}


@dataclass(frozen=True)
class Arguments:
    """Measure norms on the shapes that they have in a network."""

    encoder: str = "resnet50"
    """`resnet50_dilated8` is the one that segments; any encoder of `switchseg models`."""

    images: int = 2
    size: tuple[int, int] = (224, 224)
    """Height and width in pixels of the network's input."""
    volume: tuple[int, int, int] | None = None
    """Depth, height and width, multiples of 16: the norms of a 3d U-Net of that input instead of an encoder's."""
    channels_last: bool = False
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "cpu"
    threads: int = 2
    rounds: int = 15
    compile: bool = False
    """Also measure what torch.compile makes of BN, of the plain formula and of the operator; takes minutes."""
    graphs: bool = False
    """Replay CUDA graphs, to see the kernels rather than their launches."""
    memory: bool = True
    """Also measure the peak memory of forward and backward, each norm in a process of its own."""
    parity: bool = True
    """Run the tests that compare the operator with the formula first; no number without them."""
    save: bool = True
    """Append the rows to benchmarks/results.csv."""

    def case(self, shape: Sequence[int]) -> str:
        """Name an input for the table."""
        layout = "channels_last" if self.channels_last else "contiguous"
        return f"{'x'.join(map(str, shape))} {layout} {self.dtype}{' graph' * self.graphs}"


def run(arguments: Sequence[str]) -> None:
    """Check parity, measure, print and record."""
    options = parse(Arguments, "bench norms", arguments)
    if options.graphs and not options.device.startswith("cuda"):
        raise UserError(f"--graphs replays CUDA graphs and needs --device cuda, not {options.device}")
    if options.parity:
        _check_parity()
    _warn_if_busy(options.threads)
    torch.set_num_threads(options.threads)
    results.keep_heap()
    shapes = (
        norm_shapes(options.encoder, options.images, options.size)
        if options.volume is None
        else volume_shapes(options.images, options.volume)
    )
    rows: list[dict[str, object]] = []
    for shape in shapes:
        case = options.case(shape)
        rows += [{"case": case, **row} for row in _measure(options, shape)]
        print(_line(case, [row for row in rows if row["case"] == case]), flush=True)
    _print_totals(options.encoder if options.volume is None else "a 3d U-Net", rows, list(shapes.values()))
    if options.memory:
        rows += _memory(options, max(shapes, key=math.prod))
    if options.save:
        results.append("norms", rows)


def norm_shapes(encoder: str, images: int, size: tuple[int, int]) -> Counter[tuple[int, ...]]:
    """Return the input shapes of an encoder's batch norms, and how many have each."""
    with torch.device("meta"):
        network = create_encoder(encoder)
        shapes: Counter[tuple[int, ...]] = Counter()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_pre_hook(lambda _, inputs: shapes.update([tuple(inputs[0].shape)]))
        network(torch.empty(images, 3, *size))
    return shapes


def volume_shapes(images: int, size: tuple[int, int, int]) -> Counter[tuple[int, ...]]:
    """Return the input shapes of the norms of a 3d U-Net, and how many have each."""
    last = len(_VOLUME_CHANNELS) - 1
    if any(side % 2**last for side in size):
        raise UserError(f"--volume takes multiples of {2**last}, not {' '.join(map(str, size))}")
    return Counter(
        {
            (images, channels, *(side >> level for side in size)): 2 if level == last else 4
            for level, channels in enumerate(_VOLUME_CHANNELS)
        }
    )


def _check_parity() -> None:
    """Refuse to time an operator that computes something else than the reference."""
    tests = ["tests/norms/operator/test_call.py", "tests/norms/test_modules.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-x", *tests]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, cwd=_REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        last = done.stdout.strip().splitlines()[-1:] or done.stderr.strip().splitlines()[-1:]
        raise UserError(f"no measurement: the parity tests in tests/norms fail ({' '.join(last)})")


def _warn_if_busy(threads: int) -> None:
    """Threads that wait for each other measure the scheduler once something else wants their cores."""
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    if busy + threads > cores + 0.5:
        print(
            f"warning: the load is {busy:.1f} on {cores} cores; only --threads 1 means something now", file=sys.stderr
        )


def make_input(shape: Sequence[int], channels_last: bool, dtype: str, device: str) -> Tensor:
    """Return a random input (N, C, H, W) or (N, C, D, H, W), or gradient, in the wanted layout."""
    last = torch.channels_last if len(shape) == 4 else torch.channels_last_3d
    order = last if channels_last else torch.contiguous_format
    return torch.randn(*shape, device=device, dtype=getattr(torch, dtype)).to(memory_format=order)


def make_pass(layer: nn.Module, x: Tensor, grad: Tensor, name: str) -> Callable[[], object]:
    """Return one of `PASSES` of `layer` as a function; gradients begin as None, as in a training step."""
    layer.train(name != "evaluation")
    leaves = [x, *layer.parameters()]

    def forward() -> None:
        with torch.no_grad():
            layer(x)

    def both() -> None:
        for leaf in leaves:
            leaf.grad = None
        layer(x).backward(grad)

    if name == "forward+backward":
        x.requires_grad_()
    return both if name == "forward+backward" else forward


def _measure(options: Arguments, shape: tuple[int, ...]) -> list[dict[str, object]]:
    torch.manual_seed(0)
    makers = variants(len(shape))
    layers: dict[str, nn.Module] = {name: make(shape[1]).to(options.device) for name, make in makers.items()}
    if options.device.startswith("cuda"):  # torch's kernels for these two want parameters of the type of the maps
        for name in ("gn", "in"):
            layers[name].to(getattr(torch, options.dtype))
    if options.compile:
        torch.compiler.reset()
        for name, of in COMPILED.items():
            layers[name] = makers[of](shape[1]).to(options.device)
            layers[name].compile()
    like = (shape, options.channels_last, options.dtype, options.device)
    grad = make_input(*like)
    rows: list[dict[str, object]] = []
    for name in PASSES:
        passes = {variant: make_pass(layer, make_input(*like), grad, name) for variant, layer in layers.items()}
        if options.graphs:
            passes = {variant: _graphed(work) for variant, work in passes.items()}
        copied = torch.empty_like(grad)
        passes["copy"] = lambda copied=copied: copied.copy_(grad)
        seconds = results.interleaved(passes, options.rounds, warm_up=3, primed=True)
        seconds["floor"] = [_MOVES[name] / 2 * time for time in seconds.pop("copy")]
        for variant, times in seconds.items():
            timing = results.summary(times)
            rows.append(
                {
                    "variant": variant,
                    "measure": name,
                    "median": f"{timing.median * 1e3:.4f}",
                    "low": f"{timing.low * 1e3:.4f}",
                    "high": f"{timing.high * 1e3:.4f}",
                    "unit": "ms",
                    "ratio": f"{results.ratio(times, seconds['bn']):.3f}",
                    "ratio_to": "bn",
                }
            )
    return rows


def _graphed(work: Callable[[], object]) -> Callable[[], object]:
    """Capture what `work` launches, after calls on a stream of their own that set everything up."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def _line(case: str, rows: Sequence[dict[str, object]]) -> str:
    parts = [case]
    for name in PASSES:
        cells = [
            f"{row['variant']} {row['ratio']}" for row in rows if row["measure"] == name and row["variant"] != "bn"
        ]
        bn = next(row["median"] for row in rows if row["measure"] == name and row["variant"] == "bn")
        parts.append(f"  {name:<17} bn {float(str(bn)):7.3f} ms; x bn: {', '.join(cells)}")
    return "\n".join(parts)


def _print_totals(encoder: str, rows: Sequence[dict[str, object]], counts: Sequence[int]) -> None:
    print(
        f"\nthe {sum(counts)} norms of {encoder} together, in ms, and x bn; then the median over their shapes of x bn"
    )
    names = list(dict.fromkeys(str(row["variant"]) for row in rows))
    for name in PASSES:
        for variant in names:
            own = [row for row in rows if (row["measure"], row["variant"]) == (name, variant)]
            base = [row for row in rows if (row["measure"], row["variant"]) == (name, "bn")]
            total, bn = (
                sum(count * float(str(row["median"])) for count, row in zip(counts, some, strict=True))
                for some in (own, base)
            )
            typical = median(float(str(row["ratio"])) for row in own)
            print(f"  {name:<17} {variant:<18} {total:9.2f} {total / bn:6.2f} {typical:6.2f}")


def _memory(options: Arguments, shape: tuple[int, ...]) -> list[dict[str, object]]:
    """Measure the largest shape, each norm in a fresh process whose allocator returns what it frees."""
    print(f"\npeak memory of forward and backward on {'x'.join(map(str, shape))}, MiB")
    rows: list[dict[str, object]] = []
    for variant in variants(len(shape)):
        command = [sys.executable, "-m", "benchmarks.norms_memory", variant, options.device, options.dtype]
        command += [str(options.channels_last), *map(str, shape)]
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": str(options.threads)}
        done = subprocess.run(command, env=environment, cwd=_REPOSITORY, capture_output=True, text=True, check=True)
        peak = float(done.stdout)
        base = peak if not rows else float(str(rows[0]["median"]))
        print(f"  {variant:<10} {peak:8.2f}  x bn {peak / base:.3f}")
        row = {
            "case": options.case(shape),
            "variant": variant,
            "measure": "peak memory",
            "median": f"{peak:.2f}",
            "unit": "MiB",
        }
        rows.append({**row, "ratio": f"{peak / base:.3f}", "ratio_to": "bn"})
    return rows
