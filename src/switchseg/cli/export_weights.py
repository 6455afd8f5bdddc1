"""`switchseg export-weights`: a model directory -> the pair of files that the 2018 code or MIT's framework loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from switchseg import files
from switchseg.cli.arguments import parse


@dataclass(frozen=True, kw_only=True)
class Options:
    """Write the encoder and decoder files of the 2018 code (sn, sn_in_ln) or of MIT's framework (bn).

    Only decoders that those code bases have can be written: c1, ppm, upernet and upernet_lite.
    """

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """A model or a run directory."""
    encoder: Path
    """File to write, for example encoder_epoch_20.pth"""
    decoder: Path
    """File to write, for example decoder_epoch_20.pth"""


def run(arguments: Sequence[str]) -> int | None:
    """Write the two files."""
    options = parse(Options, "export-weights", arguments)
    files.check_places([options.encoder, options.decoder])
    for path in (options.encoder, options.decoder):
        files.check_suffix(path, ".pth", ".pt", ".pkl")

    import torch

    from switchseg.checkpoints.legacy import export_states
    from switchseg.checkpoints.model_directory import load_model

    model = load_model(options.model)
    states = export_states(model.state_dict(), model.spec.decoder, model.spec.norm)
    for path, state in zip((options.encoder, options.decoder), states.values(), strict=True):
        with files.replacing(path) as file:
            torch.save(state, file)
        print(f"{path}: {len(state)} tensors")
    return None
