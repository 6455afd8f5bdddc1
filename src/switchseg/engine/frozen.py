"""What a training leaves as it is: norms, and the first stages of the encoder."""

from __future__ import annotations

from torch import nn

from switchseg.config.schema import TrainConfig
from switchseg.errors import UserError
from switchseg.models.depth import stages
from switchseg.models.segmenter import Segmenter


def freeze(model: Segmenter, config: TrainConfig) -> None:
    """Freeze what `config` says; to be called again whenever the model was put into training mode.

    Raises:
        UserError: the encoder has fewer stages.
    """
    if config.freeze_norms:
        freeze_norms(model)
    if config.frozen_stages is not None:
        freeze_stages(model, config.frozen_stages)


def freeze_norms(model: nn.Module) -> None:
    """Put every layer with running statistics into evaluation mode and fix its parameters (2018: fix_bn).

    The 2018 code put the whole model into evaluation mode, dropout included; only the norms are meant.
    """
    for module in model.modules():
        # By the buffer and not by type: Switchable Normalizations keep running statistics too and are no BatchNorm.
        if "running_mean" in dict(module.named_buffers(recurse=False)):
            module.eval()
            module.requires_grad_(False)


def freeze_stages(model: Segmenter, last: int) -> None:
    """Fix the stem and the stages 1 to `last` of the encoder, with their norms and dropout in evaluation mode.

    Raises:
        UserError: the encoder has fewer stages.
    """
    stage_of = stages(model.encoder)
    most = max(stage_of.values())
    if last > most:
        raise UserError(
            f"train.frozen_stages: {last}; {model.spec.encoder} has {most} stages, so 0 to {most} was expected"
        )
    for name, parameter in model.encoder.named_parameters():
        if stage_of[name] <= last:
            parameter.requires_grad_(False)
    for name, module in model.encoder.named_modules():
        inside = [stage for key, stage in stage_of.items() if key.startswith(f"{name}.")]
        if inside and max(inside) <= last:
            module.eval()
