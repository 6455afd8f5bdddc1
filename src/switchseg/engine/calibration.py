"""Running statistics averaged anew at the end of a training, kept where the model then scores better."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from switchseg.checkpoints.model_directory import load_model, save_model
from switchseg.config.inference import Rule
from switchseg.config.schema import RunConfig
from switchseg.data.dataset import Dataset
from switchseg.data.loader import build_loader
from switchseg.engine.evaluate import evaluate
from switchseg.engine.monitor import Monitor
from switchseg.engine.setup import open_training
from switchseg.engine.training import Training
from switchseg.models.segmenter import Segmenter
from switchseg.norms import calibrate
from switchseg.runs.directory import RunDirectory


def calibrate_if_better(training: Training, run: RunDirectory, monitor: Monitor, dataset: Dataset, rule: Rule) -> None:
    """Calibrate the run's model over `train.calibrate` training batches, and keep it if `dataset` says that it helps.

    Every rank must call it; each measures the same statistics.
    """
    config, world = training.config, training.world
    # The model that was kept, which is not always the one of the last step.
    model = load_model(run.model).to(world.device)
    # Without running statistics evaluation would give the same score twice, at the price of two passes.
    if not any(name.endswith("running_mean") for name, _ in model.named_buffers()):
        return
    before = evaluate(model, dataset, rule, world=world, quiet=True).scores.mean_iou
    calibrate(model, _batches(config, model))
    after = evaluate(model, dataset, rule, world=world, quiet=True).scores.mean_iou
    # Not where both are equal: a file that need not be written again is left as it was.
    kept = after > before
    if kept and world.is_main:
        save_model(model, run.model)
    world.barrier()
    monitor.event("calibrate", batches=config.train.calibrate, before=before, after=after, kept=kept)
    monitor.say(
        f"statistics averaged anew over {config.train.calibrate} batches: mIoU {100 * before:.2f} -> "
        f"{100 * after:.2f}, {'kept' if kept else 'so the old ones stay'}"
    )


def _batches(config: RunConfig, model: Segmenter) -> Iterator[Tensor]:
    device = next(model.parameters()).device
    loader = build_loader(
        config.data,
        open_training(config.data),
        images_per_rank=config.train.images_per_device,
        # Another order and other crops than the training has just seen.
        seed=config.train.seed + 1,
        # Every rank reads the same batches and so gets the same statistics, without any exchange.
        rank=0,
        world_size=1,
        start_step=0,
        steps=config.train.calibrate,
        stride=model.stride,
    )
    for batch in loader:
        yield batch.to(device).normalized(model.spec.preprocessing)
