"""A few images with truth and, for every run, prediction, errors and confidence; the best first, the worst last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from switchseg.data.classes import IGNORED, Classes
from switchseg.reports import images
from switchseg.reports.images import Answer, Source
from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import Run
from switchseg.reports.sections.parts import line_key, swatch

MOST = 8
"""More images than this make the page heavy: the best and the worst of what the runs kept are shown."""
SMALLEST_SHARE = 0.002
"""A class with a smaller share of an image is left out of the legend."""

Answers = dict[int, Answer]
"""What each run, by its place in the report, said about an image."""


def section(runs: Sequence[Run]) -> Markup | None:
    """Return the images of all runs; None where no run kept any."""
    cases = sorted(_cases(runs), key=lambda case: -_score(case[1]))
    if not cases:
        return None
    shown = cases if len(cases) <= MOST else cases[: MOST // 2] + cases[-(MOST // 2) :]
    lead = (
        "From the image with the most right pixels to the one with the fewest, of those that the runs kept. "
        "Wrong pixels are red on the faded image; confidence goes from dark (unsure) to bright yellow (sure)."
    )
    if len(shown) == 1:
        return join(tag("p", lead, class_="lead"), _figure(runs, *shown[0]))
    best, *others, worst = shown
    between = [_figure(runs, *case) for case in others]
    folded = tag("details", tag("summary", f"{len(between)} more images, from better to worse"), between)
    ends = _figure(runs, *best, rank="best"), _figure(runs, *worst, rank="worst")
    return join(tag("p", lead, class_="lead"), ends, folded if between else None)


def _cases(runs: Sequence[Run]) -> Iterable[tuple[Source, Answers]]:
    names = dict.fromkeys(picture.name for run in runs for picture in run.pictures)
    for name in names:
        kept = {i: p for i, run in enumerate(runs) for p in run.pictures if p.name == name}
        source = images.read_source(next(iter(kept.values())))
        yield source, {index: images.read_answer(picture, source) for index, picture in kept.items()}


def _score(answers: Answers) -> float:
    return float(np.mean([answer.right for answer in answers.values()]))


def _figure(runs: Sequence[Run], source: Source, answers: Answers, rank: str = "") -> Markup:
    truth = images.shrunk(source.truth, source.size)
    classes = _classes(runs, truth, answers)
    tiles = [
        _tile("Image", images.photograph(source.image), f"Photograph {source.name}", source),
        _tile("Truth", images.colour_map(truth, classes), f"True classes of {source.name}", source),
    ]
    columns = [tag("div", tiles, _legend(truth, answers, classes), class_="strip source")]
    columns += [_strip(runs[i].label, i, source, truth, answer, classes) for i, answer in answers.items()]
    badge = tag("span", rank, class_=f"badge {rank}") if rank else None
    caption = tag("figcaption", tag("strong", source.name), " ", badge)
    return tag("figure", caption, tag("div", columns, class_="case", style=f"--columns:{len(columns)}"), class_="wide")


def _strip(label: str, run: int, source: Source, truth: images.Labels, answer: Answer, classes: Classes) -> Markup:
    errors = images.error_map(source.image, truth, answer.labels)
    right = f"{100 * answer.right:.1f} %"
    tiles = [
        _tile("Prediction", images.colour_map(answer.labels, classes), f"Classes predicted by {label}", source),
        _tile("Errors", errors, f"Wrong pixels of {label}: {right} of the pixels are right", source),
        _tile("Confidence", images.confidence_map(answer.confidence), f"Confidence of {label}", source),
    ]
    heading = tag("p", line_key(run), tag("strong", label), tag("span", f"{right} right", class_="sub"), class_="who")
    return tag("div", heading, tiles, class_="strip")


def _tile(title: str, uri: str, description: str, source: Source) -> Markup:
    height, width = source.size
    picture = tag("img", src=uri, alt=description, width=width, height=height, loading="lazy", decoding="async")
    return tag("div", picture, tag("span", title, class_="sub"), class_="tile")


def _legend(truth: images.Labels, answers: Answers, classes: Classes) -> Markup:
    maps = [truth, *(answer.labels for answer in answers.values())]
    share = np.mean([np.bincount(m.ravel(), minlength=IGNORED + 1)[: IGNORED + 1] / m.size for m in maps], axis=0)
    chosen = [index for index in np.argsort(-share[: len(classes)]) if share[index] >= SMALLEST_SHARE]
    entries = [tag("li", swatch(classes.palette[index]), classes.names[index]) for index in chosen]
    if share[IGNORED] >= SMALLEST_SHARE and len(classes) <= IGNORED:
        entries.append(tag("li", tag("i", class_="swatch ignored"), "not labelled"))
    return tag("ul", entries, class_="legend small", aria_label="Classes in this image")


def _classes(runs: Sequence[Run], truth: images.Labels, answers: Answers) -> Classes:
    known = next((runs[index].classes for index in answers if runs[index].classes is not None), None)
    maps = [truth, *(answer.labels for answer in answers.values())]
    return known or Classes.unnamed(1 + max(int(m[m != IGNORED].max(initial=0)) for m in maps))
