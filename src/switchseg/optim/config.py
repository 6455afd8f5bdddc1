"""The optim section of a config."""

from dataclasses import dataclass

from switchseg import limits
from switchseg.limits import COUNT, RATE, Between
from switchseg.optim import OPTIMIZERS, SCHEDULES
from switchseg.registry import check_names, named


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Optimizer and learning rate schedule; the defaults are the 2018 settings."""

    name: str = named(OPTIMIZERS, "sgd")
    lr_encoder: float = 0.02
    lr_decoder: float = 0.02
    momentum: float = 0.9
    """Of SGD; beta1 of AdamW."""
    weight_decay: float = 1e-4
    """On convolution and linear weights only: biases and everything in a norm are exempt, as in 2018."""
    mixing_lr_scale: float = 1.0
    """Factor on the rate of the mixing weights of Switchable Normalization (2018: 1; Sparse SN: 0.1). In a short
    fine-tuning they hardly move at 1; 100 was better (docs/results.md)."""
    layer_decay: float = 1.0
    """Factor on the encoder's rate from each block to the one before it, the decoder's standing for the block after the
    last; 0.65 to 0.9 is usual in fine-tuning transformers. 1 gives all blocks the same rate."""
    schedule: str = named(SCHEDULES, "poly")
    poly_power: float = 0.9
    step_milestones: tuple[float, ...] = (0.67, 0.89)
    """Fractions of the training after which the `step` schedule divides the rate by ten."""
    warmup_steps: int = 0
    """Steps over which the rate rises linearly from near zero."""

    def __post_init__(self) -> None:
        check_names("optim.", self)
        limits.check(
            "optim",
            self,
            lr_encoder=RATE,
            lr_decoder=RATE,
            momentum=Between(0, 1, below=True),
            weight_decay=RATE,
            mixing_lr_scale=RATE,
            layer_decay=Between(0, 1, above=True),
            poly_power=Between(0, 100),
            step_milestones=Between(0, 1, empty=True),
            warmup_steps=COUNT,
        )
