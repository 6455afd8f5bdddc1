"""Cityscapes, 19 classes: leftImg8bit/SPLIT/CITY/ and gtFine/SPLIT/CITY/, labelTrainIds or the published labelIds."""

from __future__ import annotations

from pathlib import Path

from switchseg.classes import Classes
from switchseg.data.dataset import MissingSplitError, existing_folder
from switchseg.data.described import built_in
from switchseg.data.file_dataset import FileDataset
from switchseg.data.labels import LabelMap
from switchseg.data.readers.endings import Ending
from switchseg.data.readers.pairs import complete_ending, open_pairs
from switchseg.data.splits import canonical_split
from switchseg.errors import UserError
from switchseg.labels import IGNORED

# name, its labelId, colour
_CLASSES: list[tuple[str, int, tuple[int, int, int]]] = [
    ("road", 7, (128, 64, 128)),
    ("sidewalk", 8, (244, 35, 232)),
    ("building", 11, (70, 70, 70)),
    ("wall", 12, (102, 102, 156)),
    ("fence", 13, (190, 153, 153)),
    ("pole", 17, (153, 153, 153)),
    ("traffic light", 19, (250, 170, 30)),
    ("traffic sign", 20, (220, 220, 0)),
    ("vegetation", 21, (107, 142, 35)),
    ("terrain", 22, (152, 251, 152)),
    ("sky", 23, (70, 130, 180)),
    ("person", 24, (220, 20, 60)),
    ("rider", 25, (255, 0, 0)),
    ("car", 26, (0, 0, 142)),
    ("truck", 27, (0, 0, 70)),
    ("bus", 28, (0, 60, 100)),
    ("train", 31, (0, 80, 100)),
    ("motorcycle", 32, (0, 0, 230)),
    ("bicycle", 33, (119, 11, 32)),
]
_HIGHEST_ID = 33
_IMAGES = Ending("_leftImg8bit", ".png")
_TRAIN_IDS, _IDS = Ending("_gtFine_labelTrainIds", ".png"), Ending("_gtFine_labelIds", ".png")

CITYSCAPES = Classes(tuple(name for name, *_ in _CLASSES), tuple(colour for *_, colour in _CLASSES))


def open_cityscapes(root: str | Path, split: str, list_file: str | Path | None = None) -> FileDataset:
    """Open a split; labelTrainIds files are taken where all were made, else labelIds are mapped to the 19 classes."""
    root, split = existing_folder(root), canonical_split(split)
    if list_file:
        raise UserError(f"{list_file}: cityscapes takes no list; its splits are train, val and test")
    images, labels = root / "leftImg8bit" / split, root / "gtFine" / split
    if not images.is_dir():
        raise MissingSplitError(
            f"{images}: no such folder; Cityscapes' layout is leftImg8bit/SPLIT/CITY and gtFine/SPLIT/CITY"
        )
    ending = complete_ending((images, _IMAGES), labels, (_TRAIN_IDS, _IDS))
    meaning = built_in(root, CITYSCAPES, LabelMap.identity if ending == _TRAIN_IDS else _by_ids)
    return open_pairs("cityscapes", images, labels, meaning, (_IMAGES, ending))


def _by_ids(classes: Classes) -> LabelMap:
    # Which of the published ids count is known for these classes only.
    if classes != CITYSCAPES:
        return LabelMap.identity(classes)
    ids = {identity: index for index, (_, identity, _) in enumerate(_CLASSES)}
    # 255 is how the licence plates' -1 is stored.
    return LabelMap({**dict.fromkeys([*range(_HIGHEST_ID + 1), IGNORED], IGNORED), **ids})
