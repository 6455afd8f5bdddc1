"""What a study of many runs says: mean and spread of each norm, and its lead over the first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import Run
from switchseg.reports.samples import Sample, difference_text, score_text, spread_text
from switchseg.reports.sections.parts import line_key, titled_table
from switchseg.reports.study import RULE, Study, collect_study
from switchseg.reports.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Scale, nice_ticks, percent_text, value_grid
from switchseg.reports.theme import run_class, run_ink


def section(runs: Sequence[Run]) -> Markup | None:
    """Return chart and table; None where every run is one of a kind."""
    study = collect_study(runs)
    if study is None or not study.is_repeated:
        return None
    lead = f"mIoU over the number of images per device; {study.variants[0]} is what the others are compared with."
    legend = [tag("li", line_key(index), variant) for index, variant in enumerate(study.variants)]
    chart = tag("figure", tag("figcaption", "mIoU, mean and standard deviation over seeds"), study_chart(study))
    return join(
        tag("p", lead, class_="lead"),
        tag("ul", legend, class_="legend", aria_label="Norms"),
        tag("div", chart, class_="charts"),
        titled_table("Study", _head(study), _rows(study), "results"),
        tag("p", RULE, class_="note"),
    )


def finding(study: Study) -> str:
    """Say for each number of images which variant is best on average, and how far ahead of the next."""
    parts = []
    for images in study.images:
        means = sorted(
            ((sample.mean, variant) for (variant, count), sample in study.cells.items() if count == images),
            reverse=True,
        )
        (best, name), *others = means
        lead = _lead(100 * (best - others[0][0]), others[0][1]) if others else ""
        text = spread_text(study.cells[name, images])
        parts.append(f"at {images} image{'s' * (images > 1)} {name} has the highest mean, {text} %{lead}")
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _lead(points: float, over: str) -> str:
    # As it is printed: what is equal to the last digit leads nobody.
    return f", {points:.2f} points above {over}" if f"{points:.2f}" != "0.00" else f", as {over} has"


def study_chart(study: Study) -> Markup:
    """Draw a line of means per variant with bars of one standard deviation, and a dot for each run."""
    scores = [value for sample in study.cells.values() for value in sample.values.values()]
    ticks = nice_ticks(min(scores), max(scores), 5)
    y = Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    x = Scale(-0.5, len(study.images) - 0.5, LEFT, WIDTH - RIGHT / 2)
    names = [
        tag("text", f"{images}", x=x(float(index)), y=HEIGHT - 10, text_anchor="middle")
        for index, images in enumerate(study.images)
    ]
    described = "; ".join(f"{v}, {i} images: {score_text(sample)}" for (v, i), sample in study.cells.items())
    return tag(
        "svg",
        value_grid(x, y, ticks, percent_text),
        names,
        [_variant(study, index, x, y) for index in range(len(study.variants))],
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        role="img",
        aria_label=f"mIoU over images per device. {described}.",
        class_="chart",
    )


def _variant(study: Study, index: int, x: Scale, y: Scale) -> Markup:
    variant = study.variants[index]
    marks: list[Markup | None] = []
    means: list[str] = []
    # Beside each other, so that the bars of equal scores do not hide one another.
    offset = 0.12 * (index - (len(study.variants) - 1) / 2)
    for place, images in enumerate(study.images):
        sample = study.cells.get((variant, images))
        if sample is None:
            continue
        across = x(place + offset)
        means.append(f"{across:.1f},{y(sample.mean):.1f}")
        marks += [tag("circle", cx=across, cy=y(value), r=2, class_="dot raw") for value in sample.values.values()]
        marks.append(tag("circle", cx=across, cy=y(sample.mean), r=4, class_="dot"))
        marks.append(_bar(sample, across, y))
    line = tag("polyline", points=" ".join(means), class_="line", stroke_dasharray=run_ink(index).dash or None)
    return tag("g", line, marks, class_=run_class(index))


def _bar(sample: Sample, across: float, y: Scale) -> Markup | None:
    if math.isnan(sample.deviation):
        return None
    low, high = y(sample.mean - sample.deviation), y(sample.mean + sample.deviation)
    return tag("polyline", points=f"{across:.1f},{low:.1f} {across:.1f},{high:.1f}", class_="line")


def _head(study: Study) -> Markup:
    titles = [tag("th", line_key(index), variant, scope="col") for index, variant in enumerate(study.variants)]
    return tag("tr", tag("th", "Images per device", scope="col"), titles)


def _rows(study: Study) -> list[Markup]:
    return [
        tag("tr", tag("th", images, scope="row"), [_cell(study, variant, images) for variant in study.variants])
        for images in study.images
    ]


def _cell(study: Study, variant: str, images: int) -> Markup:
    difference = study.difference(variant, images) if variant != study.variants[0] else None
    sign = "" if difference is None or not difference.mean else " up" if difference.mean > 0 else " down"
    delta = None if difference is None else tag("span", difference_text(difference), class_=f"delta{sign}")
    score = tag("span", score_text(study.cells.get((variant, images))), class_="score")
    return tag("td", score, " " if delta else None, delta)
