"""Many runs as a study: means over seeds, their spread, and paired differences to the first norm."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from switchseg.errors import UserError
from switchseg.reports.runs import Run, norm_title
from switchseg.reports.settings import differing, written
from switchseg.reports.table import DASH, percent

SCORE = "mean_iou_all_classes"
"""The score of the 2018 rule, as in the table of single runs."""

RULE = (
    "mIoU in percent by the 2018 rule, mean ± standard deviation over seeds, number of seeds in brackets. Differences "
    "are paired: same seed, same number of images per device; in brackets how many of them are above zero."
)

# Settings that may differ between runs of one variant: those that a study goes through, those that follow from the
# batch size, and where and how a run was made and recorded.
_REPEATED = ("train.seed", "train.images_per_device", "model.norm")
_FOLLOWING = ("train.steps", "optim.warmup_steps")
_WHERE = (
    "plugins",
    "data.root",
    "data.workers",
    "train.device",
    "train.threads",
    "train.timeout",
    "train.recorders",
    "train.keep_checkpoints",
    "evaluate.pictures",
    "evaluate.extremes",
)


@dataclass(frozen=True)
class Sample:
    """Scores, or differences of scores, by seed."""

    values: Mapping[int, float]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.values.values())

    @property
    def deviation(self) -> float:
        """The standard deviation over seeds (n - 1); not a number for a single one."""
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else math.nan

    def minus(self, other: Sample) -> Sample | None:
        """Return the differences for the seeds that both have, None where they share none."""
        shared = {seed: value - other.values[seed] for seed, value in self.values.items() if seed in other.values}
        return Sample(shared) if shared else None


@dataclass(frozen=True)
class Study:
    """The scores of runs that differ in norm, number of images and seed.

    A variant is a norm, with the settings that set some of its runs apart from others.
    """

    cells: Mapping[tuple[str, int], Sample]
    """(variant, images per device) -> mIoU as a fraction by seed."""
    members: Mapping[tuple[str, int], Mapping[int, Run]]
    """The runs that the scores are of."""
    scales: str
    """`single` or `multi`."""

    @property
    def variants(self) -> list[str]:
        """The variants, in the order of the runs."""
        return list(dict.fromkeys(variant for variant, _ in self.cells))

    @property
    def images(self) -> list[int]:
        """The numbers of images per device, rising."""
        return sorted({images for _, images in self.cells})

    @property
    def is_repeated(self) -> bool:
        """Whether there is more than one run of a variant, so that there is more to say than of single runs."""
        return len(self.images) > 1 or any(len(sample.values) > 1 for sample in self.cells.values())

    def difference(self, variant: str, images: int) -> Sample | None:
        """Return a variant's paired differences to the first variant, None where there is no pair."""
        first, own = self.cells.get((self.variants[0], images)), self.cells.get((variant, images))
        return own.minus(first) if own is not None and first is not None else None

    def representatives(self) -> list[Run]:
        """Return one run of each variant, all of one batch size where that can be: the one that most variants have."""
        # Of batch sizes that equally many variants have, the smallest.
        common = max(self.images, key=lambda images: (sum(count == images for _, count in self.cells), -images))
        of_variant = {variant: runs for (variant, images), runs in self.members.items() if images == common}
        return [next(iter(of_variant[variant].values())) for variant in self.variants if variant in of_variant]

    def to_markdown(self) -> str:
        """Return a table of the scores and one of the differences, a row for each number of images."""
        first, *others = self.variants
        tables = [_table(self, self.variants, lambda v, i: score_text(self.cells.get((v, i))))]
        if others:
            corner = f"images per device; minus {first}"
            tables.append(_table(self, others, lambda v, i: difference_text(self.difference(v, i)), corner))
        return "\n\n".join(tables) + f"\n\n{self.scales.capitalize()} scale. {RULE}\n"

    def to_json(self) -> dict[str, Any]:
        """Return the rule and the cells, scores as fractions."""
        cells = [self._cell_json(variant, images, sample) for (variant, images), sample in self.cells.items()]
        return {"rule": RULE, "scales": self.scales, "first": self.variants[0], "cells": cells}

    def _cell_json(self, variant: str, images: int, sample: Sample) -> dict[str, Any]:
        difference = self.difference(variant, images)
        return {
            "variant": variant,
            "images_per_device": images,
            **_sample_json(sample),
            "difference_to_first": None if difference is None else _sample_json(difference),
        }


def collect_study(runs: Sequence[Run], scales: str = "single") -> Study | None:
    """Sort the scores of `runs` at `scales`, `single` or `multi`, into a study; None where no run has any.

    Raises:
        UserError: two runs are the same variant with the same images and seed.
    """
    scored = [run for run in runs if getattr(run, scales) is not None]
    members: dict[tuple[str, int], dict[int, Run]] = {}
    for variant, run in zip(variant_titles(scored), scored, strict=True):
        images, seed = _whole(run, "train.images_per_device", 1), _whole(run, "train.seed", 0)
        # Two runs of one seed are no repetition: counted both, they would narrow the spread.
        twin = members.setdefault((variant, images), {}).setdefault(seed, run)
        if twin is not run:
            raise UserError(f"{run.path}: {twin.path} is {variant} with {images} images and seed {seed} too; name one")
    cells = {
        key: Sample({seed: float(getattr(getattr(run, scales), SCORE)) for seed, run in by_seed.items()})
        for key, by_seed in members.items()
    }
    return Study(cells, members, scales) if cells else None


def collect_studies(runs: Sequence[Run]) -> list[Study]:
    """Return the studies at a single scale and at several, as far as they were scored and any run repeats another."""
    found = [study for scales in ("single", "multi") if (study := collect_study(runs, scales)) is not None]
    return [study for study in found if study.is_repeated]


def variant_titles(runs: Sequence[Run]) -> list[str]:
    """Name what each run was: its norm, and whatever else differs between runs of that norm besides seed and images."""
    # By identity, since runs hold dicts and arrays, which cannot be hashed.
    titles = {id(run): norm_title(run.norm) if run.norm else run.label for run in runs}
    for norm in dict.fromkeys(run.norm for run in runs):
        alike = [run for run in runs if run.norm == norm]
        for key, values in differing(alike).items():
            if not _is_of_variant(key, values, alike):
                continue
            for run, value in zip(alike, values, strict=True):
                titles[id(run)] += f", {key.rpartition('.')[2]} {'default' if value is None else written(value)}"
    return [titles[id(run)] for run in runs]


def _is_of_variant(key: str, values: Sequence[Any], runs: Sequence[Run]) -> bool:
    """Return whether a setting that differs between `runs` makes variants of them."""
    if key in _FOLLOWING:
        pairs = {(run.setting("train.images_per_device"), value) for run, value in zip(runs, values, strict=True)}
        return len(pairs) > len({images for images, _ in pairs})
    return not (key in _REPEATED or key.startswith(_WHERE) or key.endswith("_every"))


def _table(
    study: Study, variants: list[str], cell: Callable[[str, int], str], corner: str = "images per device"
) -> str:
    lines = [f"| {corner} | {' | '.join(variants)} |", "|---|" + "---:|" * len(variants)]
    lines += [f"| {images} | {' | '.join(cell(variant, images) for variant in variants)} |" for images in study.images]
    return "\n".join(lines)


def spread_text(sample: Sample, sign: str = "") -> str:
    """Write mean and deviation in points; a single value has no deviation."""
    # A true minus sign, as wide as the plus beside it.
    text = format(100 * sample.mean, f"{sign}.2f").replace("-", "−")
    return text if math.isnan(sample.deviation) else f"{text} ± {percent(sample.deviation)}"


def score_text(sample: Sample | None) -> str:
    """Write mean, deviation and number of seeds, or a dash."""
    return DASH if sample is None else f"{spread_text(sample)} ({len(sample.values)})"


def difference_text(sample: Sample | None) -> str:
    """Write mean and deviation of differences and how many are above zero, or a dash."""
    if sample is None:
        return DASH
    above = sum(value > 0 for value in sample.values.values())
    return f"{spread_text(sample, '+')} ({above} of {len(sample.values)})"


def _sample_json(sample: Sample) -> dict[str, Any]:
    deviation = None if math.isnan(sample.deviation) else sample.deviation
    return {"mean": sample.mean, "deviation": deviation, "by_seed": dict(sample.values)}


def _whole(run: Run, key: str, default: int) -> int:
    value = run.setting(key, default)
    if type(value) is not int:
        raise UserError(f"{run.path}: {key} of its config.yaml is {value!r}; a whole number was expected")
    return value
