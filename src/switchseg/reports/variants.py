"""What sets the runs of a study apart: their norm, and the settings that make variants of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from switchseg.reports.runs import Run, norm_title
from switchseg.reports.settings import differing, written

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
