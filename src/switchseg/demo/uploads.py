"""What strangers may upload: an image of bounded size, or one line that says why it is refused."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from switchseg.data.images import read_image
from switchseg.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
"""Pillow knows more, some of which run other programs to be read; strangers need none of them."""


@dataclass(frozen=True)
class Limits:
    """How much one visitor may ask for."""

    megabytes: int = 20
    """Largest file."""
    megapixels: int = 50
    """Most pixels of a file, known from its header before any is decoded."""
    long_side: int = 1600
    """Pixels of the longer side that an image is scaled down to before it is labelled and shown."""


def read_upload(path: str | Path, limits: Limits) -> tuple[npt.NDArray[np.uint8], str]:
    """Return the image as RGB uint8 [H, W, 3], and what the visitor should know of it: its name, and if it was scaled.

    Raises:
        UserError: the file is gone, no image, damaged or too large; the line names the file without its folder.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("the image was deleted in the meantime; drop it again")
    # Looked at again although Gradio has the same limit: a program may call this with any file.
    if path.stat().st_size > limits.megabytes * 2**20:
        raise UserError(f"{path.name} has more than {limits.megabytes} MB, the most that this page takes")
    # Read once: header and pixels come from the same bytes, even if the file is removed in between.
    content = path.read_bytes()
    _check_header(content, path.name, limits)
    image = read_image(content, path.name)
    height, width = image.shape[:2]
    factor = limits.long_side / max(height, width)
    if factor >= 1:
        return image, path.name
    small = cv2.resize(image, _scaled(width, height, factor), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), f"{path.name}, scaled down from {width} x {height} pixels"


def _check_header(content: bytes, name: str, limits: Limits) -> None:
    """Refuse what is no image or has too many pixels before any is decoded."""
    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 megapixels on; what is too large is told to the visitor, not to the terminal.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as header:
                width, height = header.size
    except Image.DecompressionBombError:  # Pillow's own limit of 179 megapixels
        raise UserError(f"{name} has more than the {limits.megapixels} megapixels that this page takes") from None
    except Exception:  # whatever a damaged file drives Pillow's readers to
        raise UserError(f"{name} is not an image that this page can read; it takes {', '.join(FORMATS)}") from None
    if height * width > limits.megapixels * 1e6:
        size = f"{width} x {height} pixels"
        raise UserError(f"{name} has {size}, more than the {limits.megapixels} megapixels that this page takes")


def _scaled(width: int, height: int, factor: float) -> tuple[int, int]:
    # An image of 1 x 10 000 pixels would else be scaled to a height of 0.
    return max(1, round(width * factor)), max(1, round(height * factor))
