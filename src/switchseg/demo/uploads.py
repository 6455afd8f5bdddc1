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
    if path.stat().st_size > limits.megabytes * 2**20:
        raise UserError(f"{path.name} has more than {limits.megabytes} MB, the most that this page takes")
    content = path.read_bytes()
    width, height = _header_size(content)
    if height * width > limits.megapixels * 1e6:
        size = f"{width} x {height} pixels"
        raise UserError(f"{path.name} has {size}; this page takes up to {limits.megapixels} megapixels")
    image = read_image(content, path.name)
    height, width = image.shape[:2]
    factor = limits.long_side / max(height, width)
    if factor >= 1:
        return image, path.name
    small = cv2.resize(image, _scaled(width, height, factor), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), f"{path.name}, scaled down from {width} x {height} pixels"


def _header_size(content: bytes) -> tuple[int, int]:
    """Return (width, height) without decoding a pixel; (0, 0) where there is no header, which `read_image` explains."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content)) as header:
                return header.size
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return 0, 0


def _scaled(width: int, height: int, factor: float) -> tuple[int, int]:
    return max(1, round(width * factor)), max(1, round(height * factor))
