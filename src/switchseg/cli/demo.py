"""`switchseg demo MODEL...`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from switchseg.cli.arguments import parse
from switchseg.errors import UserError

if TYPE_CHECKING:
    from switchseg.engine.predictor import Predictor


@dataclass(frozen=True)
class Arguments:
    """Serve a page that labels images with one or more models."""

    models: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="MODEL ...")]
    """Model or run directories; with two or more, visitors can compare them side by side."""
    port: int = 7860
    host: str = "127.0.0.1"
    """Who can reach the page: this machine alone unless another address is given (0.0.0.0: everybody)."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:INDEX."""
    concurrency: int = 2
    """Images that are labelled at once; the others wait in line."""
    max_megabytes: int = 20
    """Largest file that is accepted."""
    max_megapixels: int = 50
    """Most pixels of an image that is accepted."""
    max_gigabytes: int = 1
    """Most space on the disk that all images together may take; each is deleted within a minute of its answer."""
    names: tuple[str, ...] = ()
    """Names that visitors reach the page by, behind a proxy for example; this machine's own and numbers always work."""


def run(arguments: Sequence[str]) -> None:
    """Load the models and serve the page until Ctrl-C."""
    options = parse(Arguments, "demo", arguments)
    if not options.models:
        raise UserError("no model given; name one or more model or run directories")
    ranges = {"port": (1, 65535), "concurrency": (1, 1024), "max_megabytes": (1, 1024), "max_megapixels": (1, 1000)}
    for flag, (low, high) in (ranges | {"max_gigabytes": (1, 1 << 20)}).items():
        if not low <= getattr(options, flag) <= high:
            name = flag.replace("_", "-")
            raise UserError(f"--{name} {getattr(options, flag)}: {low} .. {high} was expected")
    # Asked before the models are loaded, and without importing it.
    if find_spec("gradio") is None:
        raise UserError("the demo needs gradio, which is not installed; pip install 'switchseg[demo]'")

    from switchseg.demo.app import build_app, launch
    from switchseg.demo.samples import run_pictures
    from switchseg.demo.storage import temporary_storage
    from switchseg.demo.uploads import Limits

    limits = Limits(options.max_megabytes, options.max_megapixels)
    predictors = load_predictors(options.models, options.device)
    with temporary_storage(options.max_gigabytes * 2**30) as storage:
        launch(
            build_app(predictors, storage, limits, run_pictures(options.models[0])),
            storage,
            host=options.host,
            port=options.port,
            concurrency=options.concurrency,
            limits=limits,
            names=options.names,
        )


def load_predictors(paths: Sequence[Path], device: str) -> dict[str, Predictor]:
    """Return the models under the names that visitors see, which tell nothing of where the files are.

    Raises:
        UserError: a path is no model, or there is no such device.
    """
    from switchseg.demo.names import model_title
    from switchseg.engine.predictor import Predictor
    from switchseg.reports.runs import norm_title

    predictors: dict[str, Predictor] = {}
    for path in paths:
        predictor = Predictor(path, device=device)
        spec = predictor.model.spec
        name = base = f"{norm_title(spec.norm)}: {model_title(spec)}"
        number = 2
        # Two runs with other seeds have the same title; a second entry under it would take the place of the first.
        while name in predictors:
            name, number = f"{base} ({number})", number + 1
        predictors[name] = predictor
    return predictors
