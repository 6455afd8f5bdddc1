"""CamVid in the SegNet layout: {train,val,test}/ and {train,val,test}annot/, 11 classes, 11 is void."""

from __future__ import annotations

from pathlib import Path

from switchseg.classes import Classes
from switchseg.data.dataset import MissingSplitError, existing_folder
from switchseg.data.described import built_in
from switchseg.data.file_dataset import FileDataset
from switchseg.data.labels import LabelMap
from switchseg.data.readers.pairs import open_pairs
from switchseg.data.splits import canonical_split
from switchseg.errors import UserError
from switchseg.labels import IGNORED

CAMVID = Classes(
    (
        *("Sky", "Building", "Pole", "Road", "Pavement", "Tree"),
        *("SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist"),
    ),
    (
        *((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0)),
        *((192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)),
    ),
)

SPLITS = ("train", "val", "test")
_VOID = 11


def open_camvid(root: str | Path, split: str, list_file: str | Path | None = None) -> FileDataset:
    """Open ROOT/SPLIT and ROOT/SPLITannot."""
    root, split = existing_folder(root), canonical_split(split)
    if list_file:
        raise UserError(f"{list_file}: camvid takes no list; its splits are {', '.join(SPLITS)}")
    if not (root / split).is_dir():
        raise MissingSplitError(
            f"{root / split}: no such folder; CamVid has {', '.join(SPLITS)} and train|val|testannot"
        )
    return open_pairs("camvid", root / split, root / f"{split}annot", built_in(root, CAMVID, _label_map))


def _label_map(classes: Classes) -> LabelMap:
    # With other classes in dataset.yaml, 11 may well be one of them.
    void = {_VOID: IGNORED} if classes == CAMVID else {}
    return LabelMap({**LabelMap.identity(classes).values, **void})
