"""The `data` keys of a config. Must not import torch: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from switchseg import limits
from switchseg.errors import UserError
from switchseg.limits import SIDE, Between

PIPELINES = ("short_side", "crop")
ON_ERROR = ("stop", "skip")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where the images are and how they become batches."""

    dataset: str = "ade20k"
    """ade20k, camvid, cityscapes, coco_stuff, folder, huggingface, odgt, scenes, voc or webdataset."""
    root: str = ""
    """The data set's folder."""
    train_split: str = "train"
    """What is trained on."""
    val_split: str = "val"
    """What is evaluated on."""
    train_list: str | None = None
    """A list file in place of the training split; its paths are relative to the root."""
    val_list: str | None = None
    """A list file in place of the evaluation split."""
    pipeline: str = "short_side"
    """`short_side`: the 2018 pipeline, whole images at one short side a sub-batch. `crop`: random crops of one size."""
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
        _one_of("pipeline", self.pipeline, PIPELINES)
        _one_of("resize", self.resize, ("torch", "pillow"))
        _one_of("decoder", self.decoder, ("pillow", "simplejpeg"))
        _one_of("on_error", self.on_error, ON_ERROR)
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
        )
        low, high = self.crop_scales
        if low > high:
            raise UserError(f"data.crop_scales: {low} {high}; the lower factor first was expected")


def _one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"data.{key}: {value!r} is unknown; it is one of {', '.join(known)}")
