"""Many runs as a study: means over seeds, their spread, and paired differences to the first norm."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from switchseg.errors import UserError
from switchseg.reports.runs import Run
from switchseg.reports.samples import Sample, difference_text, score_text
from switchseg.reports.variants import variant_titles

SCORE = "mean_iou_all_classes"
"""The score of the 2018 rule, as in the table of single runs."""

RULE = (
    "mIoU in percent by the 2018 rule, mean ± standard deviation over seeds, number of seeds in brackets. Differences "
    "are paired: same seed, same number of images per device; in brackets how many of them are above zero."
)


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


def _table(
    study: Study, variants: list[str], cell: Callable[[str, int], str], corner: str = "images per device"
) -> str:
    lines = [f"| {corner} | {' | '.join(variants)} |", "|---|" + "---:|" * len(variants)]
    lines += [f"| {images} | {' | '.join(cell(variant, images) for variant in variants)} |" for images in study.images]
    return "\n".join(lines)


def _sample_json(sample: Sample) -> dict[str, Any]:
    deviation = None if math.isnan(sample.deviation) else sample.deviation
    return {"mean": sample.mean, "deviation": deviation, "by_seed": dict(sample.values)}


def _whole(run: Run, key: str, default: int) -> int:
    value = run.setting(key, default)
    if type(value) is not int:
        raise UserError(f"{run.path}: {key} of its config.yaml is {value!r}; a whole number was expected")
    return value
