"""From uint8 RGB pixels to what a network was trained on. Stored with every model, applied on the device."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Preprocessing:
    """Channel order, range, mean and standard deviation of a network's input, all in the order of its channels."""

    channels: str = "rgb"
    """`rgb`, or `bgr` as the 2018 code had it."""
    scale: float = 1 / 255
    """Factor on the 0 .. 255 pixels, before the mean is taken off."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if self.channels not in ("rgb", "bgr"):
            raise ValueError(f"preprocessing channels must be 'rgb' or 'bgr', not {self.channels!r}")

    def normalize(self, images: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
        """Turn uint8 RGB images [N, 3, H, W] into the network's input, float32 unless `dtype` says else."""
        import torch

        if self.channels == "bgr":
            # While still uint8, a quarter of the bytes of float32.
            images = images.flip(1)
        # A copy whatever they are, so that the rest can write in place: fresh memory costs more than a pass over it.
        values = images.to(dtype or torch.float32, memory_format=torch.contiguous_format, copy=True)
        mean = _filled(values, self.mean)
        factor = _filled(values, tuple(self.scale / std for std in self.std))
        # (scale * x - mean) / std with one pass less over the images.
        return values.sub_(mean / self.scale).mul_(factor)

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in a model's config.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Preprocessing:
        """Read what `to_json` wrote."""
        return cls(entry["channels"], entry["scale"], tuple(entry["mean"]), tuple(entry["std"]))


def _filled(like: torch.Tensor, numbers: tuple[float, ...]) -> torch.Tensor:
    """Return `numbers` as (n, 1, 1), made on the device: a copy from the host would wait for it."""
    import torch

    # A copy from pageable memory would also break the recording of a CUDA graph.
    return torch.cat([like.new_full((1, 1, 1), number) for number in numbers])


RGB = Preprocessing()
"""torchvision's and timm's ImageNet statistics: RGB in 0 .. 1."""

BGR = Preprocessing("bgr", 1.0, (102.9801, 115.9465, 122.7717), (1.0, 1.0, 1.0))
"""The 2018 code's input: BGR in 0 .. 255, the mean taken off, no division."""

PREPROCESSINGS = {"rgb": RGB, "bgr": BGR}
