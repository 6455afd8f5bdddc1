"""What evaluation does to a run: the best model is kept during training, the kept model is scored at the end."""

from __future__ import annotations

import time
from typing import Any

from switchseg import files
from switchseg.checkpoints.model_directory import load_model, save_model
from switchseg.config.inference import Compute
from switchseg.data.dataset import Dataset
from switchseg.engine.calibration import calibrate_if_better
from switchseg.engine.evaluate import evaluate
from switchseg.engine.evaluation import Evaluation, write_confusion, write_per_image
from switchseg.engine.interrupt import StopRequest
from switchseg.engine.monitor import Monitor
from switchseg.engine.network import prepare
from switchseg.engine.summary import closing
from switchseg.engine.training import Training
from switchseg.runs.directory import RunDirectory


def evaluate_and_keep_best(
    training: Training, run: RunDirectory, monitor: Monitor, dataset: Dataset, stop: StopRequest
) -> None:
    """Score the model at one scale; if it is the best so far, it becomes the run's model. Every rank must call it.

    Where there is one rank, a signal ends it at once; nothing is changed then, and the evaluation is still due.
    """
    config, world = training.config, training.world
    # A loss that is not finite ends the run here, not after an evaluation of what it left.
    training.guard.settle()

    def score_model() -> Evaluation:
        return evaluate(training.best_model, dataset, config.evaluate.single_rule, world=world, quiet=True)

    result = stop.at_once(score_model, world.size)
    if result is None:
        return
    training.evaluation_due = False
    score = result.scores.mean_iou
    monitor.event("evaluate", split=config.data.evaluated_on, **_scores(result))
    monitor.say(f"step {training.step}: mIoU {100 * score:.2f} on {config.data.evaluated_on}")
    if score > training.best_score:
        training.best_score, training.evaluations_since_best = score, 0
        if world.is_main:
            save_model(training.best_model, run.model)
    else:
        training.evaluations_since_best += 1


def finish(training: Training, run: RunDirectory, monitor: Monitor, dataset: Dataset) -> None:
    """Write the model of the run, score it at one and several scales, keep a few pictures. Every rank must call it."""
    config, world, began = training.config, training.world, time.perf_counter()
    # With evaluations the best one has been kept already, and the last weights may be worse; there may be none, where
    # the training has ended before the first.
    if world.is_main and training.best_score < 0:
        save_model(training.best_model, run.model)
    if world.is_main:
        run.remove_pictures()
    # The other ranks read what the first one writes.
    world.barrier()
    if config.train.calibrate:
        calibrate_if_better(training, run, monitor, dataset, config.evaluate.single_rule)
    # What is scored is what was saved.
    model = prepare(load_model(run.model), Compute(channels_last=config.train.channels_last), world.device)
    single = evaluate(
        model,
        dataset,
        config.evaluate.single_rule,
        world=world,
        save=run.pictures,
        pictures=config.evaluate.pictures,
        extremes=config.evaluate.extremes,
    )
    results: dict[str, Evaluation] = {"single": single}
    if (multi := config.evaluate.multi_rule) is not None:
        results["multi"] = evaluate(model, dataset, multi, world=world)
    if not world.is_main:
        return
    for name, result in results.items():
        write_confusion(run.path / f"confusion_{name}.csv", result.matrix, dataset.classes)
        write_per_image(run.path / f"images_{name}.csv", result.per_image)
        scores = result.scores
        monitor.say(
            f"{name} scale {' '.join(map(str, result.rule.short_sides))}: mIoU {100 * scores.mean_iou:.2f}, "
            f"pixel accuracy {100 * scores.pixel_accuracy:.2f} on {result.images} images of {config.data.evaluated_on}"
        )
    monitor.show_pictures(run.pictures, dataset.classes)
    files.write_json(run.metrics, {name: result.to_json() for name, result in results.items()})
    monitor.event("scores", **{name: _scores(result) for name, result in results.items()})
    for line in closing(training, run, monitor, time.perf_counter() - began):
        monitor.say(line)
    monitor.event("end", steps=training.steps, seconds=round(monitor.seconds, 1))


def _scores(result: Evaluation) -> dict[str, Any]:
    """Return what the log holds of an evaluation."""
    return {key: value for key, value in result.to_json().items() if key not in ("per_class", "seconds")}
