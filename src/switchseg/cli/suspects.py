"""`switchseg suspects RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.errors import UserError


@dataclass(frozen=True)
class SuspectsFlags:
    """List the regions of the labels that a trained model doubts, the most suspect first, to look at and mend.

    Writes suspects.json, suspects.csv and pictures to RUN/suspects, and draws RUN/report.html anew with them.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run directory that holds its model."""
    split: Literal["both", "train", "val"] = "both"
    """Which labels to look at: those the run was trained on, those it was evaluated on, or both."""
    pictures: int = 24
    """How many regions get a picture."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:INDEX."""


def run(arguments: Sequence[str]) -> None:
    """Search, write, and say what is most suspect."""
    flags = parse(SuspectsFlags, "suspects", arguments)
    if not 0 <= flags.pictures <= 999:
        raise UserError(f"--pictures {flags.pictures}: 0 to 999 were expected")
    from switchseg.checkpoints.model_directory import load_model
    from switchseg.cli.report import write_report
    from switchseg.config import yaml
    from switchseg.config.inference import Compute
    from switchseg.config.schema import RunConfig
    from switchseg.distributed import joined_world
    from switchseg.engine.network import prepare
    from switchseg.engine.setup import open_training, open_validation
    from switchseg.engine.suspects.search import model_tiles, search, write_suspects

    folder = flags.run / "suspects"
    files.check_places(folders=[folder])
    config = yaml.load(flags.run / "config.yaml", RunConfig)
    model = load_model(flags.run)
    openers = {"train": open_training, "val": open_validation}
    splits = {name: open_(config.data) for name, open_ in openers.items() if flags.split in ("both", name)}
    for dataset in splits.values():
        # In the same order: regions carry numbers of classes, and the data may have changed since the training.
        if dataset.classes.names != model.spec.classes.names:
            raise UserError(f"{config.data.root}: its classes are not those that {flags.run} was trained on")
    with joined_world(flags.device) as world:
        compute = Compute()
        tiles = model_tiles(prepare(model, compute, world.device), config.evaluate.single_rule, compute)
        suspects, typical = search(splits, tiles, model.spec.classes)
    write_suspects(folder, suspects, typical, splits, model.spec.classes, flags.pictures)
    for suspect in suspects[:5]:
        given, likelier = (model.spec.classes.names[index] for index in suspect.region[:2])
        print(f"{suspect.split} {suspect.image} {suspect.region.box}: labelled {given}, looks like {likelier}")
    print(f"{len(suspects)} regions in {sum(map(len, splits.values()))} images: {folder / 'suspects.csv'}")
    write_report([flags.run], flags.run / "report.html")
    print(f"pictures: {flags.run / 'report.html'}")
