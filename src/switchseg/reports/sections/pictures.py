"""A few images with truth and, for every run, prediction, errors and confidence; the best first, the worst last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from switchseg.classes import Classes
from switchseg.labels import IGNORED
from switchseg.reports import images
from switchseg.reports.images import Answer, Source
from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import Picture, Run
from switchseg.reports.sections.parts import line_key, swatch

MOST = 8
"""More images than this make the page heavy."""
ENDS = 2
"""How many of the best and of the worst are shown then; between them come some that are spread evenly."""

Answers = dict[int, Answer]
"""What each run, by its place in the report, said about an image."""


def section(runs: Sequence[Run]) -> Markup | None:
    """Return the images of all runs; None where no run kept any."""
    # For all or for none: fractions of right pixels and mean IoUs cannot be sorted into one order.
    ranked = all(picture.name in run.image_scores for run in runs for picture in run.pictures)
    cases = sorted(_of_all(runs, list(_cases(runs))), key=lambda case: -_score(runs, case[0], case[1], ranked))
    if not cases:
        return None
    shown = _chosen(cases)
    lead = (
        f"{_order(runs, ranked, len(cases))} "
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
    # Of different data sets, two images may have the same name.
    same: dict[tuple[str, bytes], dict[int, Picture]] = {}
    for index, run in enumerate(runs):
        for picture in run.pictures:
            # The bytes of the truth tell them apart; runs on the same data keep equal files of it.
            same.setdefault((picture.name, picture.truth.read_bytes()), {})[index] = picture
    for kept in same.values():
        source = images.read_source(next(iter(kept.values())))
        yield source, {index: images.read_answer(picture, source) for index, picture in kept.items()}


def _of_all(runs: Sequence[Run], cases: Sequence[tuple[Source, Answers]]) -> Sequence[tuple[Source, Answers]]:
    """Return the images that were kept by every run that was scored on them; all images, if there is none like that.

    One that a single run kept, as its own best or worst, would stand there without the predictions of the others.
    """
    kept = set().union(*(answers for _, answers in cases))
    scored = [{i for i in kept if source.name in runs[i].image_scores} or kept for source, _ in cases]
    whole = [case for case, needed in zip(cases, scored, strict=True) if needed <= case[1].keys()]
    return whole or cases


def _score(runs: Sequence[Run], source: Source, answers: Answers, ranked: bool) -> float:
    values = [runs[i].image_scores[source.name] if ranked else answer.right for i, answer in answers.items()]
    return float(np.mean(values))


def _order(runs: Sequence[Run], ranked: bool, kept: int) -> str:
    mean = ", the mean of the runs" if len(runs) > 1 else ""
    if not ranked:
        return f"From the image with the most right pixels{mean} to the one with the fewest, of {kept} that were kept."
    # Of all runs: they may have been scored on different images.
    count = len(set().union(*(run.image_scores for run in runs)))
    return (
        f"From the best to the worst of {kept} images that were kept of {count}, by the mean IoU over the classes of "
        f"the image{mean}."
    )


def _chosen(cases: Sequence[tuple[Source, Answers]]) -> Sequence[tuple[Source, Answers]]:
    if len(cases) <= MOST:
        return cases
    between = np.linspace(ENDS, len(cases) - ENDS - 1, MOST - 2 * ENDS).round().astype(int).tolist()
    return [*cases[:ENDS], *(cases[index] for index in between), *cases[len(cases) - ENDS :]]


def _figure(runs: Sequence[Run], source: Source, answers: Answers, rank: str = "") -> Markup:
    truth = images.shrunk(source.truth, source.size)
    classes = _classes(runs, truth, answers)
    tiles = [
        _tile("Image", images.photograph(source.image), f"Photograph {source.name}", source),
        _tile("Truth", images.colour_map(truth, classes), f"True classes of {source.name}", source),
    ]
    columns = [tag("div", tiles, _legend(truth, answers, classes), class_="strip source")]
    columns += [_strip(runs[i], i, source, truth, answer, classes) for i, answer in answers.items()]
    badge = tag("span", rank, class_=f"badge {rank}") if rank else None
    caption = tag("figcaption", tag("strong", source.name), " ", badge)
    shape = "case" if len(answers) > 1 else "case single"
    return tag("figure", caption, tag("div", columns, class_=shape, style=f"--columns:{len(columns)}"), class_="wide")


def _strip(run: Run, place: int, source: Source, truth: images.Labels, answer: Answer, classes: Classes) -> Markup:
    label = run.label
    errors = images.error_map(source.image, truth, answer.labels)
    right = f"{100 * answer.right:.1f} %"
    tiles = [
        _tile("Prediction", images.colour_map(answer.labels, classes), f"Classes predicted by {label}", source),
        _tile("Errors", errors, f"Wrong pixels of {label}: {right} of the pixels are right", source),
        _tile("Confidence", images.confidence_map(answer.confidence), f"Confidence of {label}", source),
    ]
    score = run.image_scores.get(source.name)
    scores = f"{right} right" if score is None else f"{right} right, mIoU {100 * score:.1f}"
    heading = tag("p", line_key(place), tag("strong", label), tag("span", scores, class_="sub"), class_="who")
    return tag("div", heading, tiles, class_="strip")


def _tile(title: str, uri: str, description: str, source: Source) -> Markup:
    height, width = source.size
    picture = tag("img", src=uri, alt=description, width=width, height=height, loading="lazy", decoding="async")
    return tag("div", picture, tag("span", title, class_="sub"), class_="tile")


def _legend(truth: images.Labels, answers: Answers, classes: Classes) -> Markup:
    maps = [truth, *(answer.labels for answer in answers.values())]
    share = np.mean([np.bincount(m.ravel(), minlength=IGNORED + 1)[: IGNORED + 1] / m.size for m in maps], axis=0)
    chosen = [index for index in np.argsort(-share[: len(classes)]) if share[index]]
    entries = [tag("li", swatch(classes.palette[index]), classes.names[index]) for index in chosen]
    if share[IGNORED] and len(classes) <= IGNORED:
        entries.append(tag("li", tag("i", class_="swatch ignored"), "not labelled"))
    return tag("ul", entries, class_="legend small", aria_label="Classes in this image")


def _classes(runs: Sequence[Run], truth: images.Labels, answers: Answers) -> Classes:
    known = next((runs[index].classes for index in answers if runs[index].classes is not None), None)
    maps = [truth, *(answer.labels for answer in answers.values())]
    return known or Classes.unnamed(1 + max(int(m[m != IGNORED].max(initial=0)) for m in maps))
