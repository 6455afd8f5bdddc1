"""RunConfig: every setting of a run. Importing it loads no torch, so that `--help` stays quick."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from switchseg import limits
from switchseg.config.inference import Precision, Rule
from switchseg.data.config import DataConfig
from switchseg.errors import UserError
from switchseg.limits import COUNT, DEVICE, LONGEST_SIDE, POSITIVE, SIDE, Between
from switchseg.losses.config import LossConfig
from switchseg.models.config import ModelConfig
from switchseg.optim.config import OptimConfig
from switchseg.recorders import RECORDERS
from switchseg.registry import check_names, named

DEFAULT_STEPS = 100_000
"""Of 2018: 20 epochs of 5000."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long, on what, and what is kept on the way."""

    steps: int | None = field(default=None, metadata={"instead_of": "epochs"})
    """Optimizer steps of the whole training; 100 000, as in 2018, where epochs are not given either."""
    epochs: float | None = field(default=None, metadata={"instead_of": "steps"})
    """In place of steps: how often every training image is seen."""
    images_per_device: int = 2
    """Images that one device sees at once. A step sees this x devices x accumulate."""
    accumulate: int = 1
    """Batches whose gradients are added up before each optimizer step."""
    seed: int = 304
    device: str = "auto"
    """auto, cpu, cuda or cuda:INDEX. Under torchrun each rank takes the GPU of its local rank."""
    threads: int = 0
    """CPU threads of the computation; 0 leaves PyTorch's choice."""
    precision: Precision = "fp32"
    """bf16 and fp16 compute under autocast, fp16 with a scaled loss; fp64 is for proofs of equality."""
    channels_last: bool = False
    compile: bool = False
    capture: Literal["auto", "off"] = "auto"
    """auto records the step of each batch shape that comes again as a CUDA graph, on one GPU; off runs it eagerly."""
    activation_checkpointing: bool = False
    """Recompute the encoder's stages in the backward pass instead of keeping their activations."""
    freeze_norms: bool = False
    """Keep all norms in evaluation mode with fixed parameters (2018: fix_bn)."""
    frozen_stages: int | None = None
    """First stages of the encoder that stay as they are, norms included: 0 its stem, 1 also its first stage, and so on
    (as mmsegmentation counts under this name). None trains all of it."""
    clip_norm: float | None = None
    """Largest norm of the whole gradient; None does not clip."""
    ema_decay: float | None = None
    """Keep an exponential moving average of weights and statistics, and evaluate and save that; None does not."""
    recorders: tuple[str, ...] = named(RECORDERS, ("tensorboard",))
    """Where events go besides log.jsonl and the terminal: tensorboard, wandb, mlflow, or one of a plugin."""
    log_every: int = 20
    """Steps between two lines of the log."""
    log_shares_every: int = 200
    """Steps between two records of the IN/LN/BN shares."""
    checkpoint_every: int = 1000
    keep_checkpoints: int = 2
    """How many of the last checkpoints stay on disk."""
    evaluate_every: int = 0
    """Steps between two evaluations during training, of which the best model is kept; 0 evaluates only at the end."""
    sparse_radius: tuple[float, float] = (0.0, 1.0)
    """Radius of Sparse SN at the start and at the end; it grows linearly with the steps (the rule of its paper)."""
    calibrate: int = 0
    """Training batches over which the running statistics are averaged anew at the end; they stay as they were if the
    model does not score better by that. 0 leaves it out."""
    patience: int = 0
    """End the training after so many evaluations without a better one; 0 never does."""
    timeout: float = 600.0
    """Seconds to wait for another rank before giving up."""

    def __post_init__(self) -> None:
        limits.check(
            "train",
            self,
            steps=POSITIVE,
            epochs=Between(0, above=True),
            images_per_device=POSITIVE,
            accumulate=POSITIVE,
            seed=COUNT,
            threads=Between(0, 4096),
            frozen_stages=Between(0, 1000),
            clip_norm=Between(0, above=True),
            ema_decay=Between(0, 1),
            log_every=POSITIVE,
            log_shares_every=POSITIVE,
            checkpoint_every=POSITIVE,
            keep_checkpoints=POSITIVE,
            evaluate_every=COUNT,
            sparse_radius=Between(0, 1),
            calibrate=COUNT,
            patience=COUNT,
            timeout=Between(0, 1e8, above=True),
        )
        # By its form alone: whether the GPU exists shows on the machine that trains, not where the config is read.
        if not DEVICE.fullmatch(self.device):
            raise UserError(f"train.device must be auto, cpu, cuda or cuda:INDEX, but is {self.device!r}")
        # Neither may be given, since 2018's length is the default; that is why both are None until one is.
        if self.steps is not None and self.epochs is not None:
            raise UserError(f"train.steps and train.epochs are {self.steps} and {self.epochs}; give one of them")
        check_names("train.", self)
        if self.patience and not self.evaluate_every:
            raise UserError("train.patience needs train.evaluate_every, which is 0")

    def total_steps(self, images: int, ranks: int) -> int:
        """Return how many steps a training on so many images and devices has."""
        if self.epochs is None:
            return self.steps or DEFAULT_STEPS
        exact = self.epochs * images / (self.images_per_device * self.accumulate * ranks)
        # Rounded first: 1.1 epochs of 10 images is 11.000000000000002, which would become 12 steps of one.
        return max(1, math.ceil(round(exact, 6)))


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """How a run is scored when its training ends."""

    short_sides: tuple[int, ...] = (450,)
    """The single-scale protocol."""
    multi_short_sides: tuple[int, ...] = (300, 400, 500, 600)
    """The multi-scale protocol; empty leaves it out."""
    flip: bool = False
    """Average over the mirrored image too (not part of the 2018 rule)."""
    pictures: int = 6
    """How many images the run keeps with truth and prediction, for the report, spread over the data set."""
    extremes: int = 3
    """How many of the best and of the worst images it keeps besides."""

    def __post_init__(self) -> None:
        sides = Between(1, LONGEST_SIDE, empty=True)
        limits.check("evaluate", self, short_sides=SIDE, multi_short_sides=sides, pictures=COUNT, extremes=COUNT)

    @property
    def single_rule(self) -> Rule:
        """The single-scale protocol."""
        return Rule(short_sides=self.short_sides, flip=self.flip)

    @property
    def multi_rule(self) -> Rule | None:
        """The multi-scale protocol, None where it is left out."""
        return Rule(short_sides=self.multi_short_sides, flip=self.flip) if self.multi_short_sides else None


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Every setting of a run, as config.yaml holds it."""

    plugins: tuple[str, ...] = ()
    """Modules, and files by their paths relative to the config, that are imported first and register what they add."""
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
