"""What is fuzzed: for each reader a whole example, the files of it that are damaged, and how it is read."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from switchseg.checkpoints import training_state
from switchseg.checkpoints.model_directory import load_model, save_model
from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.data.datasets import open_dataset
from switchseg.demo.uploads import Limits, read_upload
from switchseg.engine.finished import RECORD, Finished
from switchseg.errors import UserError
from switchseg.models.create import create_model
from switchseg.models.weights import read_weights
from switchseg.reports.page import report_page
from switchseg.reports.runs import read_runs
from switchseg.runs import journal
from tests.reports.make_runs import make_run

SMALLEST = "test_resnet"
"""The smallest network that timm has."""


@dataclass(frozen=True)
class Reader:
    """One thing that reads files of others."""

    make: Callable[[Path], Iterable[Path]]
    """Write a whole example into a folder and return the files that may be damaged."""
    read: Callable[[Path], object]
    """Read the example in a folder; a UserError is an answer, any other exception is not."""


def _read_all(read: Callable[[Any], object], items: Iterable[Any]) -> None:
    """Read all items, whichever are refused; one that fails otherwise ends it."""
    refusal: UserError | None = None
    for item in items:
        try:
            read(item)
        except UserError as error:
            refusal = error
    if refusal:
        raise refusal


def _scene(height: int = 24, width: int = 32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), np.uint8), rng.integers(0, 3, (height, width), np.uint8)


def _make_images(folder: Path) -> Iterable[Path]:
    pixels, label = _scene()
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    variants = {
        "a.jpg": image, "b.png": image, "c.bmp": image, "d.gif": image.convert("P"), "e.tif": image, "f.webp": image,
        "g.ppm": image, "h.png": image.convert("P"), "i.png": image.convert("LA"), "k.tif": image.convert("CMYK"),
        "l.png": Image.fromarray(pixels[..., 0].astype(np.uint16) << 8), "m.png": image.convert("1"),
    }  # fmt: skip
    for name, variant in variants.items():
        path = folder / "images" / name
        path.parent.mkdir(exist_ok=True)
        variant.save(path, exif=exif) if name == "a.jpg" else variant.save(path)
        (folder / "annotations").mkdir(exist_ok=True)
        Image.fromarray(label).save((folder / "annotations" / name).with_suffix(".png"))
    (folder / "classes.txt").write_text("a\nb\nc\n")
    return sorted((folder / "images").iterdir())


def _make_labels(folder: Path) -> Iterable[Path]:
    pixels, label = _scene()
    grey = Image.fromarray(label)
    palette = grey.copy()
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    variants = {
        "a": grey, "b": palette, "c": Image.fromarray(label.astype(np.uint16)), "d": grey.convert("RGB"),
        "e": Image.fromarray(label > 0), "f": Image.fromarray(label.astype(np.int32)),
    }  # fmt: skip
    for name, variant in variants.items():
        for kind, picture in (("images", Image.fromarray(pixels)), ("annotations", variant)):
            (folder / kind).mkdir(exist_ok=True)
            picture.save(folder / kind / f"{name}.{'tif' if name == 'f' and kind == 'annotations' else 'png'}")
    (folder / "classes.txt").write_text("a\nb\nc\n")
    return sorted((folder / "annotations").iterdir())


def _read_folder(folder: Path) -> None:
    dataset = open_dataset("folder", folder, "val")
    dataset.sizes(skip=True)
    _read_all(dataset.read, range(len(dataset)))


def _make_list(folder: Path) -> Iterable[Path]:
    pixels, label = _scene()
    Image.fromarray(pixels).save(folder / "i.png")
    Image.fromarray(label).save(folder / "l.png")
    entry = {"fpath_img": "i.png", "fpath_segm": "l.png", "width": 32, "height": 24}
    (folder / "val.odgt").write_text((json.dumps(entry) + "\n") * 4)
    (folder / "classes.txt").write_text("a 1 2 3\nb 4 5 6\nc 7 8 9\n")
    settings = "classes: [a, b, c]\nignore: [7]\nlabel_map: {0: 0, 1: 1, 2: 2, 5: 1}\n"
    (folder / "dataset.yaml").write_text(settings)
    return [folder / "val.odgt", folder / "dataset.yaml"]


def _read_list(folder: Path) -> None:
    dataset = open_dataset("odgt", folder, "val", folder / "val.odgt")
    for index in range(min(len(dataset), 8)):
        dataset.read(index)


def _make_config(folder: Path) -> Iterable[Path]:
    yaml.save(folder / "config.yaml", RunConfig())
    return [folder / "config.yaml"]


def _make_model(folder: Path) -> Iterable[Path]:
    torch.manual_seed(0)
    save_model(create_model(SMALLEST, "c1", "sn", 3), folder / "model")
    return [folder / "model" / "config.json", folder / "model" / "model.safetensors"]


def _make_weights(folder: Path) -> Iterable[Path]:
    state = {f"layer{index}.weight": torch.ones(2, 3) for index in range(8)}
    torch.save(state, folder / "new.pth")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(folder / "new.pth") as archive:
        (folder / "data.pkl").write_bytes(archive.read("new/data.pkl"))
    return [folder / "new.pth", folder / "old.pth", folder / "data.pkl"]


def _read_weights(folder: Path) -> None:
    with zipfile.ZipFile(folder / "inside.pth", "w") as archive:  # damage that the archive's checksums do not hide
        archive.write(folder / "data.pkl", "new/data.pkl")
        contents = {"version": b"3\n", "byteorder": b"little", **{f"data/{i}": bytes(24) for i in range(8)}}
        for name, content in contents.items():
            archive.writestr(f"new/{name}", content)
    _read_all(read_weights, [folder / name for name in ("new.pth", "old.pth", "inside.pth")])


def _make_checkpoint(folder: Path) -> Iterable[Path]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(3))], lr=0.1, momentum=0.9)
    state = {"step": 3, "seed": 1, "model": {"w": torch.ones(3)}, "optimizer": optimizer.state_dict(), "average": None}
    training_state.save(folder / "checkpoints", state, 3, 2)
    return sorted((folder / "checkpoints").iterdir())


def _read_checkpoint(folder: Path) -> None:
    path = training_state.latest(folder / "checkpoints")
    if path is not None:
        training_state.load(path)


def _make_run(folder: Path) -> Iterable[Path]:
    run = make_run(folder / "run", "sn", steps=40, images=1, size=(24, 32))
    tables = ("log.jsonl", "metrics.json", "confusion_single.csv", "images_single.csv", "config.yaml")
    files = [path for name in (*tables, "model/config.json") if (path := run / name).exists()]
    return [*files, *sorted((run / "pictures").iterdir())]


def _make_journal(folder: Path) -> Iterable[Path]:
    log = journal.Journal(folder / "log.jsonl")
    for step in range(20):
        log.write("train", step, loss=0.5)
    log.write("end", 20, steps=20)
    log.close()

    (folder / RECORD).write_text(json.dumps({"name": "a", "source": "x", "settings": "y"}) + "\n")
    return [folder / "log.jsonl", folder / RECORD]


def _read_journal(folder: Path) -> None:
    journal.read(folder / "log.jsonl")
    journal.Journal(folder / "log.jsonl", resume_step=9).close()
    Finished(folder, {}).is_result(folder / "a_labels.png")


def _make_uploads(folder: Path) -> Iterable[Path]:
    _make_images(folder)
    (folder / "images" / "g.ppm").unlink()  # which visitors may not send
    return sorted((folder / "images").iterdir())


def _read_uploads(folder: Path) -> None:
    limits = Limits(megabytes=1, megapixels=1, long_side=20)
    _read_all(lambda path: read_upload(path, limits), sorted((folder / "images").iterdir()))


READERS = {
    "images": Reader(_make_images, _read_folder),
    "labels": Reader(_make_labels, _read_folder),
    "lists": Reader(_make_list, _read_list),
    "configs": Reader(_make_config, lambda folder: yaml.load(folder / "config.yaml", RunConfig)),
    "model directories": Reader(_make_model, lambda folder: load_model(folder / "model")),
    "weight files": Reader(_make_weights, _read_weights),
    "checkpoints": Reader(_make_checkpoint, _read_checkpoint),
    "run files": Reader(_make_run, lambda folder: report_page(read_runs([folder / "run"]))),
    "journals": Reader(_make_journal, _read_journal),
    "uploads": Reader(_make_uploads, _read_uploads),
}
