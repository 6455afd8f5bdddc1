"""Image files to arrays: whatever people keep as an image, or one line that says why it is none."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import struct
import zlib
from collections.abc import Iterator
from importlib import import_module

import numpy as np
from PIL import Image, UnidentifiedImageError

from switchseg.errors import UserError

Source = str | os.PathLike[str] | bytes
"""A path, or the bytes of a file."""

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
DECODERS = ("pillow", "simplejpeg")

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF orientation -> what turns the stored pixels upright


def read_image(source: Source, name: str = "", decoder: str = "pillow", upright: bool = True) -> np.ndarray:
    """Return the image as uint8 RGB [H, W, 3].

    Grey, palette, CMYK and 16-bit images are converted (16 bits to their high byte), alpha is dropped, of an animated
    file the first frame is taken, and unless `upright` is False the EXIF orientation is applied.

    Args:
        source: a path, or the bytes of a file.
        name: what to call the file in an error; a path needs none.
        decoder: `pillow`, or `simplejpeg` for JPEG files (the extra `fast`); both give the same pixels.
        upright: turn the image as its EXIF entry asks.

    Raises:
        UserError: the file is missing, no image, cut off, or larger than Pillow is willing to open.
    """
    with _opened(source, name) as image:
        orientation = image.getexif().get(_ORIENTATION, 1) if upright else 1
        if decoder == "simplejpeg" and image.format == "JPEG" and image.mode in ("RGB", "L"):
            pixels = _simplejpeg(source)
            return pixels if orientation not in _UPRIGHT else np.asarray(_turned(Image.fromarray(pixels), orientation))
        return np.array(_turned(_rgb(image), orientation))


def read_label(source: Source, name: str = "", colours: bool = False) -> np.ndarray:
    """Return the stored label values: uint8 or uint16 [H, W], or uint8 [H, W, 3] with `colours`.

    The values of a palette file are its indices. An RGB file whose channels are equal counts as grey.

    Raises:
        UserError: the file cannot be read, or holds colours where indices are wanted.
    """
    with _opened(source, name) as image:
        if colours:
            return np.array(_rgb(image))
        if image.mode in ("L", "P"):
            return np.array(image)
        if image.mode == "1":
            return np.array(image, dtype=np.uint8)
        if image.mode == "I" or image.mode.startswith("I;16"):
            values = np.array(image)
            if values.min() < 0 or values.max() > 65535:
                raise UserError(f"{_name(source, name)}: label values reach {values.max()}; they must be 0 .. 65535")
            return values.astype(np.uint16)
        channels = np.array(_rgb(image))
    if (channels == channels[..., :1]).all():
        return np.ascontiguousarray(channels[..., 0])
    raise UserError(
        f"{_name(source, name)}: a colour mask (mode {image.mode}) where one class index a pixel was expected; "
        "list each class's colour in dataset.yaml (`palette`) and set `colour_masks: true`"
    )


def image_size(source: Source, name: str = "") -> tuple[int, int]:
    """Return (height, width) of the upright image; reads only the file's header."""
    with _opened(source, name) as image:
        width, height = image.size
        return (width, height) if image.getexif().get(_ORIENTATION, 1) >= 5 else (height, width)


def check_decoder(decoder: str) -> None:
    """Raise a UserError unless the decoder exists and is installed."""
    if decoder not in DECODERS:
        raise UserError(f"data.decoder: {decoder!r} is unknown; the decoders are {', '.join(DECODERS)}")
    if decoder == "simplejpeg":
        try:
            import_module("simplejpeg")
        except ImportError:
            raise UserError("data.decoder: simplejpeg is not installed; pip install 'switchseg[fast]'") from None


@contextlib.contextmanager
def _opened(source: Source, name: str) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            yield image
    except FileNotFoundError:
        raise UserError(f"{_name(source, name)}: no such file") from None
    except Image.DecompressionBombError:
        raise UserError(
            f"{_name(source, name)}: more than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels; "
            "cut it into tiles or scale it down"
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise UserError(f"{_name(source, name)}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "a symbolic link that leads back to itself"
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be read ({os.strerror(error.errno)})"
    if isinstance(error, UnidentifiedImageError):
        return "not an image file that Pillow knows"
    return f"a damaged image file ({error})"


def _name(source: Source, name: str) -> str:
    return name or ("image" if isinstance(source, bytes) else os.fspath(source))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255 instead of scaling.
        high = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(high).convert("RGB")
    if image.mode == "F":
        raise ValueError("float pixels have no fixed range; save it with 8 or 16 bits")
    if image.mode in ("P", "PA", "LA", "La"):
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _simplejpeg(source: Source) -> np.ndarray:
    import simplejpeg

    if not isinstance(source, bytes):
        with open(source, "rb") as file:
            source = file.read()
    pixels: np.ndarray = simplejpeg.decode_jpeg(source)
    return pixels
