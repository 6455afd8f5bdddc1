"""`switchseg import-weights`: a pair of 2018 or MIT checkpoints -> a model directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Options:
    """Turn the two checkpoint files of the 2018 code base or of the MIT framework into a model directory.

    The layout is recognised from the keys; every key must be accounted for and every shape must fit.
    """

    encoder: Path
    """encoder_epoch_N.pth"""
    decoder: Path
    """decoder_epoch_N.pth"""
    arch_encoder: str
    """As the code base called it: resnet50_dilated8, resnet50dilated, hrnetv2 ..."""
    arch_decoder: str
    """As the code base called it: c1_bilinear_deepsup, ppm_deepsup, upernet ..."""
    num_classes: int = 150
    """150 classes get the names and colours of ADE20K."""
    preprocessing: Literal["bgr", "rgb"] | None = None
    """The input the network was trained with: BGR in 0 .. 255 less the mean, or RGB with ImageNet statistics.
    Without it, bgr for 2018 files and rgb for MIT's."""
    out: Path
    """The model directory to write."""


def run(arguments: Sequence[str]) -> int | None:
    """Import, write the model directory and say what was done; nothing is written after a mistake."""
    options = parse(Options, "import-weights", arguments)

    from switchseg.checkpoints import legacy
    from switchseg.checkpoints.model_directory import save_model
    from switchseg.classes import Classes
    from switchseg.data.readers.ade20k_classes import ADE20K
    from switchseg.models.create import MOST_CLASSES, create_model
    from switchseg.models.weights import read_weights
    from switchseg.preprocessing import PREPROCESSINGS

    if not 1 <= options.num_classes <= MOST_CLASSES:
        raise UserError(f"--num-classes must be at least 1 and at most {MOST_CLASSES}, but is {options.num_classes}")
    files.check_places(folders=[options.out])
    encoder, decoder = read_weights(options.encoder), read_weights(options.decoder)
    layout = legacy.recognise(encoder, decoder)
    preprocessing = options.preprocessing or layout.preprocessing
    # The files hold no names; 150 outputs are those of the benchmark for which both code bases were written.
    classes = ADE20K if options.num_classes == len(ADE20K) else Classes.unnamed(options.num_classes)
    model = create_model(
        layout.encoder_name(options.arch_encoder),
        options.arch_decoder,
        layout.norm,
        classes=classes,
        preprocessing=PREPROCESSINGS[preprocessing],
    )
    state, dropped = legacy.import_states(
        encoder, decoder, model.state_dict(), options.arch_decoder, layout, (str(options.encoder), str(options.decoder))
    )
    model.load_state_dict(state)
    save_model(model, options.out)

    spec = model.spec
    print(f"{options.out}: {spec.encoder} + {spec.decoder}, {spec.norm}, {spec.num_classes} classes, {preprocessing}")
    print(f"recognised the {layout.name} layout; {len(state)} tensors taken over", end="")
    print(f", {len(dropped)} left out that only served training ({dropped[0]}, ...)" if dropped else "")
    return None
