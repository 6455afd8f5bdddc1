"""What the runs were: the settings that differ, the environment and the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import yaml

from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import Run
from switchseg.reports.sections.parts import line_key, scrolling, titled_table
from switchseg.reports.series import curve
from switchseg.reports.settings import differing, written
from switchseg.reports.table import DASH


def section(runs: Sequence[Run]) -> Markup:
    """Return the differences of the configs, a table of environment and time, and the whole configs folded away."""
    return join(_differences(runs), _environment(runs), [_whole_config(run) for run in runs if run.config])


def duration(seconds: float) -> str:
    """Write a time in the two units that matter."""
    whole = round(seconds)
    if whole < 60:
        # A few images are evaluated in less than a second.
        return f"{seconds:.1f} s" if whole < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _differences(runs: Sequence[Run]) -> Markup | None:
    if len(runs) == 1:
        return None
    found = differing(runs)
    if not found:
        return tag("p", "The configs of the runs are equal.", class_="lead")
    lead = tag("p", "Settings that differ between the runs; all others are equal.", class_="lead")
    return join(
        lead, _table("Config differences", "Setting", runs, {k: list(map(_value, v)) for k, v in found.items()})
    )


def _environment(runs: Sequence[Run]) -> Markup:
    # The last session's: a run may have gone on with another machine or version.
    starts = [run.events.get("start", [{}])[-1] for run in runs]
    rows = {
        "State": [_state(run) for run in runs],
        "Time at work": [duration(run.seconds) for run in runs],
        "Images per second, median": [_median_speed(run) for run in runs],
        "Evaluation, single scale": [_evaluation_time(run) for run in runs],
        "Training images": [_value(start.get("images")) for start in starts],
        "Parameters": [_value(start.get("parameters")) for start in starts],
    }
    environments = [start.get("environment") or {} for start in starts]
    for key in dict.fromkeys(key for environment in environments for key in environment):
        rows[str(key).replace("_", " ").capitalize()] = [_value(environment.get(key)) for environment in environments]
    lead = tag("p", "Where the runs were made, and how long they took.", class_="lead")
    return join(lead, _table("Environment and time", "", runs, rows))


def _state(run: Run) -> str:
    steps = f"{run.last_step} of {run.setting('train.steps', run.last_step)} steps"
    notes = "" if not run.unreadable_lines else f", {run.unreadable_lines} unreadable log line(s) left out"
    return (f"finished, {steps}" if run.finished else f"stopped or still going, {steps}") + notes


def _median_speed(run: Run) -> str:
    speed = curve(run, "train", "images_per_second")
    return f"{np.median(speed.values):.2f}" if len(speed) else DASH


def _evaluation_time(run: Run) -> str:
    return DASH if run.single is None else f"{duration(run.single.seconds)} for {run.single.images} images"


def _whole_config(run: Run) -> Markup:
    text = yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True)
    region = scrolling(tag("pre", text), f"Config of {run.label}")
    return tag("details", tag("summary", f"{run.label}: the whole config"), region)


def _table(title: str, corner: str, runs: Sequence[Run], rows: dict[str, list[str]]) -> Markup:
    heads = [tag("th", line_key(index), run.label, scope="col") for index, run in enumerate(runs)]
    corner_cell = tag("th", corner, scope="col") if corner else tag("td")
    body = [tag("tr", tag("th", key, scope="row"), [tag("td", cell) for cell in row]) for key, row in rows.items()]
    return titled_table(title, tag("tr", corner_cell, heads), body, "facts")


def _value(value: Any) -> str:
    if value is None:
        return DASH
    # Thin spaces from five digits on; a seed or a year of four digits reads better without.
    if isinstance(value, int) and not isinstance(value, bool) and value >= 10_000:
        return f"{value:,}".replace(",", "\u2009")
    return written(value)
