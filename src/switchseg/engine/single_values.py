"""Norms over a single value: BatchNorm has nothing to normalize where one image is pooled to one cell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from switchseg.data.geometry import round_up
from switchseg.engine.training import Training
from switchseg.errors import UserError

_COMPLAINT = "Expected more than 1"  # value per channel, or spatial element: how torch's norms begin


def check_batch(training: Training) -> None:
    """Refuse a training whose very batches are too small for its norms; only shapes are computed.

    Raises:
        UserError: a norm would see one value per channel; the line names norms that work.
    """
    config, model = training.config, training.model
    synced = model.spec.norm.startswith("sync") and training.world.size > 1
    if config.train.images_per_device > 1 or synced:
        return
    data = config.data
    sides = (min(data.short_sides),) * 2 if data.pipeline == "short_side" else data.crop_size
    height, width = (round_up(round_up(side, data.pad_multiple), model.stride) for side in sides)
    tensors = {
        name: torch.empty_like(tensor, device="meta", dtype=torch.float32 if tensor.is_floating_point() else None)
        for name, tensor in (*model.named_parameters(), *model.named_buffers())
    }
    with torch.no_grad(), single_values_named(training):
        torch.func.functional_call(model, tensors, (torch.empty(1, 3, height, width, device="meta"),))


@contextlib.contextmanager
def single_values_named(training: Training) -> Iterator[None]:
    """Turn torch's error about a single value into a UserError that names norms that work."""
    try:
        yield
    except ValueError as error:
        if _COMPLAINT not in str(error):
            raise
        spec, images = training.model.spec, training.config.train.images_per_device
        raise UserError(
            f"model.norm {spec.norm}: with train.images_per_device {images}, a map of {spec.encoder} + {spec.decoder} "
            "has one value per channel, which leaves nothing to normalize; take model.norm sn, sn_in_ln or gn, "
            "or more images per device"
        ) from None
