"""The `data` keys of a config. Must not import torch: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from switchseg import limits
from switchseg.data import DATASETS, PIPELINES
from switchseg.data.augment import build
from switchseg.errors import UserError
from switchseg.limits import COUNT, FRACTION, SIDE, Between
from switchseg.registry import check_names, named

ON_ERROR = ("stop", "skip")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where the images are and how they become batches."""

    dataset: str = named(DATASETS, "ade20k")
    """How its files are laid out."""
    root: str = ""
    """The data set's folder."""
    train_split: str = "train"
    """What is trained on; `train+val` is both."""
    val_split: str = "val"
    """What is evaluated on."""
    train_list: str | None = None
    """A list file in place of the training split; its paths are relative to the root."""
    val_list: str | None = None
    """A list file in place of the evaluation split."""
    val_fraction: float = 0.0
    """Share of the training images that are held out of the training and evaluated on, in place of a split. An image's
    name decides, so that further images move none from one side to the other."""
    val_seed: int = 0
    """Another seed holds out other images."""
    val_fold: int = 0
    """Which part of that size is held out: with a fraction of 1/n, the folds 0 to n-1 hold out every image once."""
    pipeline: str = named(PIPELINES, "short_side")
    """`short_side`: the 2018 pipeline, whole images at one short side a sub-batch. `crop`: random crops of one size.
    `augment`: images as they are stored, changed by `data.augment` alone."""
    augment: tuple[dict[str, Any], ...] = ()
    """Further transforms of what the pipeline makes, in this order: of each its `name` (scale, crop, flip, rotation,
    perspective, blur, noise, colour, erasing, class_mix or `torchvision.NAME`), `probability` and settings."""
    flip: bool = True
    """Mirror half of the training images, left to right."""
    short_sides: tuple[int, ...] = (300, 375, 450, 525, 600)
    """Short sides in pixels; `short_side` draws one for each sub-batch."""
    max_long_side: int = 1000
    """The long side never exceeds this; the short side then gets shorter."""
    pad_multiple: int = 8
    """Batches are padded at the right and the bottom to a multiple of this many pixels."""
    crop_size: tuple[int, int] = (512, 512)
    """Height and width of a `crop`, padded where the image is smaller."""
    crop_short_side: int = 512
    """The short side that `crop_scales` multiplies, in pixels."""
    crop_scales: tuple[float, float] = (0.5, 2.0)
    """Range of the random factor on `crop_short_side`, before the crop is taken."""
    crop_max_share: float = 0.75
    """A crop in which one class holds more of the labelled pixels than this is drawn again, up to ten times."""
    photometric: bool = True
    """Change brightness, contrast, saturation and hue of a `crop` at random."""
    resize: str = "torch"
    """`torch`: antialiased bilinear, fast. `pillow`: the same to the last bit as in 2018 (they differ by 1 in 255)."""
    decoder: str = "pillow"
    """`pillow`, or `simplejpeg` for twice the speed on JPEG files (pip install 'switchseg[fast]')."""
    workers: int = 2
    """Processes that read ahead, for each rank; 0 reads in the training process."""
    on_error: str = "stop"
    """`stop` at the first file that cannot be used, or `skip` it: another image takes its place, and it is reported."""

    def __post_init__(self) -> None:
        check_names("data.", self)
        _one_of("resize", self.resize, ("torch", "pillow"))
        _one_of("decoder", self.decoder, ("pillow", "simplejpeg"))
        _one_of("on_error", self.on_error, ON_ERROR)
        # Here and not where they are used, so that a mistake ends the command before anything is loaded.
        limits.check(
            "data",
            self,
            short_sides=SIDE,
            max_long_side=SIDE,
            pad_multiple=Between(1, 512),
            crop_size=SIDE,
            crop_short_side=SIDE,
            crop_scales=Between(0, 100, above=True),
            crop_max_share=Between(0, 1, above=True),
            workers=Between(0, 1024),
            val_fraction=FRACTION,
            val_seed=COUNT,
            val_fold=COUNT,
        )
        if self.val_fold and (self.val_fold + 1) * self.val_fraction > 1:
            raise UserError(
                f"data.val_fold: {self.val_fold}; with data.val_fraction {self.val_fraction:g} it must be below "
                f"{int(1 / self.val_fraction + 1e-9)}"
            )
        if self.val_fraction and self.val_list is not None:
            raise UserError(
                f"data.val_list and data.val_fraction are {self.val_list} and {self.val_fraction}; give one"
            )
        limits.check_ranges("data", self, "crop_scales")
        # For its complaints.
        build(self.augment)

    @property
    def evaluated_on(self) -> str:
        """What the images that a training is scored on are called."""
        return f"{self.val_fraction:.0%} of {self.train_split}" if self.val_fraction else self.val_split


def _one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"data.{key}: {value!r} is unknown; it is one of {', '.join(known)}")
