"""One self-contained HTML page about a data set: what is wrong with it, its classes and a few examples."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from importlib.resources import files
from types import MappingProxyType

import numpy as np
from PIL import Image

from switchseg import __version__
from switchseg.data.advice import Advice
from switchseg.data.augment.sheet import Row
from switchseg.data.dataset import StoredDataset
from switchseg.data.findings import Findings
from switchseg.errors import UserError
from switchseg.labels import IGNORED
from switchseg.reports import sheet
from switchseg.reports.images import IGNORED_COLOUR, data_uri
from switchseg.reports.markup import Markup, tag

_EXAMPLES = 8
_SIDE = 320  # longest side of an example in pixels
_MOST_PROBLEMS = 200
_STYLE = """
.share { width: 40%; } .share i { display: block; height: 12px; min-width: 1px; background: var(--accent); }
.swatch { display: inline-block; width: 14px; height: 14px; margin-right: 10px; vertical-align: -2px;
  border: 1px solid var(--hair); }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 24px; }
.examples img { width: 50%; vertical-align: top; } .examples figcaption { margin: 6px 0 0; overflow-wrap: anywhere; }
thead th:nth-child(2), thead th:last-child { text-align: left; }
pre { padding: 12px 16px; background: var(--soft); overflow-x: auto; } tbody th { text-align: left; }
"""


def data_page(
    title: str,
    dataset: StoredDataset,
    found: Findings,
    advices: list[Advice],
    pictures: Mapping[tuple[int, int], Image.Image] = MappingProxyType({}),
    augmented: Sequence[Row] = (),
) -> str:
    """Return the page.

    Args:
        title: What the data set is called.
        dataset: Gives the examples.
        found: What was found in it.
        advices: What mends likely mistakes.
        pictures: Those of readings, by the numbers of the advice and of its reading.
        augmented: What augmentation makes of some images; nothing leaves the section out.
    """
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8") + _STYLE + sheet.STYLE
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} – SwitchSeg data check"),
        tag("style", Markup(style)),
        tag("link", rel="icon", href="data:,"),
    )
    body = tag(
        "body",
        tag(
            "header",
            tag("p", "SwitchSeg data check", class_="mark"),
            tag("h1", title),
            tag("p", _verdict(found, advices), class_="finding"),
            tag("p", _facts(found, dataset), class_="note"),
        ),
        tag(
            "main",
            _section("Problems", [tag("pre", "\n".join(_shortened(found.problems)))] if found.problems else []),
            _section("Likely mistakes", [_advice(number, advice, pictures) for number, advice in enumerate(advices)]),
            _section("Classes", [_classes(found, dataset)]),
            _section("Examples", [tag("div", _examples(dataset), class_="examples")]),
            _section("Augmentation", [*sheet.augmentation_sheet(augmented, dataset.classes)] if augmented else []),
        ),
        tag("footer", tag("p", f"Made by switchseg {__version__}.")),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _advice(number: int, advice: Advice, pictures: Mapping[tuple[int, int], Image.Image]) -> list[Markup]:
    readings = [
        tag("figure", _inline(np.asarray(pictures[number, place]), "png", str(reading)), tag("pre", reading))
        for place, reading in enumerate(advice.readings)
        if (number, place) in pictures
    ]
    if not readings:
        return [tag("p", advice.seen), tag("pre", advice.setting)]
    return [tag("p", advice.seen), *readings, *([tag("p", advice.remedy)] if advice.remedy else [])]


def _section(heading: str, content: list[object]) -> Markup | None:
    return tag("section", tag("h2", heading), content) if content else None


def _verdict(found: Findings, advices: Sequence[Advice]) -> str:
    if found.problems:
        return f"Training would stop: {len(found.problems)} of {found.images} samples cannot be used."
    if any(advice.stops for advice in advices):
        return "Training would stop, though every image and label can be read: see the likely mistakes."
    return "Every image and label can be trained on."


def _facts(found: Findings, dataset: StoredDataset) -> str:
    facts = [f"{found.images} images", f"{len(dataset.classes)} classes"]
    if found.sizes:
        heights, widths = zip(*found.sizes, strict=True)
        facts.append(f"{_range(heights)} pixels high, {_range(widths)} wide")
    return " · ".join(facts)


def _range(lengths: Sequence[int]) -> str:
    low, high = min(lengths), max(lengths)
    return str(low) if low == high else f"{low} to {high}"


def _shortened(problems: list[str]) -> list[str]:
    rest = len(problems) - _MOST_PROBLEMS
    return problems if rest <= 0 else [*problems[:_MOST_PROBLEMS], f"... and {rest} more"]


def _classes(found: Findings, dataset: StoredDataset) -> Markup:
    pixels, images = found.class_pixels(dataset.meaning), found.class_images(dataset.meaning)
    shares = pixels / max(1, pixels.sum())
    rows = [
        tag(
            "tr",
            tag("td", index),
            tag("th", tag("span", class_="swatch", style=f"background:rgb{colour}"), name, scope="row"),
            tag("td", f"{100 * share:.2f} %" if count else "never"),
            tag("td", f"{seen:,}"),
            tag("td", tag("i", style=f"width:{100 * share / max(shares.max(), 1e-9):.1f}%"), class_="share"),
        )
        for index, (name, colour, share, count, seen) in enumerate(
            zip(dataset.classes.names, dataset.classes.palette, shares, pixels, images, strict=True)
        )
    ]
    titles = ("index", "class", "labelled pixels", "images", "share")
    head = tag("thead", tag("tr", [tag("th", title, scope="col") for title in titles]))
    return tag("div", tag("table", head, tag("tbody", rows)), class_="scroll")


def _examples(dataset: StoredDataset) -> list[Markup]:
    """Return some readable samples spread over the data set, image and label side by side."""
    table = dataset.classes.colours(IGNORED_COLOUR)
    table[IGNORED] = (0, 0, 0)
    figures: list[Markup] = []
    spread = [np.linspace(0, len(dataset) - 1, count).astype(int).tolist() for count in (_EXAMPLES, 4 * _EXAMPLES)]
    # First eight, then closer ones in case some of those cannot be read; each index once.
    for index in dict.fromkeys(itertools.chain(*spread)):
        try:
            sample = dataset.read(index)
        except UserError:
            continue
        label = sample.label if sample.label is not None else np.full(sample.image.shape[:2], IGNORED, np.uint8)
        shown = [_inline(sample.image, "jpeg", "image"), _inline(table[label], "png", "label")]
        figures.append(tag("figure", shown, tag("figcaption", sample.name)))
        if len(figures) == _EXAMPLES:
            break
    return figures


def _inline(pixels: np.ndarray, kind: str, text: str) -> Markup:
    image = Image.fromarray(pixels)
    # Mixed colours of labels would be colours of no class.
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.NEAREST if kind == "png" else Image.Resampling.BILINEAR)
    return tag("img", src=data_uri(image, kind), alt=text)
