"""`switchseg bench norms|host|train|evaluate|windows|data`: the measurements of the folder benchmarks/."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from switchseg.cli.examples import examples
from switchseg.errors import UserError

# name -> what it measures; the module benchmarks/NAME.py has `run(arguments) -> int | None`
BENCHMARKS = {
    "norms": "the layers, forward and backward, against torch's own",
    "host": "what a layer costs the host, beside a GPU that is never waited for",
    "train": "whole training steps, and what the loop adds to them",
    "evaluate": "evaluation against the plain loop of 2018, and the metric alone",
    "windows": "labels of images in windows against those of images in one piece",
    "data": "the training pipelines against the plain one of 2018 and torchvision",
}

_REPOSITORY = Path(__file__).parents[3]


def run(arguments: Sequence[str]) -> int | None:
    """Run one benchmark; its rows are appended to benchmarks/results.csv."""
    if not arguments or arguments[0] in ("-h", "--help"):
        lines = "\n".join(f"  {name:<10}{what}" for name, what in BENCHMARKS.items())
        print(f"usage: switchseg bench NAME [OPTIONS]\n\nbenchmarks, each measured side by side in one run:\n{lines}")
        print(examples("bench"), end="")
        if arguments:
            raise SystemExit(0)
        return 0
    name, *rest = arguments
    if name not in BENCHMARKS:
        raise UserError(f"unknown benchmark {name!r}; the benchmarks are {', '.join(BENCHMARKS)}")
    if not (_REPOSITORY / "benchmarks" / f"{name}.py").is_file():
        raise UserError("switchseg bench needs a source checkout: the folder benchmarks/ is not part of the package")
    # The benchmarks are no part of the installed package, and are found from whatever folder this is called in.
    sys.path.insert(0, str(_REPOSITORY))
    return importlib.import_module(f"benchmarks.{name}").run(rest)  # type: ignore[no-any-return]
