"""Norms over a single value: BatchNorm has nothing to normalize where one image is pooled to one cell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from switchseg.config.schema import RunConfig
from switchseg.engine.frozen import freeze
from switchseg.errors import UserError
from switchseg.geometry import round_up
from switchseg.models.create import create_model

# BatchNorm goes on with "value per channel", InstanceNorm with "spatial element"; torch has no class of error for it.
_COMPLAINT = "Expected more than 1"


def obstacle(config: RunConfig, ranks: int = 1) -> str | None:
    """Return why the very batches of `config` are too small for its norms, None where they are not.

    The model is run without any memory for its tensors (PyTorch's `meta` device), so this takes a fraction of a second.

    Args:
        config: of the training.
        ranks: how many processes train together; synchronised norms see the images of all.

    Raises:
        UserError: the config names an unknown encoder or decoder, or a pair that does not fit, or the encoder has fewer
            stages than are frozen.
    """
    model, data = config.model, config.data
    # With two images every channel has two values at least; synchronised norms count those of all ranks.
    if config.train.images_per_device > 1 or (model.norm.startswith("sync") and ranks > 1):
        return None
    sides = (min(data.short_sides),) * 2 if data.pipeline == "short_side" else data.crop_size
    with torch.device("meta"):
        network = create_model(model.encoder, model.decoder, model.norm, 2, auxiliary=model.auxiliary).train()
        freeze(network, config.train)  # frozen norms have statistics already
        height, width = (round_up(round_up(side, data.pad_multiple), network.stride) for side in sides)
        try:
            network(torch.empty(1, 3, height, width))
        except ValueError as error:
            if _COMPLAINT not in str(error):
                raise
            return _explain(config)
    return None


@contextlib.contextmanager
def single_values_named(config: RunConfig) -> Iterator[None]:
    """Turn torch's error about a single value into a UserError that names norms that work."""
    try:
        yield
    except ValueError as error:
        if _COMPLAINT not in str(error):
            raise
        raise UserError(_explain(config)) from None


def _explain(config: RunConfig) -> str:
    model, images = config.model, config.train.images_per_device
    return (
        f"model.norm {model.norm}: with train.images_per_device {images}, a map of {model.encoder} + {model.decoder} "
        "has one value per channel, which leaves nothing to normalize; take model.norm sn, sn_in_ln or gn, "
        "or more images per device"
    )
