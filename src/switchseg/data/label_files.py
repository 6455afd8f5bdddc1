"""Label files to the values that are stored in them, which Pillow gives for some kinds of files only."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFile

from switchseg.data.images import Source, loaded, opened, rgb_pixels
from switchseg.errors import UserError

_COLOUR_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX")
_LEVELS = {"L;2": 3, "L;4": 15}  # Pillow's name of what is stored -> the highest value that it can hold


def read_label(source: Source, name: str = "", colours: bool = False) -> np.ndarray:
    """Return the stored label values: uint8 or uint16 [H, W], or uint8 [H, W, 3] with `colours`.

    The value of a grey file is the sample that is stored, however many bits it has; that of a palette file is its
    index. An RGB file whose channels are equal counts as grey. Alpha and EXIF orientation play no part.

    Raises:
        UserError: the file cannot be read, holds colours where indices are wanted, or stores values that Pillow
            rounds to 8 bits.
    """
    with opened(source, name) as file:
        wide, highest = _storage(file)
        image = loaded(file, upright=False)
        if image.mode == "F":
            raise UserError("float label values; save them as whole numbers, with 8 or 16 bits")
        if colours:
            if image.mode not in _COLOUR_MODES or wide:
                bits = " of 16 bits" if wide else ""
                raise UserError(f"mode {image.mode}{bits}; a colour mask has 8 bits a channel")
            return rgb_pixels(image, upright=False)
        values = _plane(image, wide)
        if image.mode == "I" and (values.min() < 0 or values.max() > 65535):
            raise UserError(f"label values of {values.min()} .. {values.max()}; they must be 0 .. 65535")
        if highest is not None:
            full = 255 if values.dtype == np.uint8 else 65535
            # Pillow's scaling backwards, in whole numbers that round as it does.
            stored = ((np.arange(full + 1) * highest + full // 2) // full).astype(
                np.uint8 if highest <= 255 else np.uint16
            )
            return np.asarray(stored[values])
        return values if values.dtype == np.uint8 else values.astype(np.uint16)


def _storage(image: ImageFile.ImageFile) -> tuple[bool, int | None]:
    """Return whether channels of 16 bits are cut to 8, and the stored value that Pillow makes its highest one of.

    Pillow scales samples of 2 and 4 bits, and those of a PPM file, to the full range of 8 or 16 bits.
    """
    codec, arguments = (image.tile[0].codec_name, image.tile[0].args) if image.tile else ("", ())
    kind, highest = (*arguments, None, None)[:2] if isinstance(arguments, tuple) else (arguments, None)
    kind = kind if isinstance(kind, str) else ""
    if codec in ("ppm", "ppm_plain") and isinstance(highest, int):
        return image.mode == "RGB" and highest > 255, highest
    return ";16" in kind and not image.mode.startswith("I"), _LEVELS.get(kind[:3])


def _plane(image: Image.Image, wide: bool) -> np.ndarray:
    """Return the one plane [H, W] of values that an image holds."""
    # Pillow gives truth values here, so that white is 1 and not 255.
    if image.mode == "1":
        return np.array(image, dtype=np.uint8)
    if image.mode in ("L", "P", "I") or image.mode.startswith("I;16"):
        return np.array(image)
    if wide:
        raise UserError("several channels of 16 bits; save the labels with one channel")
    channels = np.array(image)
    if image.mode in ("LA", "PA"):
        return np.ascontiguousarray(channels[..., 0])
    if image.mode in _COLOUR_MODES and (channels[..., :3] == channels[..., :1]).all():
        return np.ascontiguousarray(channels[..., 0])
    raise UserError(
        f"a colour mask (mode {image.mode}) where one class index a pixel was expected; "
        "list each class's colour in dataset.yaml (`palette`) and set `colour_masks: true`"
    )
