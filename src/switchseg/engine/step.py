"""One optimizer step: batches of this rank in, updated weights out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from switchseg.config.schema import RunConfig
from switchseg.data.sample import Batch
from switchseg.engine.diagnosis import first_non_finite
from switchseg.engine.precision import computing, parameter_dtype
from switchseg.engine.single_values import single_values_named
from switchseg.engine.training import Training
from switchseg.errors import UserError
from switchseg.losses.functions import LOSSES, count_labelled, resize_to
from switchseg.norms import set_sparse_radius


def train_step(training: Training, batches: Sequence[Batch]) -> None:
    """Run forward and backward over `batches` (one, or as many as are accumulated) and update the weights.

    Raises:
        UserError: the loss is not finite on some rank; no rank has then changed its parameters.
    """
    config, world = training.config, training.world
    seed_step(config.train.seed, training.step, world.rank)
    set_sparse_radius(training.model, _sparse_radius(config, training.step))
    batches = [batch.to(world.device) for batch in batches]
    counts = torch.stack([count_labelled(batch.labels) for batch in batches])
    factors = _loss_factors(counts, config, training)
    training.optimizer.zero_grad(set_to_none=True)
    loss = torch.zeros((), dtype=torch.float64, device=world.device)
    for index, (batch, factor) in enumerate(zip(batches, factors, strict=True)):
        with _gradients_stay_local(training, index + 1 < len(batches)):
            weighted = _summed_loss(training, batch) * factor
            with _statistics_kept(training):
                training.scaler.scale(weighted).backward()
        loss += weighted.detach()
    loss = world.sum(loss) / world.size
    if not torch.isfinite(loss):
        raise UserError(_explain_non_finite(training, batches, float(loss)))
    _update(training)
    training.meter.add_loss(loss)
    training.step += 1


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed what is random in the model (dropout), so that a resumed run draws what the undisturbed one did."""
    torch.manual_seed((seed * 1_000_003 + step) * 4099 + rank)


def _sparse_radius(config: RunConfig, step: int) -> float:
    start, end = config.train.sparse_radius
    return start + (end - start) * step / config.train.steps


def _loss_factors(counts: Tensor, config: RunConfig, training: Training) -> Tensor:
    """Return what each batch's summed loss is multiplied with before the gradients are averaged over ranks."""
    if config.loss.average == "devices":
        return 1.0 / (counts.clamp(min=1) * len(counts)).double()
    total = training.world.sum(counts.sum()).clamp(min=1)
    return (training.world.size / total.double()).expand(len(counts))


def network_input(training: Training, batch: Batch) -> Tensor:
    """Return the images [N, 3, H, W] of `batch` as the network takes them."""
    train = training.config.train
    images = batch.normalized(training.model.spec.preprocessing).to(parameter_dtype(train.precision))
    return images.contiguous(memory_format=torch.channels_last) if train.channels_last else images


def _summed_loss(training: Training, batch: Batch) -> Tensor:
    config = training.config
    function = LOSSES[config.loss.name]
    with computing(config.train.precision, training.world.device), single_values_named(training):
        output = training.forward(network_input(training, batch))
    logits, auxiliary = output if isinstance(output, tuple) else (output, None)
    logits = resize_to(logits, batch.labels)
    loss = function(logits, batch.labels)
    if auxiliary is not None:
        loss = loss + config.loss.auxiliary_weight * function(auxiliary, batch.labels)
    training.meter.add_prediction(logits.detach(), batch.labels)
    return loss


def _gradients_stay_local(training: Training, stay: bool) -> AbstractContextManager[object]:
    # Ranks exchange gradients once a step, after the last accumulated batch.
    if stay and isinstance(training.forward, DistributedDataParallel):
        return training.forward.no_sync()
    return contextlib.nullcontext()


@contextlib.contextmanager
def _statistics_kept(training: Training) -> Iterator[None]:
    """Undo what a backward pass that runs layers again does to their running statistics: count the batch twice."""
    buffers = list(training.model.buffers()) if training.config.train.activation_checkpointing else []
    before = [buffer.clone() for buffer in buffers]
    yield
    for buffer, value in zip(buffers, before, strict=True):
        buffer.copy_(value)


def _update(training: Training) -> None:
    if training.config.train.clip_norm is not None:
        training.scaler.unscale_(training.optimizer)
        torch.nn.utils.clip_grad_norm_(training.model.parameters(), training.config.train.clip_norm)
    training.scaler.step(training.optimizer)
    training.scaler.update()
    training.scheduler.step()
    if training.average is not None:
        training.average.update_parameters(training.model)


def _explain_non_finite(training: Training, batches: Sequence[Batch], loss: float) -> str:
    # Every rank looks at its own batches together with the others: synchronised norms wait for each other.
    findings: list[str] = []
    for batch in batches:
        layer = first_non_finite(training.model, network_input(training, batch))
        if layer is not None:
            findings.append(f"images {', '.join(batch.names)}: the first output that is not finite is that of {layer}")
    if training.world.size > 1:
        gathered: list[list[str]] = [[] for _ in range(training.world.size)]
        dist.all_gather_object(gathered, findings)
        findings = [finding for rank in gathered for finding in rank]
    names = ", ".join(name for batch in batches for name in batch.names)
    where = "; ".join(findings) or f"images {names}: all layers are finite, so the labels or the loss are at fault"
    return (
        f"step {training.step}: the loss is {loss} ({where}); nothing was updated; "
        "try a lower optim.lr_encoder and optim.lr_decoder, train.clip_norm, or train.precision fp32"
    )
