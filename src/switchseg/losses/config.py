"""The loss section of a config."""

from dataclasses import dataclass
from typing import Literal

from switchseg import limits
from switchseg.limits import RATE


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What is minimised."""

    name: Literal["cross_entropy"] = "cross_entropy"
    """Loss of one pixel."""
    auxiliary_weight: float = 0.4
    """Factor on the loss of the auxiliary head, for decoders that have one (deep supervision)."""
    average: Literal["pixels", "devices"] = "pixels"
    """`pixels`: the sum over all labelled pixels of the step, divided by their number.
    `devices`: each device's own mean, averaged over the devices and accumulation steps, as in 2018."""

    def __post_init__(self) -> None:
        limits.check("loss", self, auxiliary_weight=RATE)
