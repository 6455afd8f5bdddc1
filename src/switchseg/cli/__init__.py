"""The `switchseg` program: one verb, one file of this folder, imported only when it is called for."""

import contextlib
import errno
import io
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module

import switchseg
from switchseg import system
from switchseg.errors import UserError
from switchseg.plugins import import_installed, import_plugins

# verb -> (module with `run(arguments) -> int | None`, what the verb does)
COMMANDS = {
    "train": ("switchseg.cli.train", "train a model from a config, or go on with a run that was stopped"),
    "finetune": ("switchseg.cli.finetune", "look at a folder of images, choose everything, train, evaluate and report"),
    "evaluate": ("switchseg.cli.evaluate", "score a model on a data set, at one or several scales"),
    "predict": ("switchseg.cli.predict", "label images, folders, videos and GeoTIFF rasters"),
    "suspects": ("switchseg.cli.suspects", "list the regions of the labels that a trained model doubts"),
    "compare": ("switchseg.cli.compare", "train a config with several norms, batch sizes and seeds, and sum up"),
    "probe": ("switchseg.cli.probe", "find out by short trainings which norm your data want"),
    "find-rate": ("switchseg.cli.find_rate", "try rising learning rates on a config, and suggest one"),
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

ON_RANKS = ("train", "evaluate", "compare", "find-rate")
"""The verbs that share their work where torchrun has started several processes; any other would do all of it in each,
into the same files."""

_UNREAD = 141
"""What a shell says of a program that SIGPIPE has ended."""

_OF_WRITING = (errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPIPE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code: 0 done, 2 a mistake of the user or a place that cannot be used.

    A verb may have others. Nothing that is foreseen ends in a traceback: this is the one place where errors of the
    operating system, wherever they come from, become a line.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be text
    try:
        with _warnings_told_once():
            code = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        return code
    except UserError as error:
        return _failed(str(error), error.exit_code)
    except KeyboardInterrupt:
        print("switchseg: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    except OSError as error:
        # `switchseg models | head` is no mistake; a broken pipe to a worker is, and has the same type.
        if isinstance(error, BrokenPipeError) and system.is_unread(sys.stdout):
            _forget_output()
            return _UNREAD  # whoever read the lines has seen enough
        return _failed(_explain(error), UserError.exit_code)
    except MemoryError:
        return _failed("there is not enough memory for this", UserError.exit_code)


@contextlib.contextmanager
def _warnings_told_once() -> Iterator[None]:
    """Let a warning be printed once, however often a command opens what it is about."""
    told: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        # Every rank opens the same files; the first tells what is amiss with them.
        if record.name.startswith("switchseg.data.readers.") and os.environ.get("RANK", "0") != "0":
            return False
        known = len(told)
        told.add(record.getMessage())
        return len(told) > known

    # Where warnings go that nobody else has a handler for. Whoever has one also decides what it does with them.
    printer = logging.lastResort or logging.NullHandler()
    printer.addFilter(is_new)
    try:
        yield
    finally:
        printer.removeFilter(is_new)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if arguments[0] == "--version":
        print(f"switchseg {switchseg.__version__}")
        return 0
    verb, *rest = arguments
    if verb not in COMMANDS:
        raise UserError(f"unknown command {verb!r}; the commands are {', '.join(COMMANDS)}")
    _check_ranks(verb)
    names, rest = _split_imports(rest)
    # Before the verb's module: it may make its flags and help from registries that plugins add to.
    import_installed()
    import_plugins(names)
    return import_module(COMMANDS[verb][0]).run(rest) or 0


def _check_ranks(verb: str) -> None:
    if verb in ON_RANKS or "WORLD_SIZE" not in os.environ:
        return
    # Only here: it loads torch.
    from switchseg.distributed import launched_ranks

    if (ranks := launched_ranks()) > 1:
        raise UserError(
            f"{verb} runs as one process, but there are {ranks} (WORLD_SIZE); those that use several are "
            f"{', '.join(ON_RANKS)}"
        )


def _split_imports(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return what `--import` names, which every verb takes, and the other arguments."""
    names, others, rest = [], [], iter(arguments)
    for argument in rest:
        flag, is_joined, name = argument.partition("=")
        if flag != "--import":
            others.append(argument)
        elif name := name if is_joined else next(rest, ""):
            names.append(name)
        else:
            raise UserError("--import: a module or a file ending in .py was expected after it")
    return names, others


def _failed(reason: str, code: int) -> int:
    with contextlib.suppress(OSError):  # if stderr is lost too, the exit code has to say it
        print(f"switchseg: error: {' '.join(reason.splitlines())}", file=sys.stderr)
    return code


def _explain(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename:
        return f"{error.filename}: {reason}"
    if error.errno in _OF_WRITING:  # whoever writes a file names it, so this was printed
        _forget_output()
        return f"standard output cannot be written: {reason}"
    return reason


def _forget_output() -> None:
    """Let what is still to be printed go nowhere; Python would complain of it at its end."""
    # The descriptor, not `sys.stdout`: what is in its buffer goes there when Python flushes it at the end.
    with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _usage() -> str:
    width = max(map(len, COMMANDS))
    verbs = "\n".join(f"  {verb:<{width}}  {summary}" for verb, (_, summary) in COMMANDS.items())
    return (
        "usage: switchseg COMMAND [OPTIONS]\n\n"
        "Semantic segmentation for small batches, with Switchable Normalization.\n\n"
        f"commands:\n{verbs}\n\n"
        "`switchseg COMMAND --help` lists a command's options; `switchseg --version` prints the version.\n"
        "Every command takes --import MODULE or --import FILE.py: plugins, imported before anything else is read."
    )
