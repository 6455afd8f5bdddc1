"""`switchseg make-list --root DIR --out FILE.odgt`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class MakeListFlags:
    """Write an odgt list of the images below a folder and of their labels, matched by name, with their sizes."""

    root: Path
    """The folder that the paths of the list are relative to."""
    out: Path
    """The list to write, for example ROOT/training.odgt."""
    images: str = "images"
    """Folder of the images, relative to the root."""
    labels: str | None = None
    """Folder of the labels, relative to the root; `annotations` unless given, and no labels where that is not there."""


def run(arguments: Sequence[str]) -> None:
    """Write the list."""
    flags = parse(MakeListFlags, "make-list", arguments)
    files.check_places([flags.out])
    files.check_suffix(flags.out, ".odgt", ".json", ".jsonl", ".txt")
    from switchseg.classes import Classes
    from switchseg.data.dataset import existing_folder
    from switchseg.data.labels import LabelMap, Meaning
    from switchseg.data.paths import inside
    from switchseg.data.readers.layouts import Layout, layout_of
    from switchseg.data.readers.pairs import open_pairs
    from switchseg.engine.progress import progress

    root = existing_folder(flags.root)
    images = existing_folder(inside(root, flags.images, "--images"))
    labels = Path(inside(root, flags.labels or "annotations", "--labels"))
    if flags.labels is not None:
        existing_folder(labels)
    layout = layout_of(images, labels) if labels.is_dir() else Layout(images, labels)
    # The label map plays no part: only names and sizes are written.
    dataset = open_pairs("list", images, labels, Meaning(Classes.unnamed(1), LabelMap({})), layout.endings)
    if dataset.incomplete:
        raise UserError(dataset.incomplete)
    lines = []
    with progress("make-list", len(dataset)) as count:
        for index in range(len(dataset)):
            record, (height, width) = dataset.record(index), dataset.size(index)
            # Relative to the root, so that the list may move together with the data.
            entry: dict[str, str | int] = {"fpath_img": os.path.relpath(record.image_name, root)}
            if record.label is not None:
                entry["fpath_segm"] = os.path.relpath(record.label_name, root)
            lines.append(json.dumps({**entry, "width": width, "height": height}, ensure_ascii=False))
            count(1)
    files.write_text(flags.out, "\n".join(lines) + "\n")
    without = "" if labels.is_dir() else f", without labels (there is no {labels})"
    matched = f", matched by name: {dataset.pairing}" if dataset.pairing else ""
    print(f"{len(lines)} records in {flags.out}{without}{matched}")
