"""How images are labelled: what changes the result, and what only changes the speed. Importing it loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from switchseg.geometry import fit_short_side, round_up
from switchseg.limits import LONGEST_SIDE, SIDE

if TYPE_CHECKING:
    # Its NumPy takes a third of the time of `train --help`.
    from switchseg.classes import Classes

Precision = Literal["fp64", "fp32", "bf16", "fp16"]
"""What a network computes in; bf16 and fp16 are those of autocast."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Everything about an evaluation that changes its result."""

    short_sides: tuple[int, ...] = (450,)
    """Lengths in pixels that the shorter image side is resized to; probabilities are averaged over them."""
    max_long_side: int = 1000
    """The longer side stays at or below this, even if the shorter one then stays below the short side."""
    multiple: int = 8
    """Both sides are rounded up to a multiple of this, by stretching."""
    resize: Literal["cv2", "pil"] = "cv2"
    """cv2's bilinear (2018), or Pillow's, which averages when it shrinks (MIT)."""
    flip: bool = False
    """Average over the mirrored image too."""
    window: int | None = None
    """Show the network squares of this many pixels instead of the whole scaled image."""
    stride: int | None = None
    """Pixels from one window to the next; two thirds of a window unless given."""
    whole_image_statistics: bool = False
    """Normalize windows with the moments of the whole image, and take every pixel from the window that shows it deepest
    inside, instead of averaging."""
    threshold: float | None = None
    """Of two classes, label the foreground where its probability is at least this; None labels the likeliest class."""

    def __post_init__(self) -> None:
        if self.short_sides not in SIDE:
            raise ValueError(f"short sides must be lengths of 1 .. {LONGEST_SIDE} pixels, not {self.short_sides}")
        if self.max_long_side not in SIDE:
            raise ValueError(f"the longest side must be 1 .. {LONGEST_SIDE} pixels, not {self.max_long_side}")
        if self.window is not None and self.window < 1:
            raise ValueError(f"the window must be at least 1 pixel, not {self.window}")
        if self.stride is not None and self.window is None:
            raise ValueError(f"the stride must come with a window, not alone ({self.stride})")
        if self.stride is not None and self.window is not None and not 1 <= self.stride <= self.window:
            raise ValueError(f"the stride must be between 1 and the window ({self.window}), not {self.stride}")
        if self.whole_image_statistics and self.window is None:
            raise ValueError("the window must be given where windows are to have the statistics of the whole image")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"the threshold must be a probability from 0 to 1, not {self.threshold}")

    def scaled_size(self, height: int, width: int, short_side: int) -> tuple[int, int]:
        """Return the (height, width) in pixels that the network sees of an image at one scale."""
        # In this order, as in 2018: rounding up comes last and may exceed `max_long_side` by less than `multiple`.
        height, width = fit_short_side(height, width, short_side, self.max_long_side)
        return round_up(height, self.multiple), round_up(width, self.multiple)

    def cut(self, classes: Classes) -> tuple[int, float] | None:
        """Return the index of the foreground and its threshold; None where the likeliest class is labelled.

        Raises:
            UserError: there is a threshold, but there are not two classes.
        """
        # The classes are asked only if there is a threshold: without one, any number of them will do.
        return None if self.threshold is None else (classes.foreground, self.threshold)

    def describe(self) -> str:
        """Return the rule in words, to stand next to a number that it made."""
        sides = " ".join(map(str, self.short_sides))
        parts = [
            f"short side {sides}, long side at most {self.max_long_side}",
            f"stretched to multiples of {self.multiple} ({self.resize} bilinear)",
        ]
        if self.window is not None:
            how = "statistics of the whole image" if self.whole_image_statistics else "logits averaged"
            every = self.stride or max(1, 2 * self.window // 3)
            parts.append(f"windows of {self.window} every {every} (rounded up to the network's stride), {how}")
        averaged = len(self.short_sides) > 1 or self.flip
        parts.append(f"softmax at label size{', averaged' if averaged else ''}{' with the mirrored image' * self.flip}")
        if self.threshold is not None:
            parts.append(f"foreground where its probability is at least {self.threshold:g}")
        return "; ".join(parts)


RULES = {
    "2018": Rule(),
    "2018-multi": Rule(short_sides=(300, 400, 500, 600)),
    "mit": Rule(short_sides=(300, 375, 450, 525, 600), resize="pil"),
}
"""The protocols that published numbers were made with."""


@dataclass(frozen=True, kw_only=True)
class Compute:
    """How fast a result is computed; it changes the result by no more than rounding."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """fp32, or the type that autocast computes in."""
    channels_last: bool = False
    """Keep the channels of a pixel side by side, which bf16 and fp16 like."""
    compile: bool = False
    """Compile the network first, which pays off on a long evaluation."""
    capture: Literal["auto", "off"] = "auto"
    """auto records the pass of each input shape that comes again as a CUDA graph, on a GPU; off runs it eagerly."""
    images_per_batch: int = 1
    """Images of equal size that the network sees at once."""

    def __post_init__(self) -> None:
        if self.images_per_batch < 1:
            raise ValueError(f"there must be at least 1 image per batch, not {self.images_per_batch}")
