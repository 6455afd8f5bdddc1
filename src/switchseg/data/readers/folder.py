"""Plain folders, images/ beside annotations|masks|labels/, matched by stem; and lists of image and label pairs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from switchseg.data.classes import Classes
from switchseg.data.dataset import FileDataset, Record, canonical_split, existing_folder, file_record, sample_name
from switchseg.data.description import CLASS_FILES, describe
from switchseg.data.images import SUFFIXES
from switchseg.data.labels import LabelMap
from switchseg.data.paths import common_folder, has_suffix, inside, with_slashes
from switchseg.data.readers.odgt import LIST_NAMES, read_odgt
from switchseg.data.readers.pairs import open_pairs
from switchseg.data.records import read_lines
from switchseg.errors import UserError

LABEL_FOLDERS = ("annotations", "masks", "labels")


def open_folder(root: str | Path, split: str, list_file: str | Path | None = None) -> FileDataset:
    """Open ROOT/images/SPLIT and ROOT/{annotations,masks,labels}/SPLIT, or the same without SPLIT.

    Classes stand in ROOT/classes.txt or ROOT/dataset.yaml; label values are class indices and 255 is ignored unless
    dataset.yaml says else. `list_file` is an odgt list, or holds `image label` a line, relative to `root`.
    """
    root, split = existing_folder(root), canonical_split(split)
    description = describe(root)
    if description is None:
        raise UserError(f"{root}: none of {', '.join(CLASS_FILES)}; write the class names to classes.txt, one a line")
    classes = description.to_classes()
    return open_undescribed(root, split, list_file, classes, description.to_label_map(classes))


def open_undescribed(
    root: Path, split: str, list_file: str | Path | None, classes: Classes, label_map: LabelMap
) -> FileDataset:
    """Open the folders with classes and a label map from elsewhere."""
    if list_file:
        list_file = Path(list_file)
        if ".odgt" in list_file.suffixes or list_file.suffix == ".jsonl":
            return read_odgt("folder", root, list_file, classes, label_map)
        return _read_pair_list(root, list_file, classes, label_map)
    images, labels = _folders(root, split)
    return open_pairs("folder", images, labels, classes, label_map)


def _folders(root: Path, split: str) -> tuple[Path, Path]:
    if not (root / "images").is_dir():
        raise UserError(f"{root}: no folder `images`; the layout is images/ and {'|'.join(LABEL_FOLDERS)}/")
    labels = next((root / name for name in LABEL_FOLDERS if (root / name).is_dir()), None)
    if labels is None:
        raise UserError(f"{root}: no folder {', '.join(LABEL_FOLDERS)}; one of them holds the labels")
    parts = [split, *LIST_NAMES.get(split, ())]
    for part in parts:
        if (root / "images" / part).is_dir():
            return root / "images" / part, labels / part
    if splits := sorted(path.name for path in (root / "images").iterdir() if path.is_dir()):
        raise UserError(f"{root / 'images' / split}: no such folder; there is {', '.join(splits)}")
    return root / "images", labels


def _read_pair_list(root: Path, list_file: Path, classes: Classes, label_map: LabelMap) -> FileDataset:
    extremes: list[str] = []

    def visit(lines: list[str]) -> None:
        images = []
        for line in lines:
            image, label = _pair(line, str(list_file))
            inside(root, image, str(list_file))
            inside(root, label or "", str(list_file))
            images.append(image)
        extremes.extend((min(images), max(images)))

    lines = read_lines(list_file, visit)
    locate = partial(_locate_pair, root, str(list_file), common_folder(extremes))
    return FileDataset("folder", classes, lines, locate, label_map)


def _pair(line: str, list_file: str) -> tuple[str, str | None]:
    """Split `image label`, at a tab or comma if there is one, so that names with blanks are possible."""
    separator = next((s for s in ("\t", ",") if s in line), None)
    parts = [with_slashes(part.strip()) for part in line.split(separator)]
    if len(parts) > 2 or not has_suffix(parts[0], SUFFIXES):
        raise UserError(
            f"{list_file}: {line!r} is no pair; each line is `image label`, two files with their suffixes, parted by a "
            "tab, comma or blank"
        )
    return parts[0], parts[1] if len(parts) == 2 else None


def _locate_pair(root: Path, list_file: str, folder: str, line: str) -> Record:
    image, label = _pair(line, list_file)
    return file_record(root, image, label, sample_name(image, folder))
