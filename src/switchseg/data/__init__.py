"""Data sets and training pipelines by name. Importing it loads none of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from switchseg.registry import Registry

if TYPE_CHECKING:
    from switchseg.data.dataset import Dataset
    from switchseg.data.pipelines import Pipeline


class Opener(Protocol):
    """Opens the split `train`, `val` or `test` below the folder `root`, or the records of `list_file`."""

    def __call__(self, root: str | Path, split: str, list_file: str | Path | None = None) -> Dataset:
        """Raise a UserError if the files are not laid out as the data set's owner publishes them."""
        ...


DATASETS: Registry[Opener] = Registry(
    "data set",
    {
        "ade20k": "switchseg.data.readers.ade20k:open_ade20k",
        "camvid": "switchseg.data.readers.camvid:open_camvid",
        "cityscapes": "switchseg.data.readers.cityscapes:open_cityscapes",
        "coco_stuff": "switchseg.data.readers.coco_stuff:open_coco_stuff",
        "folder": "switchseg.data.readers.folder:open_folder",
        "huggingface": "switchseg.data.readers.hugging_face:open_hugging_face",
        "odgt": "switchseg.data.readers.odgt:open_odgt",
        "scenes": "switchseg.data.readers.scenes:open_scenes",
        "voc": "switchseg.data.readers.voc:open_voc",
        "webdataset": "switchseg.data.readers.webdataset:open_webdataset",
    },
)

PIPELINES: Registry[type[Pipeline]] = Registry(
    "pipeline",
    {
        "short_side": "switchseg.data.pipelines:ShortSide",
        "crop": "switchseg.data.pipelines:Crop",
        "augment": "switchseg.data.pipelines:Images",
    },
)
"""Name -> class, made as `PIPELINES[name](config, dataset, images_per_rank, seed, stride)`."""
