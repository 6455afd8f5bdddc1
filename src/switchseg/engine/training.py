"""Everything that changes while a model trains, and how it is saved and restored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from switchseg.config.schema import RunConfig
from switchseg.distributed import World
from switchseg.engine.average import MovingAverage
from switchseg.engine.frozen import freeze
from switchseg.engine.guard import Guard
from switchseg.engine.meter import Meter
from switchseg.engine.network import lay_out_channels_last
from switchseg.engine.precision import parameter_dtype
from switchseg.losses.criterion import Criterion
from switchseg.models.depth import blocks
from switchseg.models.segmenter import Segmenter
from switchseg.norms import MIXING
from switchseg.optim.groups import FUSED, build_optimizer, load_optimizer_state, optimizer_state, set_rates
from switchseg.optim.schedule import build_scheduler


@dataclass
class Training:
    """The objects of a training. The data need none: a batch is a function of (seed, step, rank)."""

    config: RunConfig
    world: World
    model: Segmenter
    """The plain model: its parameters are what is trained, saved and evaluated."""
    forward: nn.Module
    """The same model as the step calls it: compiled, and wrapped to average gradients over ranks."""
    criterion: Criterion
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LambdaLR
    scaler: torch.amp.GradScaler
    average: MovingAverage | None
    meter: Meter
    guard: Guard
    step: int = 0
    """Optimizer steps done."""
    # Below any mIoU: the first evaluation is kept even if it is 0.
    best_score: float = -1.0
    evaluations_since_best: int = 0
    evaluation_due: bool = False
    """Whether the evaluation after the last step is still to be made."""

    @classmethod
    def start(
        cls, config: RunConfig, world: World, model: Segmenter, class_weights: Sequence[float] | None = None
    ) -> Training:
        """Set up the training of `model` from step 0, with a weight of each class in the loss."""
        train = config.train
        # Before the optimizer is built: it holds the parameters, and its rates lie on their device.
        model.to(world.device, parameter_dtype(train.precision))
        if train.activation_checkpointing:
            model.encoder.checkpoint_activations()
        if train.channels_last:
            lay_out_channels_last(model)
        # Before DDP and the optimizer: DDP waits for the gradient of every parameter that required one then.
        freeze(model, train)
        forward: nn.Module = cast(nn.Module, torch.compile(model)) if train.compile else model
        if world.size > 1:
            forward = DistributedDataParallel(
                forward, device_ids=[world.device] if world.device.type == "cuda" else None
            )
        # Fused kernels take float32 rates, and what a plugin adds may have none.
        on_device = world.device.type == "cuda" and train.precision != "fp64" and config.optim.name in FUSED
        depths = {f"encoder.{name}": block for name, block in blocks(model.encoder).items()}
        optimizer = build_optimizer(model, config.optim, MIXING, on_device, depths)
        return cls(
            config=config,
            world=world,
            model=model,
            forward=forward,
            criterion=Criterion.configured(config.loss, class_weights, world.device),
            optimizer=optimizer,
            scheduler=build_scheduler(optimizer, config.optim, _steps(config)),
            scaler=_scaler(config, world),
            average=None if train.ema_decay is None else MovingAverage(model, train.ema_decay),
            meter=Meter(model.spec.num_classes, world.device),
            guard=Guard(optimizer, world.device, on_device),
        )

    @property
    def images_per_step(self) -> int:
        """Images that all ranks together see before one optimizer step."""
        return self.config.train.images_per_device * self.world.size * self.config.train.accumulate

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        return _steps(self.config)

    @property
    def is_over(self) -> bool:
        """Whether all steps are done, or `train.patience` evaluations brought nothing better."""
        train = self.config.train
        return self.step >= self.steps or (train.patience > 0 and self.evaluations_since_best >= train.patience)

    @property
    def wants_evaluation(self) -> bool:
        """Whether there is an evaluation after the last step."""
        every = self.config.train.evaluate_every
        return every > 0 and self.step % every == 0

    @property
    def scored_on(self) -> str:
        """The images and the rule of the evaluations on the way."""
        data = self.config.data
        return f"{data.evaluated_on}, list {data.val_list}, {self.config.evaluate.single_rule.describe()}"

    @property
    def best_model(self) -> Segmenter:
        """The model to evaluate and keep: the moving average where there is one."""
        return cast(Segmenter, self.average.module) if self.average is not None else self.model

    def changing(self) -> dict[str, Sequence[Tensor]]:
        """Return every tensor that a step changes, by kind."""
        return {
            "parameters": list(self.model.parameters()),
            "statistics": list(self.model.buffers()),
            "optimizer": [
                value
                for values in self.optimizer.state.values()
                for value in values.values()
                if isinstance(value, Tensor)
            ],
            "scaler": [value for value in vars(self.scaler).values() if isinstance(value, Tensor)],
            "average": [] if self.average is None else [*self.average.parameters(), *self.average.buffers()],
            "loss": [self.guard.loss, self.guard.stopped],
            "meter": self.meter.sums,
        }

    def renew_scaler(self) -> None:
        """Forget what a broken step has told the scaler; its scale stays."""
        # A scaler remembers which optimizers it has unscaled since its last update and refuses to do it twice;
        # a step that broke between the two would leave that behind.
        scaler = _scaler(self.config, self.world)
        scaler.load_state_dict(self.scaler.state_dict())
        self.scaler = scaler

    def set_training_mode(self) -> None:
        """Put the model into training mode, except for what is frozen."""
        self.model.train()
        freeze(self.model, self.config.train)

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed training needs, as plain tensors, numbers, strings, lists and dicts.

        Every rank must call it, for the meter sums over ranks. Random states are not in it because none outlives a
        step: each step seeds its generators from (seed, step, rank).
        """
        return {
            "step": self.step,
            "images_per_step": self.images_per_step,
            "seed": self.config.train.seed,
            "classes": list(self.model.spec.classes.names),
            "model": self.model.state_dict(),
            "optimizer": optimizer_state(self.optimizer),
            "scheduler": self._scheduler_state(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "meter": self.meter.state_dict(self.world),
            "scored_on": self.scored_on,
            "best_score": self.best_score,
            "evaluations_since_best": self.evaluations_since_best,
            "evaluation_due": self.evaluation_due,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: a step of the saved training saw another number of images, or it had other classes.
            KeyError, RuntimeError: the state belongs to another model.
        """
        if state["images_per_step"] != self.images_per_step:
            raise ValueError(
                f"a step of this run sees {state['images_per_step']} images, but images_per_device x devices x "
                f"accumulate is now {self.images_per_step}"
            )
        names = list(self.model.spec.classes.names)
        if state.get("classes", names) != names:  # checkpoints of before have none
            raise ValueError(f"its classes are {', '.join(state['classes'])}, but now {', '.join(names)}")
        self.model.load_state_dict(state["model"])
        self.scheduler.load_state_dict(state["scheduler"])
        # The length of the training may have changed: the rate of the coming step follows the schedule of today.
        load_optimizer_state(self.optimizer, state["optimizer"], self._rates(state["step"]))
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None and state["average"] is not None:
            self.average.load_state_dict(state["average"])
        self.meter.load_state_dict(state["meter"], self.world)
        self.step = state["step"]
        # Checkpoints of before have none; and whoever evaluates less often now does not want it made up.
        self.evaluation_due = state.get("evaluation_due", False) and self.wants_evaluation
        # A score of other images, or by another rule, is none that the coming ones could be compared with.
        if state.get("scored_on", self.scored_on) == self.scored_on:
            self.best_score = state["best_score"]
            self.evaluations_since_best = state["evaluations_since_best"]

    def rates(self, step: int) -> dict[str, float]:
        """Return the learning rates of encoder (of its last block) and decoder in `step`, counted from 0."""
        rates: dict[str, float] = {}
        for group, rate in zip(self.optimizer.param_groups, self._rates(step), strict=True):
            part, kind, *_ = group["name"].split("/")
            # Mixing weights have a factor of their own; with layer decay the last block has the largest rate.
            if kind != "mixing":
                rates[part] = max(rate, rates.get(part, 0.0))
        return rates

    def set_rates(self, factor: float) -> None:
        """Let the coming step have this factor on every base rate instead of the schedule's."""
        set_rates(self.optimizer, [float(base) * factor for base in self.scheduler.base_lrs])

    def _scheduler_state(self) -> dict[str, Any]:
        state = self.scheduler.state_dict()
        # Rates that lie on a device are tensors; a checkpoint is read on any device.
        return {**state, "_last_lr": [float(rate) for rate in state["_last_lr"]]}

    def _rates(self, step: int) -> list[float]:
        """Return the rate that the schedule gives each group of the optimizer in `step`, counted from 0."""
        factors = (factor(step) for factor in self.scheduler.lr_lambdas)
        return [float(base) * factor for base, factor in zip(self.scheduler.base_lrs, factors, strict=True)]


def _steps(config: RunConfig) -> int:
    assert config.train.steps is not None, "epochs become steps when the number of images is known"
    return config.train.steps


def _scaler(config: RunConfig, world: World) -> torch.amp.GradScaler:
    return torch.amp.GradScaler(world.device.type, enabled=config.train.precision == "fp16")
