"""`switchseg probe CONFIG.yaml|FOLDER`: which norm do these data want?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.cli.run_flags import parse_run, run_config
from switchseg.config.schema import EvaluateConfig, RunConfig
from switchseg.data.config import DataConfig
from switchseg.errors import UserError
from switchseg.models.config import ModelConfig

if TYPE_CHECKING:
    from switchseg.engine.probe import Probe


@dataclass(frozen=True, kw_only=True)
class ProbeFlags(RunConfig):
    """Train CONFIG.yaml for a short time with Switchable Normalization, and say which norm its data want.

    The answer is bn, gn, in or sn, with what it rests on and what a step costs with each.

    A FOLDER of images and labels in place of the config is trained with a ResNet-18. Every setting of the config is a
    flag too; --train.images-per-device is the batch size that the answer is for.
    """

    steps: int = 200
    """Optimizer steps."""
    minutes: float | None = None
    """End the training earlier, after so many minutes."""
    json: Path | None = None
    """Write what was found to this file, the shares of every layer included."""


def run(arguments: Sequence[str]) -> None:
    """Probe, print the answer with its reasons, and write what was asked for."""
    flags = _parse(list(arguments))
    if flags.steps < 1 or not (flags.minutes is None or flags.minutes > 0):
        raise UserError("--steps and --minutes: more than 0 was expected")
    files.check_places([flags.json])
    from switchseg.engine.probe import probe

    found = probe(run_config(flags), steps=flags.steps, minutes=flags.minutes)
    _print(found)
    if flags.json is not None:
        files.write_json(flags.json, found.to_json())


def _parse(arguments: list[str]) -> ProbeFlags:
    folder = next((argument for argument in arguments if Path(argument).is_dir()), None)
    if folder is None or any(argument.endswith((".yaml", ".yml")) for argument in arguments):
        return parse_run(ProbeFlags, "probe", arguments)[0]
    arguments.remove(folder)
    default = ProbeFlags(
        model=ModelConfig(encoder="resnet18_dilated8", decoder="c1"),
        data=DataConfig(dataset="folder", root=folder, short_sides=(256,)),
        evaluate=EvaluateConfig(short_sides=(256,)),
    )
    return parse(ProbeFlags, "probe", arguments, default=default)


def _print(found: Probe) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("layer", "IN", "LN", "BN", box=None)
    for name, layer in found.layers.items():
        mean, var = layer["mean"], layer["var"]
        table.add_row(name, *(f"{(mean[each] + var[each]) / 2:.0%}" for each in mean))
    table.add_row("all", *(f"{share:.0%}" for share in found.shares.values()))
    console.print(table)
    fastest = found.costs["bn"] or found.costs["sn"]
    for norm, seconds in found.costs.items():
        ratio = f"{seconds / fastest:.2f}" if seconds and fastest else "impossible with so few images"
        print(f"time of a step  {norm:<3} {ratio}")
    accuracy = {name: f"{100 * value:.2f} %" for name, value in found.accuracy.items()}
    print(f"pixel accuracy  {accuracy['running']} with running statistics, {accuracy['batch']} with those of a batch")
    print(f"take {found.norm} ({found.steps} steps, {found.images_per_device} images): {found.reason}")
