"""How large an image becomes: the size rules that training and evaluation share (2018 semantics)."""


def fit_short_side(height: int, width: int, short_side: int, max_long_side: float = 1000) -> tuple[int, int]:
    """Return the (height, width) in pixels after scaling the short side to `short_side`.

    The aspect ratio is kept, the long side stays at or below `max_long_side`, and both sides are truncated
    to whole pixels as in 2018; a side never gets shorter than one pixel.
    """
    scale = min(short_side / min(height, width), max_long_side / max(height, width))
    return max(1, int(height * scale)), max(1, int(width * scale))


def round_up(length: int, multiple: int) -> int:
    """Return the smallest multiple of `multiple` that is not below `length`."""
    # Without negative numbers, whose division ONNX rounds towards zero: encoders pad by this in exported files.
    return (length + multiple - 1) // multiple * multiple
