"""`switchseg suspects RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.errors import UserError

_MOST_FOLDS = 20


@dataclass(frozen=True)
class SuspectsFlags:
    """List the regions of the labels that a trained model doubts, the most suspect first, to look at and mend.

    Writes suspects.json, suspects.csv and pictures to RUN/suspects, and draws RUN/report.html anew with them.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run directory that holds its model."""
    split: Literal["both", "train", "val"] = "both"
    """Which labels to look at: those the run was trained on, those it was evaluated on, or both."""
    folds: int = 0
    """Train so many networks as the run was, each without the images of its part, which it then looks at: a network
    learns errors of the labels that it is trained on. They are kept, so that a stopped command goes on. 0 asks the
    run's own model."""
    pictures: int = 24
    """How many regions get a picture."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:INDEX."""


def run(arguments: Sequence[str]) -> int:
    """Search, write, and say what is most suspect."""
    flags = parse(SuspectsFlags, "suspects", arguments)
    if not 0 <= flags.pictures <= 999:
        raise UserError(f"--pictures {flags.pictures}: 0 to 999 were expected")
    if flags.folds and not 2 <= flags.folds <= _MOST_FOLDS:
        raise UserError(f"--folds {flags.folds}: 0, or 2 to {_MOST_FOLDS} were expected")
    if flags.folds and flags.split == "val":
        raise UserError("--folds: those of the training split; the model has not been trained on --split val")
    from switchseg.checkpoints.model_directory import load_model
    from switchseg.cli.report import write_report
    from switchseg.config import yaml
    from switchseg.config.inference import Compute
    from switchseg.config.schema import RunConfig
    from switchseg.distributed import joined_world
    from switchseg.engine.network import prepare
    from switchseg.engine.suspects.judges import find_judges, train_folds
    from switchseg.engine.suspects.report import write_suspects
    from switchseg.engine.suspects.search import Part, model_tiles, search

    folder = flags.run / "suspects"
    files.check_places(folders=[folder])
    if not (flags.run / "config.yaml").is_file():
        raise UserError(f"{flags.run}: no run directory (it has no config.yaml); give the --out folder of a training")
    config = yaml.load(flags.run / "config.yaml", RunConfig)
    if flags.device != "auto":
        config = replace(config, train=replace(config.train, device=flags.device))
    # First: without one, the folds would be trained in vain.
    model = load_model(flags.run)
    if code := train_folds(config, folder, flags.folds):
        return code
    judges = find_judges(model, config, flags.split, folder, flags.folds)
    # Both ways round: what a model doubts only one way is mostly its own mistake.
    compute, rule = Compute(), replace(config.evaluate.single_rule, flip=True)
    with joined_world(flags.device) as world:
        parts = [
            Part(split, dataset, model_tiles(prepare(judge, compute, world.device), rule, compute))
            for split, dataset, judge in judges
        ]
        classes = model.spec.classes
        suspects, typical = search(parts, classes)
    images = sum(len(part.dataset) for part in parts)
    write_suspects(folder, suspects, typical, images, classes, flags.pictures)
    for suspect in suspects[:5]:
        given, likelier = (classes.names[index] for index in suspect.region[:2])
        print(f"{suspect.part.split} {suspect.image} {suspect.region.box}: labelled {given}, looks like {likelier}")
    print(f"{len(suspects)} regions in {images} images: {folder / 'suspects.csv'}")
    if not flags.folds and flags.split != "val":
        print("note     the model has learned from most of these labels, errors included; --folds 4 finds more of them")
    write_report([flags.run], flags.run / "report.html")
    print(f"pictures: {flags.run / 'report.html'}")
    return 0
