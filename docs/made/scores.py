"""Tables of scores, from the runs in docs/results and models."""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from docs.made.markdown import table
from switchseg.reports.runs import Evaluation, Run, norm_title, read_run, read_runs
from switchseg.reports.samples import Sample, score_text, spread_text
from switchseg.reports.series import last_shares
from switchseg.reports.table import percent, results_table

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "docs" / "results"
SEEDS = (304, 305, 306)

# What a fine-tuning run was, besides its seed: norm, model.norm_init, optim.mixing_lr_scale.
Variant = tuple[str, str, float | None]


def quickstart() -> str:
    """Return the table of `make quickstart`."""
    scores, note = results_table(quickstart_runs()).to_markdown().strip().split("\n\n")
    return f"{scores}\n\n{textwrap.fill(note, 118)}"


def quickstart_runs() -> list[Run]:
    """Return the runs of `make quickstart`."""
    return read_runs([RESULTS / "quickstart" / norm for norm in ("syncbn", "gn", "sn")])


def fine_tuning() -> str:
    """Return the seeds of every start and rate of the mixtures, two images a step on a CPU."""
    variants = _by_variant(_fine_tuned(2))
    batch_norm = _sample(variants["bn", "", None])
    head = ["norm", "start", "rate", *map(str, SEEDS), "mean ± deviation", "minus BN, paired"]
    head += ["moved: encoder", "decoder"]
    rows = []
    for (norm, start, rate), runs in variants.items():
        sample = _sample(runs)
        seeds = [percent(sample.values[seed]) if seed in sample.values else "" for seed in SEEDS]
        difference = "" if norm == "bn" else spread_text(sample.minus(batch_norm) or Sample({}), "+")
        named = [norm_title(norm), start, "" if rate is None else f"{rate:g}"]
        rows.append([*named, *seeds, spread_text(sample), difference, *_moves(runs, start)])
    return table(head, rows, words=2)


def fine_tuning_of_one() -> str:
    """Return the scores with one image a step."""
    variants = _by_variant(_fine_tuned(1))
    ranked = sorted(variants.items(), key=lambda item: -_sample(item[1]).mean)
    rows = [
        [norm_title(norm), start, "" if rate is None else f"{rate:g}", spread_text(_sample(runs))]
        for (norm, start, rate), runs in ranked
    ]
    return table(["norm", "start", "rate", "mIoU"], rows, words=2)


def _fine_tuned(images: int) -> list[Run]:
    runs = read_runs([RESULTS / "camvid-lite0-cpu"])
    return [run for run in runs if run.setting("train.images_per_device") == images]


def _variant(run: Run) -> Variant:
    if run.norm != "sn":
        return run.norm, "", None
    return run.norm, str(run.setting("model.norm_init")), float(run.setting("optim.mixing_lr_scale"))


def _by_variant(runs: Iterable[Run]) -> dict[Variant, list[Run]]:
    norms, starts = ("bn", "gn", "sn_in_ln", "sn"), ("", "bn", "0.9", "uniform")
    ordered = sorted(
        runs, key=lambda run: (norms.index(run.norm), starts.index(_variant(run)[1]), _variant(run)[2] or 0)
    )
    found: dict[Variant, list[Run]] = {}
    for run in ordered:
        found.setdefault(_variant(run), []).append(run)
    return found


def _sample(runs: Iterable[Run]) -> Sample:
    return Sample({run.setting("train.seed"): run.single.mean_iou for run in runs if run.single})


def _moves(runs: Sequence[Run], start: str) -> list[str]:
    """Return how far the BN share of any layer is from its start at the end, of all runs that logged shares."""
    of_encoder = {"bn": 1.0, "0.9": 0.9}.get(start, 1 / 3)
    moves: dict[bool, list[float]] = {True: [], False: []}
    for shares in filter(None, map(last_shares, runs)):
        of_bn = [values[:, shares.statistics.index("bn")] for values in (shares.means, shares.variances)]
        for layer, *mixed in zip(shares.layers, *of_bn, strict=True):
            of_layer = of_encoder if layer.startswith("encoder") else 1 / 3  # the decoder has no weights to begin with
            moves[layer.startswith("encoder")] += [abs(share - of_layer) for share in mixed]
    return [f"{max(values):.3f}" if values else "" for values in moves.values()]


def norms_by_images(study: str) -> str:
    """Return the norms at 1, 2 and 4 images a step, the best of each in bold."""
    runs = read_runs([RESULTS / study])
    norms = ("bn", "sn_in_ln", "sn", "gn")
    rows = []
    for images in sorted({run.setting("train.images_per_device") for run in runs}):
        own = [run for run in runs if run.setting("train.images_per_device") == images]
        samples = {norm: _sample(run for run in own if run.norm == norm) for norm in norms}
        best = max(norms, key=lambda norm: samples[norm].mean if samples[norm].values else 0)
        rows.append([str(images), *(_cell(samples[norm], norm == best) for norm in norms)])
    return table(["images per device", *map(norm_title, norms)], rows)


def momentum() -> str:
    """Return SN with running statistics at 2018's momentum and at that of the BatchNorm it replaced, by seed."""
    rows = []
    for images in (1, 2, 4):
        for value, name in (("0.003", "camvid-lite0-cpu-momentum"), ("0.1", "camvid-lite0-cpu-study")):
            runs = [run for run in read_runs([RESULTS / name]) if run.setting("train.images_per_device") == images]
            sample = _sample(run for run in runs if run.norm == "sn")
            seeds = [percent(sample.values[seed]) for seed in SEEDS]
            rows.append([str(images), value, *seeds, spread_text(sample)])
    return table(["images per device", "momentum", *map(str, SEEDS), "mean ± deviation"], rows)


def _cell(sample: Sample, best: bool) -> str:
    if not sample.values:
        return "cannot be trained"
    score, count = score_text(sample).rsplit(" ", 1)
    return f"**{score}** {count}" if best else f"{score} {count}"


def segformer() -> str:
    """Return the scores of the network that was trained on a GPU and not kept."""
    return _one_run(RESULTS / "camvid-lite0-segformer-h200")


def from_scratch() -> str:
    """Return the scores of ResNet-18 with SN from scratch on a CPU."""
    return _one_run(RESULTS / "camvid-resnet18-sn-cpu")


def shipped() -> str:
    """Return the scores of the model that ships."""
    return _one_run(REPOSITORY / "models" / "camvid-tf_efficientnet_lite0-sn")


def _one_run(path: Path) -> str:
    run = read_run(path)
    rows = [_scales(evaluation) for evaluation in (run.single, run.multi) if evaluation]
    return table(["short sides", "mIoU", "pixel accuracy", "overall score"], rows)


def _scales(evaluation: Evaluation) -> list[str]:
    scores = (evaluation.mean_iou, evaluation.pixel_accuracy, evaluation.overall_score)
    return [" ".join(map(str, evaluation.short_sides)), *map(percent, scores)]


TABLES: dict[str, Callable[[], str]] = {
    "quickstart": quickstart,
    "fine-tuning": fine_tuning,
    "fine-tuning-of-one": fine_tuning_of_one,
    "norms-by-images": partial(norms_by_images, "camvid-lite0-h200"),
    "norms-by-images-on-a-cpu": partial(norms_by_images, "camvid-lite0-cpu-study"),
    "momentum": momentum,
    "segformer": segformer,
    "from-scratch": from_scratch,
    "shipped": shipped,
}
