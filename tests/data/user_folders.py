"""Folders of images and labels as people bring them: each by its name, with a function that writes it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.data.trees import save

SIZE = (48, 64)
COUNT = 4
COLOURS = np.array([(0, 0, 0), (200, 30, 40), (20, 130, 240)], np.uint8)


def index_map(number: int, classes: int = 3, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return class indices [H, W]: bands of all classes, which lie elsewhere in every image."""
    height, width = size
    columns = np.arange(width) + number * width // 8
    return np.broadcast_to((columns * classes // width % classes).astype(np.uint8), (height, width)).copy()


def photo(label: np.ndarray, number: int) -> np.ndarray:
    """Return an RGB picture in which a class can be told by its brightness."""
    random = np.random.default_rng(number)
    spread = 255 // (int(label.max()) + 1)
    return (label[..., None] * spread // 2 + random.integers(0, 60, (*label.shape, 3))).astype(np.uint8)


def pairs(
    root: Path,
    *,
    images: str = "images/{}.jpg",
    labels: str = "labels/{}.png",
    classes: int = 3,
    stored: Callable[[np.ndarray], np.ndarray] = lambda label: label,
    count: int = COUNT,
    sizes: tuple[tuple[int, int], ...] = (SIZE,),
) -> Path:
    """Write `count` images and labels; `stored` makes what a label file holds of class indices."""
    for number in range(count):
        label = index_map(number, classes, sizes[number % len(sizes)])
        save(root / images.format(number), photo(label, number))
        save(root / labels.format(number), stored(label))
    return root


def named(root: Path, *names: str) -> Path:
    """Write classes.txt."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("\n".join(names) + "\n")
    return root


def png(values: np.ndarray, bits: int) -> bytes:
    """Return a grey PNG file with so many bits a sample, which Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = values.shape
    planes = np.unpackbits(values[..., None], axis=2)[..., 8 - bits :].reshape(height, -1)
    # Every row begins with its filter, none.
    rows = np.hstack([np.zeros((height, 1), np.uint8), np.packbits(planes, axis=1)])
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows.tobytes()))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def repainted(root: Path, change: Callable[[Image.Image], Image.Image | bytes], **options: Any) -> None:
    """Write pairs, and every label anew: an image that it becomes, or the bytes of a file."""
    pairs(root, **options)
    for path in (root / "labels").iterdir():
        with Image.open(path) as label:
            changed = change(label)
        if isinstance(changed, bytes):
            path.write_bytes(changed)
        else:
            changed.save(path)


def by_palette(label: Image.Image) -> Image.Image:
    """Return the same indices with colours that do not count."""
    indexed = Image.frombytes("P", label.size, label.tobytes())
    indexed.putpalette(COLOURS.ravel().tolist())
    return indexed


def turned_photos(root: Path) -> None:
    """Write photos that are stored lying and that EXIF turns upright, and labels of the upright ones."""
    pairs(root, sizes=((64, 48),))
    tag = Image.Exif()
    tag[0x0112] = 6
    for path in (root / "images").iterdir():
        with Image.open(path) as upright:
            upright.rotate(90, expand=True).save(path, exif=tag)


def smeared_masks(root: Path) -> None:
    """Write masks of 0 and 255 as JPEG whose edges lie within its blocks, and so hold every grey."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    for number in range(COUNT):
        label = ((rows - 20) ** 2 + (columns - 20 - 5 * number) ** 2 < 144).astype(np.uint8)
        save(root / f"images/{number}.jpg", photo(label, number))
        save(root / f"masks/{number}.jpg", label * 255, quality=75)


def in_splits(root: Path, images: str, labels: str, *splits: str, **options: Any) -> None:
    """Write pairs for each of several splits, for which `*` stands."""
    for split in splits:
        pairs(root, images=images.replace("*", split), labels=labels.replace("*", split), **options)


def uneven_splits(root: Path) -> None:
    """Write a class that only the validation split has."""
    for classes, split in ((2, "train"), (3, "val")):
        in_splits(root, "*/images/{}.jpg", "*/labels/{}.png", split, classes=classes)


def damaged(root: Path, path: str, content: bytes | None) -> None:
    """Write pairs, and put other content into one file; None removes it."""
    pairs(root)
    (root / path).unlink()
    if content is not None:
        (root / path).write_bytes(content)


def annotations_in_json(root: Path) -> None:
    """Write polygons, as annotation programs do."""
    pairs(root)
    for path in (root / "labels").iterdir():
        path.unlink()
        path.with_suffix(".json").write_text("{}")


def described_colour_masks(root: Path) -> None:
    """Write colours, with classes and palette in dataset.yaml."""
    pairs(root, stored=coloured)
    text = f"classes: [ground, red, blue]\npalette: {COLOURS.tolist()}\ncolour_masks: true\n"
    (root / "dataset.yaml").write_text(text)


def empty_validation(root: Path) -> None:
    """Write a split to train on, and an empty folder for another."""
    in_splits(root, "images/*/{}.jpg", "labels/*/{}.png", "train")
    for kind in ("images", "labels"):
        (root / kind / "val").mkdir()


def coloured(label: np.ndarray) -> np.ndarray:
    """Return a colour mask."""
    return COLOURS[label]


def white(label: np.ndarray) -> np.ndarray:
    """Return a mask of 0 and 255."""
    return label * 255


FOLDERS: dict[str, Callable[[Path], object]] = {
    # Indices.
    "unnamed_indices": pairs,
    "indices_from_1": lambda root: pairs(named(root, "a", "b", "c"), stored=lambda label: label + 1),
    "far_indices": lambda root: pairs(named(root, "a", "b", "c"), classes=12, sizes=((48, 96),)),
    "sparse_indices": lambda root: pairs(root, stored=lambda label: label * 100),
    "wide_indices": lambda root: pairs(root, stored=lambda label: label.astype(np.uint16)),
    "wide_values": lambda root: pairs(root, stored=lambda label: label.astype(np.uint16) + 300),
    "palette_indices": lambda root: repainted(root, by_palette),
    "two_bit_indices": lambda root: repainted(root, lambda label: png(np.array(label), 2)),
    "four_bit_indices": lambda root: repainted(root, lambda label: png(np.array(label), 4)),
    "many_classes": lambda root: pairs(root, classes=200, sizes=((40, 400),)),
    "unseen_class": lambda root: pairs(named(root, "a", "b", "c", "never")),
    "unlabelled_parts": lambda root: pairs(
        root, classes=4, stored=lambda label: np.where(label == 3, 255, label).astype(np.uint8)
    ),
    # Masks.
    "binary_masks": lambda root: pairs(root, labels="masks/{}.png", classes=2, stored=white),
    "binary_jpeg_masks": lambda root: pairs(root, labels="masks/{}.jpg", classes=2, stored=white),
    "binary_rgba_masks": lambda root: pairs(
        root, classes=2, stored=lambda label: np.dstack([white(label)] * 3 + [np.full_like(label, 255)])
    ),
    "one_bit_masks": lambda root: pairs(root, classes=2, stored=lambda label: label.astype(bool)),
    "one_name_masks": lambda root: pairs(named(root, "defect"), classes=2, stored=white),
    # Colours.
    "colour_masks": lambda root: pairs(root, stored=coloured),
    "described_colour_masks": described_colour_masks,
    "listed_colour_masks": lambda root: pairs(
        named(root, "ground 0 0 0", "red 200 30 40", "blue 20 130 240"), stored=coloured
    ),
    # Layouts.
    "split_outside": lambda root: in_splits(root, "*/images/{}.jpg", "*/masks/{}.png", "train", "val"),
    "split_inside": lambda root: in_splits(root, "images/*/{}.jpg", "labels/*/{}.png", "train", "valid"),
    "annotations_beside_splits": lambda root: in_splits(root, "*/{}.jpg", "*/{}_mask.png", "train"),
    "annotations_beside_images": lambda root: pairs(root, images="{}.jpg", labels="{}_mask.png"),
    "deep_folders": lambda root: in_splits(root, "images/*/{}.jpg", "labels/*/{}.png", "a/north", "b"),
    "name_endings": lambda root: pairs(root, images="images/{}_image.jpg", labels="labels/{}_label.png"),
    "endings_beside_each_other": lambda root: pairs(root, images="{}_rgb.png", labels="{}_gt.png"),
    "odd_names": lambda root: pairs(root, images="images/Straße nr. {}.v1.JPG", labels="labels/Straße nr. {}.v1.PNG"),
    "uneven_splits": uneven_splits,
    # Images.
    "two_images": lambda root: pairs(root, count=2),
    "mixed_sizes": lambda root: pairs(root, sizes=((48, 64), (90, 40), (33, 35), (20, 200))),
    "turned_photos": turned_photos,
    # What nobody can train on.
    "one_image": lambda root: pairs(root, count=1),
    "one_class": lambda root: pairs(root, stored=lambda label: label * 0),
    "larger_labels": lambda root: pairs(root, stored=lambda label: label.repeat(2, 0).repeat(2, 1)),
    "float_labels": lambda root: pairs(root, labels="labels/{}.tif", stored=lambda label: label.astype(np.float32)),
    "smeared_masks": smeared_masks,
    "smoothed_colours": lambda root: repainted(
        root, lambda label: label.resize((47, 31)).resize(SIZE[::-1]), stored=coloured
    ),
    "no_labels": lambda root: pairs(root, labels="elsewhere/{}.png"),
    "some_unlabelled": lambda root: damaged(root, "labels/2.png", None),
    "broken_label": lambda root: damaged(root, "labels/1.png", b"no image"),
    "annotations_in_json": annotations_in_json,
    "validation_alone": lambda root: in_splits(root, "*/images/{}.jpg", "*/masks/{}.png", "val"),
    "empty_validation": empty_validation,
    "nothing": lambda root: root.mkdir(parents=True),
}
