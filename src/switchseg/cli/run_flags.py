"""CONFIG.yaml plus a flag for each of its settings: what `train`, `compare`, `probe` and `find-rate` take."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tyro

from switchseg.cli.arguments import parse
from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.errors import UserError
from switchseg.plugins import imported

OPERANDS = "CONFIG.yaml"

Flags = TypeVar("Flags", bound="RunFlags")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunFlags(RunConfig):
    """The settings of a run as flags, but for what is imported before flags are read: `--import` adds to that."""

    # As a flag it would come too late: what plugins register is checked while the flags are read.
    plugins: tyro.conf.Suppress[tyro.conf.Fixed[tuple[str, ...]]] = ()


def parse_run(kind: type[Flags], verb: str, arguments: Sequence[str]) -> tuple[Flags, str]:
    """Read the config that `arguments` name, put the flags on top, and return both with the config's stem.

    `--help` shows the values that a config has, or without one the defaults.

    Raises:
        UserError: there is no config among the arguments, or it or a flag does not fit.
    """
    arguments = list(arguments)
    place = _config_place(arguments, {"__help", *_switches(kind)})
    if place is None:
        if any(argument in ("-h", "--help") for argument in arguments):
            parse(kind, verb, ["--help"], operands=OPERANDS)
        raise UserError(f"switchseg {verb} needs a config: switchseg {verb} CONFIG.yaml [--train.steps 100 ...]")
    path = arguments.pop(place)
    config = dataclasses.replace(yaml.load(path, RunConfig, with_plugins=True), plugins=imported())
    # Before parsing, for tyro builds the whole config anew, and both being given is refused there.
    config = _cleared(config, arguments)
    return parse(kind, verb, arguments, default=kind(**_settings(config)), operands=OPERANDS), Path(path).stem


def run_config(flags: RunConfig) -> RunConfig:
    """Return the settings of the run alone, without the flags that are about this command only."""
    # A RunConfig itself, since the subclass would write `out` and `resume` into config.yaml.
    return RunConfig(**_settings(flags))


def _config_place(arguments: Sequence[str], switches: Collection[str]) -> int | None:
    """Return where the first YAML file is that is no flag's value, as in `--out runs/a.yaml`."""
    before = ""
    for place, argument in enumerate(arguments):
        is_value = before.startswith("--") and "=" not in before and before.replace("-", "_") not in switches
        if argument.endswith((".yaml", ".yml")) and not argument.startswith("-") and not is_value:
            return place
        before = argument
    return None


def _switches(kind: Any, section: str = "") -> Iterator[str]:
    """Yield the flags that take no value, `--` and hyphens as underscores."""
    for name, hint in typing.get_type_hints(kind).items():
        if dataclasses.is_dataclass(hint):
            yield from _switches(hint, f"{section}{name}.")
        elif hint is bool:
            yield from (f"__{section}{prefix}{name}" for prefix in ("", "no_"))


def _cleared(config: RunConfig, arguments: Sequence[str]) -> RunConfig:
    """Return `config` without the settings whose place a flag takes: --train.epochs that of train.steps."""
    given = {argument.split("=")[0].replace("-", "_") for argument in arguments}
    for section, settings in _settings(config).items():
        for field in dataclasses.fields(settings) if dataclasses.is_dataclass(settings) else ():
            rival = field.metadata.get("instead_of")
            if rival and f"__{section}.{field.name}" in given and f"__{section}.{rival}" not in given:
                config = dataclasses.replace(config, **{section: dataclasses.replace(settings, **{rival: None})})
    return config


def _settings(config: RunConfig) -> dict[str, Any]:
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(RunConfig)}
