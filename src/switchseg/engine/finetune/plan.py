"""From a folder to the config of its fine-tuning, and the record of what was found and chosen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from switchseg import files
from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.distributed import World
from switchseg.engine.finetune import choose
from switchseg.engine.finetune.choose import Choices
from switchseg.engine.finetune.fit import seconds_for, steps_in
from switchseg.engine.finetune.look import look
from switchseg.engine.finetune.probe import largest_batch, measure_speed
from switchseg.engine.setup import open_training, open_validation
from switchseg.errors import UserError
from switchseg.runs.directory import RunDirectory

RECORD = "finetune.json"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for; the same request goes on with what was chosen for it."""

    folder: Path
    dataset: str | None = None
    encoder: str | None = None
    minutes: float | None = None
    seed: int = 304

    def to_json(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        return {**asdict(self), "folder": str(self.folder.resolve())}


def plan(request: Request, run: RunDirectory, world: World, workers: int, say: Callable[[str], None]) -> RunConfig:
    """Return the config for `request`, and record it in the run directory with all that led to it.

    A run directory that holds a record of the same request keeps its config.

    Args:
        request: What was asked for.
        run: The run directory.
        world: The device to train on.
        workers: Processes that look at the data.
        say: Is told what was found and chosen, a line each.

    Raises:
        UserError: the data cannot be trained on, the run directory is another request's, or nothing fits.
    """
    if (kept := _kept(request, run)) is not None:
        say(f"{run.path / RECORD}: goes on with what was chosen for this then")
        return kept
    choices, measured = _choose(request, world, workers, say)
    for line in choices.lines():
        say(f"chosen: {line}")
    # The config last: a record without one, as a crash between the two leaves it, is chosen for again.
    files.write_json(run.path / RECORD, {"request": request.to_json(), "because": dict(choices.reasons), **measured})
    yaml.save(run.config, choices.config)
    return choices.config


def _choose(request: Request, world: World, workers: int, say: Callable[[str], None]) -> tuple[Choices, dict[str, Any]]:
    """Return the choices, and what was found and measured for them."""
    began = time.perf_counter()
    found = look(request.folder, request.dataset, workers, say)
    choices = choose.with_validation(choose.first_choices(found, world.device, request.encoder, request.seed), found)
    training, validation = open_training(choices.config.data), open_validation(choices.config.data)
    wanted = choose.images_per_step(world.device.type, len(training))
    # The norm follows from the number that fits, so what fits is tried with the choices for one image.
    fit = largest_batch(choose.with_batch(choices, 1, 1).config, training, world, wanted)
    choices = choose.with_batch(choices, fit.images_per_device, wanted)
    config = choices.config
    speed = measure_speed(config, training, validation, world)
    images = config.train.images_per_device * config.train.accumulate
    if request.minutes is None:
        steps, reason = choose.usual_steps(len(training), images), "what the number of images suggests"
    else:
        # Looking at the data and measuring count: the minutes are those of the whole command.
        spent = time.perf_counter() - began
        steps = steps_in(60 * request.minutes, spent, speed, config, len(validation))
        reason = f"what {request.minutes:g} minutes leave time for, at {speed.step:.2f} s a step"
    say(
        f"expected: {steps} steps, {steps * images / len(training):.1f} epochs of {len(training)} images, "
        f"about {seconds_for(steps, speed, config, len(validation)) / 60:.1f} minutes"
    )
    measured = {"found": found.to_json(), "fit": fit.to_json(), "seconds": asdict(speed)}
    return choose.with_length(choices, steps, reason), measured


def _kept(request: Request, run: RunDirectory) -> RunConfig | None:
    """Return the config that was chosen for the same request, None where the directory is new.

    Raises:
        UserError: the directory is that of another run.
    """
    record = run.path / RECORD
    if not (record.exists() or run.config.exists()):
        return None
    try:
        before = json.loads(record.read_text(encoding="utf-8"))["request"]
    # A directory without a record, or with a damaged one, may be somebody's run: it is left alone.
    except (OSError, KeyError, TypeError, ValueError):
        raise UserError(f"{run.path}: holds another run; pass another --out") from None
    now = request.to_json()
    for key, value in now.items():
        if before.get(key) != value:
            raise UserError(
                f"{record}: this run was made for {key} {before.get(key)}, not {value}; keep it to go on, or pass "
                "another --out for a new run"
            )
    return yaml.load(run.config, RunConfig) if run.config.exists() else None
