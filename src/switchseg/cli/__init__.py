"""The `switchseg` program: one verb, one file of this folder, imported only when it is called for."""

import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import switchseg
from switchseg.errors import UserError

# verb -> (module with `run(arguments) -> int | None`, what the verb does)
COMMANDS = {
    "train": ("switchseg.cli.train", "train a model from a config, or go on with a run that was stopped"),
    "evaluate": ("switchseg.cli.evaluate", "score a model on a data set, at one or several scales"),
    "predict": ("switchseg.cli.predict", "label images, folders and videos"),
    "compare": ("switchseg.cli.compare", "train a config with several norms, batch sizes and seeds, and sum up"),
    "import-weights": ("switchseg.cli.import_weights", "turn 2018 and MIT checkpoints into a model directory"),
    "export-weights": ("switchseg.cli.export_weights", "write a model as the checkpoint pair of 2018 or MIT"),
    "export": ("switchseg.cli.export", "write a model as an ONNX or .pt2 file, checked against the model"),
    "models": ("switchseg.cli.models", "list encoders and decoders with their sizes"),
    "bench": ("switchseg.cli.bench", "measure norms, training, evaluation and data, side by side"),
    "report": ("switchseg.cli.report", "draw one HTML page from one or more runs"),
    "plot": ("switchseg.cli.plot", "draw one figure for a paper: shares, curves, classes or study"),
    "demo": ("switchseg.cli.demo", "serve a page that labels images in the browser"),
    "make-scenes": ("switchseg.cli.make_scenes", "generate the procedural data set of the quickstart"),
    "check-data": ("switchseg.cli.check_data", "read a whole data set and report its mistakes before training does"),
    "make-list": ("switchseg.cli.make_list", "write an odgt list of a folder of images and labels"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code: 0 done, 2 a mistake of the user; a verb may have others."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if arguments[0] == "--version":
        print(f"switchseg {switchseg.__version__}")
        return 0
    verb, *rest = arguments
    try:
        if verb not in COMMANDS:
            raise UserError(f"unknown command {verb!r}; the commands are {', '.join(COMMANDS)}")
        return import_module(COMMANDS[verb][0]).run(rest) or 0
    except UserError as error:
        print(f"switchseg: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("switchseg: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


def _usage() -> str:
    width = max(map(len, COMMANDS))
    verbs = "\n".join(f"  {verb:<{width}}  {summary}" for verb, (_, summary) in COMMANDS.items())
    return (
        "usage: switchseg COMMAND [OPTIONS]\n\n"
        "Semantic segmentation for small batches, with Switchable Normalization.\n\n"
        f"commands:\n{verbs}\n\n"
        "`switchseg COMMAND --help` lists a command's options; `switchseg --version` prints the version."
    )
