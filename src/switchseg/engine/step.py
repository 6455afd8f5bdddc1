"""One optimizer step: batches of this rank in, updated weights out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from switchseg.config.schema import RunConfig
from switchseg.data.sample import Batch
from switchseg.engine.capture import Recordings
from switchseg.engine.cuda_graphs import CudaGraphs, Graph
from switchseg.engine.diagnosis import first_non_finite
from switchseg.engine.precision import computing, parameter_dtype
from switchseg.engine.single_values import single_values_named
from switchseg.engine.streams import Staging
from switchseg.engine.training import Training
from switchseg.losses.criterion import inverse
from switchseg.losses.loss import resize_to
from switchseg.norms import set_sparse_radius
from switchseg.norms.sparse import sparse_layers

_FREEZE_EVERY = 100
"""Steps between two looks for sparse layers that use a single statistic: looking waits for the device."""

_log = logging.getLogger(__name__)


class Stepper:
    """Runs the optimizer steps of a training, as recorded graphs where that is possible.

    On a GPU a step is queued and not waited for: its loss is read when the next one has been queued, or by
    `training.guard.settle()`.

    Args:
        training: What is trained; no other stepper may be at it.
        graphs: Makes the graphs; by default CUDA graphs, or none where `capture_obstacle` names a reason.
        wish_to_stop: Whether this rank wishes to stop. With several, `training.guard.asked_to_stop` tells every one of
            them, from the same step on.
    """

    def __init__(
        self,
        training: Training,
        graphs: Callable[[], Graph] | None = None,
        wish_to_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._training = training
        self._wish_to_stop = wish_to_stop
        self._sparse = sparse_layers(training.model)
        self._stage = Staging(training.world.device)
        if graphs is None and training.world.device.type == "cuda" and training.config.train.capture == "auto":
            reason = capture_obstacle(training.config, training.world.size)
            graphs = None if reason else CudaGraphs()
            if reason and training.world.is_main:
                _log.warning("capture off: %s", reason)
        self.recordings: Recordings = Recordings(
            self._compute, graphs, state=training.changing, stopped=training.renew_scaler
        )
        self._current: Sequence[Batch] = ()

    def __call__(self, batches: Sequence[Batch]) -> None:
        """Run forward and backward over `batches` (one, or as many as are accumulated) and update the weights.

        Raises:
            UserError: the loss of this step, or of the one before, is not finite on some rank; no rank has then
                changed its parameters by it, or since.
        """
        training, step = self._training, self._training.step
        seed_step(training.config.train.seed, step, training.world.rank)
        if self._sparse:  # a walk over all modules of the model
            radius = _sparse_radius(training, step)
            set_sparse_radius(training.model, radius, freeze=step % _FREEZE_EVERY == 0)
        # What is fixed decides which kernels a step queues, so a change of it must void the recordings.
        fixed = tuple(layer.fixed for layer in self._sparse)
        self._current = [self._stage(batch) for batch in batches]
        tensors = [tensor for batch in self._current for tensor in (batch.images, batch.labels, batch.sizes)]
        self.recordings(*tensors, setting=fixed)
        training.step += 1
        training.scheduler.step()
        # The batches are kept with it until their loss has been read: their memory belongs to the stream of the
        # copies, and whoever explains a loss needs the images.
        training.guard.queue(partial(_explain_non_finite, training, self._current, step))

    def _compute(self, *tensors: Tensor) -> None:
        """Queue all that a step does on the device. What changes from step to step is read there."""
        training = self._training
        world = training.world
        triples = zip(tensors[::3], tensors[1::3], tensors[2::3], strict=True)
        batches = [Batch(images, labels, sizes, names=()) for images, labels, sizes in triples]
        # Over all accumulated batches before the first backward pass, as each gradient is scaled by the sum of all.
        weights = torch.stack([training.criterion.weights(batch.labels) for batch in batches])
        factors = _loss_factors(weights, training)
        training.optimizer.zero_grad(set_to_none=True)
        # float64, as the factors are: with float32 two accumulated batches differed from one by 4e-9.
        loss = torch.zeros((), dtype=torch.float64, device=world.device)
        for index, (batch, factor) in enumerate(zip(batches, factors, strict=True)):
            with _gradients_stay_local(training, index + 1 < len(batches)):
                weighted = (_summed_losses(training, batch) * factor).sum()
                # Checkpointed layers run forward again in here.
                with _statistics_kept(training):
                    training.scaler.scale(weighted).backward()
            loss += weighted.detach()
        wishes = None
        if world.size > 1:
            # Filled in by the device: a number sent there would wait for it.
            loss, wishes = world.sum(torch.stack([loss, torch.full_like(loss, self._wish_to_stop())]))
            # DDP averages gradients over ranks and the factors are made for that, so the loss is a mean as well.
            loss = loss / world.size
        # Between backward and update: every rank sees the same sum, so all of them stop or none.
        training.guard.see(loss, partial(_explain_non_finite, training, self._current, training.step), wishes)
        _update(training)
        training.meter.add_loss(loss)


def capture_obstacle(config: RunConfig, ranks: int) -> str:
    """Say what keeps the steps of a training on a GPU from being recorded, "" if nothing does."""
    if ranks > 1:
        return "with several ranks one could wait in a recorded step for another that does not record its own"
    if config.train.precision == "fp64":
        return "torch's kernels that read the learning rate on the device take no float64"
    if config.train.activation_checkpointing:
        return "recomputed activations restore random states, which cannot be recorded"
    return ""


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed what is random in the model (dropout), so that a resumed run draws what the undisturbed one did."""
    # Distinct for all seeds, steps up to a million and ranks below 4099.
    value = (seed * 1_000_003 + step) * 4099 + rank
    # As `torch.manual_seed`, which takes 0.4 ms in a step where there is no GPU: it keeps the stack to tell later.
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(value)


def _sparse_radius(training: Training, step: int) -> float:
    start, end = training.config.train.sparse_radius
    return start + (end - start) * min(step / training.steps, 1.0)


def _loss_factors(weights: Tensor, training: Training) -> Tensor:
    """Return what the sums of each batch are multiplied with before the gradients are averaged over ranks.

    Args:
        weights: The weight of each of T sums in each of B batches, [B, T].
        training: Tells what the average is over.
    """
    if training.config.loss.average == "devices":
        # DDP averages over ranks by itself; what is left is the mean over this rank's batches.
        return inverse(weights) / len(weights)
    # Times the number of ranks, because DDP divides the summed gradients by it.
    return (training.world.size * inverse(training.world.sum(weights.sum(0)))).expand_as(weights)


def network_input(training: Training, batch: Batch) -> Tensor:
    """Return the images [N, 3, H, W] of `batch` as the network takes them."""
    train = training.config.train
    images = batch.normalized(training.model.spec.preprocessing).to(parameter_dtype(train.precision))
    return images.contiguous(memory_format=torch.channels_last) if train.channels_last else images


def _summed_losses(training: Training, batch: Batch) -> Tensor:
    """Return the sums of the loss's T terms over one batch, [T], and let the meter count its predictions."""
    config = training.config
    with computing(config.train.precision, training.world.device), single_values_named(config):
        output = training.forward(network_input(training, batch))
    logits, auxiliary = output if isinstance(output, tuple) else (output, None)
    # Once for the loss and the meter; the loss resizes nothing that has the labels' size.
    logits = resize_to(logits, batch.labels)
    sums = training.criterion.sums(logits, auxiliary, batch.labels)
    training.meter.add_prediction(logits.detach(), batch.labels)
    return sums


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
    if training.guard.loss.is_cuda:
        for group in training.optimizer.param_groups:
            if "capturable" in group:  # torch's AdamW warns of it in an eager step, and refuses a recording without
                group["capturable"] = torch.cuda.is_current_stream_capturing()
    if training.config.train.clip_norm is not None:
        # Clipped are the true gradients, not those times the scale.
        training.scaler.unscale_(training.optimizer)
        torch.nn.utils.clip_grad_norm_(training.model.parameters(), training.config.train.clip_norm)
    training.scaler.step(training.optimizer)
    training.scaler.update()
    if training.average is not None:
        # After the optimizer, in the recorded step: the average is of the weights that this step has left.
        training.average.update(training.model)


def _explain_non_finite(training: Training, batches: Sequence[Batch], step: int, loss: float) -> str:
    # Every rank looks at its own batches together with the others: synchronised norms wait for each other.
    findings: list[str] = []
    for batch in batches:
        # In the precision of the step: what overflows in half precision is finite in float32.
        with computing(training.config.train.precision, training.world.device):
            layer = first_non_finite(training.model, network_input(training, batch))
        if layer is not None:
            findings.append(f"images {', '.join(batch.names)}: the first output that is not finite is that of {layer}")
    findings = [finding for rank in training.world.gather(findings) for finding in rank]
    names = ", ".join(name for batch in batches for name in batch.names)
    where = "; ".join(findings) or f"images {names}: all layers are finite, so the labels or the loss are at fault"
    return (
        f"step {step}: the loss is {loss} ({where}); nothing was updated; "
        "try a lower optim.lr_encoder and optim.lr_decoder, train.clip_norm, or train.precision fp32"
    )
