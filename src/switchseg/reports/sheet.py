"""The section of the data page that shows what augmentation does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from switchseg.classes import Classes
from switchseg.data.augment.sheet import Row
from switchseg.data.augment.transform import Pair
from switchseg.engine.pictures import overlay
from switchseg.reports.images import photograph
from switchseg.reports.markup import Markup, tag

_SIDE = 320  # longest side of a picture in pixels

STYLE = """
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); gap: 12px; margin: 0 0 28px; }
.sheet figure { margin: 0; } .sheet img { max-width: 100%; display: block; }
.sheet figcaption { margin: 4px 0 0; overflow-wrap: anywhere; }
"""


def augmentation_sheet(rows: Sequence[Row], classes: Classes) -> list[Markup]:
    """Return a grid for each image: as it is stored, and as a training would see it in several places of a run."""
    note = tag("p", "Tinted with the colours of the labels; what does not count is left as it is.", class_="note")
    return [note, *(tag("div", _figures(row, classes), class_="sheet") for row in rows)]


def _figures(row: Row, classes: Classes) -> list[Markup]:
    made = [_figure(pair, classes, f"draw {number}: {_size(pair)}") for number, pair in enumerate(row.made, 1)]
    return [_figure(row.stored, classes, f"{row.name}, as stored: {_size(row.stored)}"), *made]


def _figure(pair: Pair, classes: Classes, caption: str) -> Markup:
    picture = Image.fromarray(overlay(pair.image, pair.label, classes))
    picture.thumbnail((_SIDE, _SIDE))
    return tag("figure", tag("img", src=photograph(np.asarray(picture)), alt=caption), tag("figcaption", caption))


def _size(pair: Pair) -> str:
    height, width = pair.label.shape
    return f"{width} x {height}"
