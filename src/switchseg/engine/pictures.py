"""What a label map looks like as files: palette PNGs, overlays, a legend, and the pictures of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from switchseg import files
from switchseg.classes import Classes
from switchseg.data.sample import Sample
from switchseg.labels import IGNORED

Labels = npt.NDArray[np.integer]
Pixels = npt.NDArray[np.uint8]

_BAND_PIXELS = 2**20  # mixed at once: floats of a whole image would take 24 bytes a pixel and more


def label_image(labels: Labels, classes: Classes) -> Image.Image:
    """Return the label map [H, W] as an image whose pixel values are the class indices.

    Up to 255 classes it is a palette image in the classes' colours, with 255 (ignored) in black; beyond, 16-bit grey.
    """
    image = _grey(labels, classes)
    if image.mode == "L":
        image.putpalette(classes.colours().tobytes())
    return image


def submission_image(labels: Labels, classes: Classes) -> Image.Image:
    """Return a label map [H, W] without ignored pixels as a grey image of class + 1; 16 bits beyond 255 classes."""
    # Bytes would wrap here as well: 254 is the highest index of 255 classes.
    return _grey(labels.astype(np.int32) + 1, classes)


def _grey(values: Labels, classes: Classes) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8 if len(classes) <= IGNORED else np.uint16))


def overlay(image: Pixels, labels: Labels, classes: Classes, opacity: float = 0.5) -> Pixels:
    """Return the image [H, W, 3] tinted with the colour of each pixel's class; ignored pixels stay as they are."""
    colours, tinted = classes.colours(), np.empty_like(image)
    rows = max(1, _BAND_PIXELS // image.shape[1])
    for band in (np.s_[top : top + rows] for top in range(0, len(image), rows)):
        mixed = (image[band] * (1 - opacity) + colours[labels[band]] * opacity + 0.5).astype(np.uint8)
        tinted[band] = np.where((labels[band] < len(classes))[..., None], mixed, image[band])
    return tinted


def legend(classes: Classes, rows: int = 25) -> Image.Image:
    """Return a picture of every class's colour, index and name, in columns of `rows`."""
    line, swatch, font = 24, 16, ImageFont.load_default(size=14)
    texts = [f"{index}  {name}" for index, name in enumerate(classes.names)]
    column = 3 * swatch + max(round(font.getlength(text)) for text in texts)
    columns = -(-len(texts) // rows)
    picture = Image.new("RGB", (columns * column, line * min(rows, len(texts)) + 8), "white")
    draw = ImageDraw.Draw(picture)
    for index, text in enumerate(texts):
        left, top = swatch // 2 + index // rows * column, 8 + index % rows * line
        draw.rectangle((left, top, left + swatch, top + swatch), fill=classes.palette[index], outline="black")
        draw.text((left + swatch + 8, top), text, fill="black", font=font)
    return picture


def shares_of(labels: Labels, num_classes: int) -> list[float]:
    """Return the fraction of the pixels that each class takes."""
    counts = np.zeros(num_classes, np.int64)
    # Row by row: bincount copies what it counts to int64, for uint8 eight times its bytes.
    for row in labels:
        counts += np.bincount(row, minlength=num_classes)[:num_classes]
    return [float(count) / labels.size for count in counts]


def write_pictures(
    folder: Path, sample: Sample, labels: Labels, confidence: npt.NDArray[np.float32], classes: Classes
) -> None:
    """Write NAME_image.jpg, NAME_truth.png, NAME_labels.png and NAME_confidence.png of one evaluated image."""
    save(Image.fromarray(sample.image), folder / f"{sample.name}_image.jpg")
    if sample.label is not None:
        save(label_image(sample.label, classes), folder / f"{sample.name}_truth.png")
    save(label_image(labels, classes), folder / f"{sample.name}_labels.png")
    save(Image.fromarray((confidence * 255 + 0.5).astype(np.uint8)), folder / f"{sample.name}_confidence.png")


def save(image: Image.Image, path: Path) -> None:
    """Write the image whole or not at all, in the format that the suffix names."""
    with files.replacing(path) as file:
        image.save(file, format=Image.registered_extensions()[path.suffix.lower()], **_OPTIONS.get(path.suffix, {}))


_OPTIONS: dict[str, dict[str, int]] = {".jpg": {"quality": 90}, ".png": {"compress_level": 3}}
