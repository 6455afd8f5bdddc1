"""Labels that the model of a run doubts: `switchseg suspects` found them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from switchseg.reports.images import picture_file
from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import Run
from switchseg.reports.sections.parts import titled_table

MOST_PICTURES = 24
MOST_ROWS = 200
"""Of regions and of images; suspects.csv holds all."""


def section(runs: Sequence[Run]) -> Markup | None:
    """Return the pictures of the most suspect regions and the lists; None where no run was searched."""
    parts = [_of_run(run, run.suspects) for run in runs if run.suspects.get("regions")]
    return join(parts) if parts else None


def _of_run(run: Run, found: dict[str, Any]) -> Markup:
    regions, images = found["regions"], found["images"]
    where = f"{len(regions)} regions in {len(images)} of {found['images_searched']} images"
    lead = (
        f"{run.label} doubts {where}. {found['rule']} "
        "Look at them before the model is blamed: some are labels to mend, others what the model gets wrong."
    )
    # Only the first regions were drawn, as many as `--pictures` said.
    shown = [region for region in regions if region["picture"]][:MOST_PICTURES]
    tiles = [tag("li", _tile(run, region)) for region in shown]
    rows = [_row(region) for region in regions[:MOST_ROWS]]
    titles = ("Region", "Image", "Split", "Labelled", "Looks like", "Confidence, %", "Pixels", "Score")
    head = tag("tr", [tag("th", title, scope="col") for title in titles])
    ranked = [
        tag(
            "tr", tag("th", each["image"], scope="row"), [tag("td", each[key]) for key in ("split", "regions", "score")]
        )
        for each in images[:MOST_ROWS]
    ]
    by_image = tag("tr", [tag("th", title, scope="col") for title in ("Image", "Split", "Regions", "Score")])
    return join(
        tag("p", lead, class_="lead"),
        tag("ul", tiles, class_="suspects"),
        _folded(
            "regions",
            len(regions),
            titled_table(f"Suspect regions of {run.label}", head, rows, "dense sortable", tall=True),
        ),
        _folded(
            "images",
            len(images),
            titled_table(f"Suspect images of {run.label}", by_image, ranked, "dense sortable", tall=True),
        ),
    )


def _folded(what: str, count: int, table: Markup) -> Markup:
    first = f"The first {MOST_ROWS} of {count}" if count > MOST_ROWS else f"All {count}"
    return tag("details", tag("summary", f"{first} {what}, the most suspect first"), table)


def _tile(run: Run, region: dict[str, Any]) -> Markup:
    uri, (height, width) = picture_file(run.path / "suspects" / region["picture"])
    words = f"labelled {region['given']}, looks like {region['likelier']}"
    picture = tag("img", src=uri, alt=f"{region['image']}: {words}", width=width, height=height, loading="lazy")
    caption = join(
        tag("strong", region["rank"]), f" {words}", tag("span", f"{region['image']}, {region['split']}", class_="sub")
    )
    return tag("figure", picture, tag("figcaption", caption), class_="tile")


def _row(region: dict[str, Any]) -> Markup:
    cells = (
        *(region[key] for key in ("image", "split", "given", "likelier")),
        f"{100 * region['confidence']:.0f}",
        *(region[key] for key in ("pixels", "score")),
    )
    return tag("tr", tag("th", region["rank"], scope="row"), [tag("td", cell) for cell in cells])
