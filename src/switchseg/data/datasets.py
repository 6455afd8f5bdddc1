"""Every data set that a config or a flag can name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from switchseg.data.dataset import Dataset, StoredDataset
from switchseg.data.readers.ade20k import open_ade20k
from switchseg.data.readers.camvid import open_camvid
from switchseg.data.readers.cityscapes import open_cityscapes
from switchseg.data.readers.coco_stuff import open_coco_stuff
from switchseg.data.readers.folder import open_folder
from switchseg.data.readers.hugging_face import open_hugging_face
from switchseg.data.readers.odgt import open_odgt
from switchseg.data.readers.scenes import open_scenes
from switchseg.data.readers.voc import open_voc
from switchseg.data.readers.webdataset import open_webdataset
from switchseg.errors import UserError


class Opener(Protocol):
    """Opens the split `train`, `val` or `test` below the folder `root`, or the records of `list_file`."""

    def __call__(self, root: str | Path, split: str, list_file: str | Path | None = None) -> Dataset:
        """Raise a UserError if the files are not laid out as the data set's owner publishes them."""
        ...


DATASETS: dict[str, Opener] = {
    "ade20k": open_ade20k,
    "camvid": open_camvid,
    "cityscapes": open_cityscapes,
    "coco_stuff": open_coco_stuff,
    "folder": open_folder,
    "huggingface": open_hugging_face,
    "odgt": open_odgt,
    "scenes": open_scenes,
    "voc": open_voc,
    "webdataset": open_webdataset,
}


def open_dataset(
    name: str, root: str | Path, split: str, list_file: str | Path | None = None, *, incomplete: bool = False
) -> Dataset:
    """Open the split `train`, `val` or `test` of a data set, or the records of `list_file`.

    Args:
        name: a key of `DATASETS`.
        root: the data set's folder.
        split: which part of it.
        list_file: the records to take in place of the split, for data sets that have lists.
        incomplete: also open folders in which labels of some images are missing; these samples then have no label.

    Raises:
        UserError: the name is unknown, the files are not laid out as the data set's owner publishes them, or labels
            are missing.
    """
    if name not in DATASETS:
        raise UserError(f"dataset: {name!r} is unknown; the data sets are {', '.join(DATASETS)}")
    if not split:  # below a folder it would stand for all splits
        raise UserError("split: empty; train, val, test or the name of another split was expected")
    dataset = DATASETS[name](root, split, list_file)
    if isinstance(dataset, StoredDataset) and dataset.incomplete and not incomplete:
        raise UserError(dataset.incomplete)
    return dataset
