"""Image files to arrays: whatever people keep as an image, or one line that says why it is none."""

from __future__ import annotations

import contextlib
import copy
import errno
import functools
import io
import logging
import os
from collections.abc import Iterator
from importlib import import_module
from typing import IO, cast

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from switchseg.errors import UserError
from switchseg.files import open_regular

Source = str | os.PathLike[str] | bytes
"""A path, or the bytes of a file."""

FORMATS = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jfif", ".jpe", ".jpeg", ".jpg"),
    "JPEG2000": (".j2k", ".jp2"),
    "PNG": (".png",),
    "PPM": (".pbm", ".pgm", ".pnm", ".ppm"),
    "TGA": (".tga",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""The formats that are opened, by Pillow's names, and their suffixes. Pillow knows more; some start programs."""

SUFFIXES = tuple(sorted(suffix for suffixes in FORMATS.values() for suffix in suffixes))
DECODERS = ("pillow", "simplejpeg")

_WITHOUT_SIGNATURE = "TGA"  # recognised by its suffix alone, or it would claim what is damaged
_WIDTH, _HEIGHT, _ORIENTATION, _SUBFILE = 0x0100, 0x0101, 0x0112, 0x00FE
_PREVIEW_OR_MASK = 0b101  # of `_SUBFILE`: a smaller copy of another page, or which of its pixels are meant
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF orientation -> what turns the stored pixels upright
_STORED = {**_UPRIGHT, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}  # what turns them back

# What Pillow logs of a damaged file would be printed beside the one line that names it.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def read_image(source: Source, name: str = "", decoder: str = "pillow", upright: bool = True) -> np.ndarray:
    """Return the image as uint8 RGB [H, W, 3]; see `rgb_pixels`.

    Args:
        source: a path, or the bytes of a file.
        name: what to call the file in an error; a path needs none.
        decoder: `pillow`, or `simplejpeg` for JPEG files (the extra `fast`); both give the same pixels.
        upright: turn the image as its EXIF entry asks.

    Raises:
        UserError: the file is missing, no image, cut off, or larger than Pillow is willing to open.
    """
    with opened(source, name) as image:
        if decoder == "simplejpeg" and image.format == "JPEG" and image.mode in ("RGB", "L"):
            pixels, orientation = _simplejpeg(source), orientation_of(image) if upright else 1
            # Only what is turned goes through Pillow: the copies there and back take a seventh of the time of a sample.
            return pixels if orientation == 1 else np.array(_turned(Image.fromarray(pixels), _UPRIGHT, orientation))
        return rgb_pixels(image, upright)


def rgb_pixels(image: Image.Image, upright: bool = True) -> np.ndarray:
    """Return an open image as uint8 RGB [H, W, 3].

    Grey, palette, CMYK and 16-bit images are converted (16 bits to their high byte), alpha is dropped, and unless
    `upright` is False the EXIF orientation is applied.

    Raises:
        UserError: its pixels are floats, or integers beyond 16 bits, which have no fixed range.
    """
    return np.array(_rgb(loaded(image, upright)))


def loaded(image: Image.Image, upright: bool) -> Image.Image:
    """Return the image with its pixels read, as they are stored or turned upright as the EXIF entry asks."""
    orientation = orientation_of(image)
    image.load()
    # Pillow turns TIFF files while it reads them, and takes the entry away.
    left = orientation_of(image)
    if upright:
        return _turned(image, _UPRIGHT, left)
    return _turned(image, _STORED, orientation) if left != orientation else image


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 .. 8; 1, upright, where there is none."""
    orientation = image.getexif().get(_ORIENTATION, 1)
    return orientation if orientation in _UPRIGHT else 1


def image_size(source: Source, name: str = "", upright: bool = True) -> tuple[int, int]:
    """Return (height, width) of the image, upright or as it is stored; reads only the file's header."""
    with opened(source, name) as image:
        width, height = stored_size(image)
        # Only where it matters: for the entry a PNG file is read to its end.
        return (width, height) if upright and orientation_of(image) >= 5 else (height, width)


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Return (width, height) of the pixels in the file of an image that has just been opened."""
    # Pillow's `size` of a TIFF file is the upright one.
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        return tags[_WIDTH], tags[_HEIGHT]
    return image.size


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
def opened(source: Source, name: str = "") -> Iterator[ImageFile.ImageFile]:
    """Open an image file of one of the `FORMATS`; whatever goes wrong in the block becomes one line that names it.

    Raises:
        UserError: the file is missing, no regular file, no image, damaged, larger than Pillow is willing to open, or
            holds several images.
    """
    label = name or ("image" if isinstance(source, bytes) else os.fspath(source))
    try:
        # From a file, not from its path, which Pillow would map into memory: it then turns TIFF files wrongly.
        with _stream(source) as file, Image.open(file, formats=_formats(label)) as image:
            _check_bitmap(image)
            _check_alone(image)
            yield image
    except UserError as error:
        raise UserError(f"{label}: {error}") from None
    except Image.DecompressionBombError:
        raise UserError(
            f"{label}: more than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels; "
            "cut it into tiles or scale it down"
        ) from None
    except Exception as error:  # whatever a damaged file drives Pillow's readers to
        raise UserError(f"{label}: {_reason(error, source)}") from None


def _stream(source: Source) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else open_regular(source)


@functools.cache
def _known() -> frozenset[str]:
    Image.init()
    return frozenset(FORMATS).intersection(Image.OPEN)  # an older Pillow may have fewer


def _formats(name: str) -> list[str]:
    by_suffix = name.lower().endswith(FORMATS[_WITHOUT_SIGNATURE])
    return [known for known in sorted(_known()) if by_suffix or known != _WITHOUT_SIGNATURE]


def _check_bitmap(image: ImageFile.ImageFile) -> None:
    """Refuse bitmaps of 4 or 8 bits whose palette is grey: Pillow would take them for ones of 8 or 1 bits."""
    if image.format == "BMP" and image.mode in ("1", "L") and image.tile[0].codec_name == "raw":
        bits = 1 if image.mode == "1" else 8
        _, stride, _ = cast(tuple[str, int, int], image.tile[0].args)
        # Lines of a bitmap fill up to 4 bytes, so their length tells how many bits a pixel really has.
        if stride != (image.width * bits + 31) // 32 * 4:
            raise UserError("a bitmap of a kind that is not read; save it as PNG")


def _check_alone(image: ImageFile.ImageFile) -> None:
    """Refuse the pages and frames of which only the first would be read."""
    # The pictures that phones keep beside a photograph (MPO) are of the same scene.
    if image.format == "MPO" or not getattr(image, "is_animated", False):
        return
    if image.format == "TIFF" and not _has_further_page(image):
        return
    what = "pages" if image.format == "TIFF" else "frames"
    raise UserError(f"holds several {what}; one image was expected: save each of the {what} as a file of its own")


def _has_further_page(image: ImageFile.ImageFile) -> bool:
    """Return whether a TIFF file holds more than one page with its previews and masks."""
    assert image.fp is not None
    place, seen = image.fp.tell(), set()
    # From page to page by hand: `image.seek` refuses masks, whose kind of pixels Pillow does not read.
    page = copy.copy(image.tag_v2)  # type: ignore[attr-defined]
    further = False
    while page.next and page.next not in seen and not further:
        seen.add(page.next)
        image.fp.seek(page.next)
        page.load(image.fp)
        further = not page.get(_SUBFILE, 0) & _PREVIEW_OR_MASK
    image.fp.seek(place)
    return further


def _reason(error: Exception, source: Source) -> str:
    if isinstance(error, FileNotFoundError):
        is_link = not isinstance(source, bytes) and os.path.islink(source)
        return "a symbolic link to a file that is not there" if is_link else "no such file"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "a symbolic link that leads back to itself"
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be read ({os.strerror(error.errno)})"
    if isinstance(error, UnidentifiedImageError):
        if not (len(source) if isinstance(source, bytes) else os.path.getsize(source)):
            return "an empty file"
        return f"not an image file that is read ({', '.join(FORMATS)})"
    if isinstance(error, MemoryError):
        return "too large for the memory"
    return f"a damaged image file ({' '.join(str(error).split()) or type(error).__name__})"


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255 instead of scaling.
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 65535:
            raise UserError(f"pixels reach from {wide.min()} to {wide.max()}; save the image with 8 or 16 bits")
        return Image.fromarray((wide >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise UserError("float pixels, which have no fixed range; save the image with 8 or 16 bits")
    if image.mode in ("P", "PA", "LA", "La"):
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _turned(image: Image.Image, how: dict[int, Image.Transpose], orientation: int) -> Image.Image:
    return image.transpose(how[orientation]) if orientation in how else image


def _simplejpeg(source: Source) -> np.ndarray:
    import simplejpeg

    if not isinstance(source, bytes):
        with open(source, "rb") as file:
            source = file.read()
    pixels: np.ndarray = simplejpeg.decode_jpeg(source)
    return pixels
