"""Tables of speed, from benchmarks/results.csv and the logs of the GPU."""

import csv
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median

from benchmarks.norms import norm_shapes
from docs.made.markdown import table

REPOSITORY = Path(__file__).parents[2]
Row = Mapping[str, str]

NORMS = {
    "bn": "`nn.BatchNorm2d`",
    "gn": "GroupNorm, 32 groups",
    "in": "`nn.InstanceNorm2d`",
    "sn-plain": "SwitchNorm, plain formula",
    "sn": "**SwitchNorm**",
    "bn-relu": "`nn.BatchNorm2d`, then ReLU",
    "sn-relu": "**SwitchNorm with its ReLU**",
    "floor": "floor: what SN must read and write, at the speed of `copy_`",
}
PASSES = {"forward+backward": "training", "forward": "forward", "evaluation": "evaluation"}
LAYOUTS = ("contiguous", "channels_last")
# The commits that the tables speak of; results.csv keeps those before them as well.
NORMS_COMMIT, STEPS_COMMIT, GPU_COMMIT = "4e07d72b3ce3", "d327630a9639", "671af576b687"
EVALUATION_COMMIT, DATA_COMMIT = "bbcf084aa918", "7fa2b24cbe2b"


@functools.cache
def _rows(benchmark: str, commit: str) -> list[Row]:
    with (REPOSITORY / "benchmarks" / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["benchmark"] == benchmark]
    return [row for row in rows if row["commit"].startswith(commit)]


def _case(row: Row) -> tuple[tuple[int, ...], str]:
    shape, layout = row["case"].split()[:2]
    return tuple(map(int, shape.split("x"))), layout


def norms_on_a_cpu() -> str:
    """Return all norms of a dilated ResNet-50 at 192x256, relative to BatchNorm."""
    return _norms(NORMS, norm_shapes("resnet50_dilated8", 2, (192, 256)), memory=True)


def norms_on_small_maps() -> str:
    """Return the fused layer on the maps of a plain ResNet-50 at 224x224."""
    return _norms(["bn", "sn", "sn-relu"], norm_shapes("resnet50", 2, (224, 224)), memory=False)


def _norms(variants: Iterable[str], counts: Counter[tuple[int, ...]], memory: bool) -> str:
    rows = [row for row in _rows("norms", NORMS_COMMIT) if _case(row)[0] in counts]
    head = [f"{layout}: {name}" if name == "training" else name for layout in LAYOUTS for name in PASSES.values()]
    lines = []
    for variant in variants:
        cells = [_relative(rows, variant, layout, name, counts) for layout in LAYOUTS for name in PASSES]
        lines.append([NORMS[variant], *cells, *([_memory(rows, variant)] if memory else [])])
    return table(["", *head, *(["peak memory"] if memory else [])], lines)


def _relative(rows: Iterable[Row], variant: str, layout: str, name: str, counts: Counter[tuple[int, ...]]) -> str:
    """Return the time of all norms together, and the median over their shapes, both relative to BatchNorm."""
    of: dict[str, dict[tuple[int, ...], Row]] = {"bn": {}, variant: {}}
    for row in rows:
        if row["measure"] == name and row["variant"] in of and _case(row)[1] == layout:
            of[row["variant"]][_case(row)[0]] = row
    total, batch_norm = (
        sum(counts[shape] * float(of[v][shape]["median"]) for shape in counts) for v in (variant, "bn")
    )
    typical = median(float(row["ratio"]) for row in of[variant].values())
    return "1" if variant == "bn" else f"{total / batch_norm:.2f} / {typical:.2f}"


def _memory(rows: Iterable[Row], variant: str) -> str:
    """Return the peak relative to BatchNorm's; of the two layouts where they differ."""
    own = [row for row in rows if (row["variant"], row["measure"]) == (variant, "peak memory")]
    ratios = [f"{float(row['ratio']):.1f}" for row in sorted(own, key=lambda row: _case(row)[1], reverse=True)]
    return " and ".join(dict.fromkeys(ratios))


def steps_on_a_cpu() -> str:
    """Return a training step of a dilated ResNet-50 with SN beside one with BN."""
    rows = [row for row in _rows("train", STEPS_COMMIT) if row["measure"] == "step"]
    lines = []
    for layout in LAYOUTS:
        own = {row["variant"]: row for row in rows if ("channels_last" in row["case"]) == (layout == "channels_last")}
        lines.append(
            [layout, *(f"{float(own[v]['median']):.2f}" for v in ("bn", "sn")), f"{float(own['sn']['ratio']):.3f}"]
        )
    return table(["seconds a step", "BN", "SN", "SN / BN"], lines)


def norms_on_a_gpu() -> str:
    """Return all norms of a dilated ResNet-50 at 512x512 on an H200, as kernels alone."""
    ratios = _gpu_ratios()
    order = ("channels_last", "contiguous")
    head = [f"{layout}: forward" if name == "forward" else PASSES[name] for layout in order for name in _GPU_PASSES]
    lines = [
        [NORMS[variant], *(ratios[layout, name, variant] for layout in order for name in _GPU_PASSES)]
        for variant in ("gn", "in", "sn", "bn-relu", "sn-relu")
    ]
    return table(["bfloat16, x BatchNorm2d", *head], lines)


_GPU_PASSES = ("forward", "forward+backward", "evaluation")


def _gpu_ratios() -> dict[tuple[str, str, str], str]:
    """Return (layout, pass, variant) -> the ratio to BatchNorm of all norms together."""
    found, layout = {}, ""
    for line in (REPOSITORY / "docs/results/gpu-h200/norms.log").read_text(encoding="utf-8").splitlines():
        if line.startswith("====="):
            layout = line.split()[-1]
        elif measured := re.fullmatch(r"  (\S+) +(\S+) +[\d.]+ +([\d.]+) +[\d.]+", line):
            found[layout, measured[1], measured[2]] = measured[3]
    return found


def steps_on_a_gpu() -> str:
    """Return whole training steps on an H200, eager and captured."""
    rows = {(_images(row), row["variant"], row["measure"]): row for row in _rows("train", GPU_COMMIT)}
    named = {"bn": "BN", "sn": "**SN**", "gn": "GN", "torchvision-bn": "torchvision's fcn_resnet50 with BN"}
    lines = [
        [title, *(_step(rows, images, variant + way) for images in ("2", "8") for way in ("", "-captured"))]
        for variant, title in named.items()
    ]
    return table(["", "2 images, eager", "captured", "8 images, eager", "captured"], lines)


def _images(row: Row) -> str:
    return row["case"].split()[1].partition("x")[0]


def _step(rows: Mapping[tuple[str, str, str], Row], images: str, variant: str) -> str:
    if (images, variant, "step") not in rows:
        return ""
    step, speed = (float(rows[images, variant, measure]["median"]) for measure in ("step", "speed"))
    return f"{1e3 * step:.1f} ({speed:.0f})"


def evaluation() -> str:
    """Return the time of an evaluated image beside the loop of 2018."""
    rows = _rows("evaluate", EVALUATION_COMMIT)
    loops = {
        "plain 2018 loop, plain SN": "the loop of 2018",
        "plain 2018 loop": "the same with today's layer",
        "switchseg SN": "`switchseg evaluate`",
        "switchseg SN bf16": "`--precision bf16 --channels-last`",
        "switchseg BN": "`switchseg evaluate`, BN in place of SN",
    }
    first = next(iter(loops))
    cells = {
        (row["case"].rsplit(", ")[-1], row["variant"]): f"{float(row['median']):.2f}, {1 / float(row['ratio']):.1f} x"
        for row in rows
        if row["ratio_to"] == first
    }
    scales = ("one scale", "four scales")
    lines = [
        [title, *(cells[scale, loop].removesuffix(", 1.0 x") for scale in scales)] for loop, title in loops.items()
    ]
    return table(["", "one scale (450)", "four scales (300 to 600)"], lines)


def pipelines() -> str:
    """Return how many times as fast as others one data worker is."""
    rows = {
        (row["case"], row["variant"], row["ratio_to"]): f"{float(row['ratio']):.1f} x"
        for row in _rows("data", DATA_COMMIT)
        if row["measure"] == "speed"
    }
    named = {
        "`short_side`": ("short_side", "switchseg"),
        "`short_side`, simplejpeg": ("short_side", "switchseg, simplejpeg"),
        "`short_side`, `resize: pillow`": ("short_side", "switchseg, Pillow's resize"),
        "`crop` without colours": ("crop", "switchseg"),
        "`crop` with colours": ("crop with colours", "switchseg"),
    }
    others = ("plain 2018", "torchvision v2")
    lines = [[title, *(rows.get((*key, other), "") for other in others)] for title, key in named.items()]
    return table(["", "to the plain 2018 pipeline (PIL and NumPy)", "to torchvision v2"], lines)


TABLES: dict[str, Callable[[], str]] = {
    "norms-on-a-cpu": norms_on_a_cpu,
    "norms-on-small-maps": norms_on_small_maps,
    "steps-on-a-cpu": steps_on_a_cpu,
    "norms-on-a-gpu": norms_on_a_gpu,
    "steps-on-a-gpu": steps_on_a_gpu,
    "evaluation-speed": evaluation,
    "pipeline-speed": pipelines,
}
