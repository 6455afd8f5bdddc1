"""The page itself: what it consists of, and what happens when an image arrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import gradio as gr
import numpy as np
import numpy.typing as npt
from starlette.middleware import Middleware

from switchseg.demo.guard import Guard
from switchseg.demo.labelling import ALONE, Labelling
from switchseg.demo.samples import sample_images
from switchseg.demo.storage import Storage
from switchseg.demo.uploads import Limits
from switchseg.engine.predictor import Predictor
from switchseg.errors import UserError

WAITING = 200
"""Requests that may wait; one more is told that the page is busy."""

FONTS = ("-apple-system", "BlinkMacSystemFont", "Segoe UI", "Roboto", "Helvetica Neue", "Liberation Sans", "sans-serif")


def build_app(
    predictors: Mapping[str, Predictor],
    storage: Storage,
    limits: Limits | None = None,
    samples: Sequence[npt.NDArray[np.uint8]] = (),
) -> gr.Blocks:
    """Return the page for these models.

    Args:
        predictors: Name on the page -> model; at least one.
        storage: Where uploads lie.
        limits: What a visitor may ask for.
        samples: Images to pick from, RGB uint8 [H, W, 3]; generated scenes that suit the first model where there are
            none.
    """
    limits, names = limits or Limits(), list(predictors)
    samples = list(samples) or sample_images(predictors[names[0]].model.spec.classes.names)
    labelling = Labelling(predictors, samples, limits, storage)
    app = gr.Blocks(title="SwitchSeg", analytics_enabled=False)
    with app:
        gr.HTML(_heading(names))
        # On the server, one for each visitor: a path from the browser would have to be checked again.
        current = gr.State(0)  # what is shown: the path of an upload, or the place of a sample
        with gr.Row():
            with gr.Column(scale=1, min_width=260):
                upload = gr.File(label="Drop an image or pick one", file_types=["image"], height=150, elem_id="upload")
                gallery = gr.Gallery(
                    list(samples),
                    label="Or take a sample",
                    columns=3,
                    # A press is to pick the sample, not to enlarge it.
                    allow_preview=False,
                    interactive=False,
                    object_fit="cover",
                    buttons=[],
                    elem_id="samples",
                )
                several = len(names) > 1
                model = gr.Dropdown(names, value=names[0], label="Model", visible=several)
                other = gr.Dropdown([ALONE, *names], value=ALONE, label="Compare with", visible=several)
                gr.Markdown(
                    f"Up to {limits.megabytes} MB and {limits.megapixels} megapixels. "
                    "Images are labelled on this machine, sent nowhere, and deleted within a minute.",
                    elem_classes="fine",
                )
            with gr.Column(scale=3, min_width=260):
                viewer = gr.HTML(
                    html_template='<div class="viewer"><p class="empty">Drop an image, or take a sample.</p></div>',
                    css_template=_asset("viewer.css"),
                    js_on_load=_asset("viewer.js"),
                    elem_id="viewer",
                )
        # One line for all: however a request comes, no more than the launch allows run at once.
        shared: dict[str, Any] = {"concurrency_id": "label"}
        private: dict[str, Any] = {**shared, "api_visibility": "private"}
        arrived = upload.upload(
            labelling.upload, [upload, model, other], [viewer, current], api_name="predict", **shared
        )
        for outcome in (arrived.success, arrived.failure):
            # Emptied, the drop zone takes the next image.
            outcome(lambda: None, None, upload, queue=False, api_visibility="private")
        gallery.select(labelling.take, [model, other], [viewer, current], **private)
        gr.on([model.input, other.input, app.load], labelling.again, [current, model, other], viewer, **private)
    return app


def launch(
    app: gr.Blocks,
    storage: Storage,
    *,
    host: str,
    port: int,
    concurrency: int,
    limits: Limits,
    names: Sequence[str] = (),
    block: bool = True,
) -> str:
    """Serve the page and return its address; with `block`, only when the server is stopped.

    `names` are what it may be addressed by besides numbers and this machine's own names.

    Raises:
        UserError: the port is taken.
    """
    app.queue(max_size=WAITING, default_concurrency_limit=concurrency)
    # After the page is built, when Gradio has copied the samples, and before any visitor can upload.
    storage.keep_what_is_there()
    try:
        _, address, _ = app.launch(
            server_name=host,
            server_port=port,
            share=False,
            quiet=True,
            show_error=False,  # what was not foreseen is told to the terminal, never to visitors
            max_file_size=f"{limits.megabytes}mb",
            theme=_theme(),
            head=f"<style>{_asset('page.css')}</style>",  # Gradio's own `css` drops media queries
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            mcp_server=False,
            # `launch` would block and never return the address; `block_thread` does the waiting below.
            prevent_thread_lock=True,
            app_kwargs={"middleware": [Middleware(Guard, storage=storage, hosts=(host, *names))]},
        )
    # A socket raises OverflowError for a port above 65535.
    except (OSError, OverflowError):
        raise UserError(f"--port {port} of {host} cannot be used; another program may have it, pass another") from None
    print(f"the demo is at {address} (Ctrl-C stops it)", flush=True)
    if block:
        app.block_thread()
    return str(address)


def _theme() -> gr.themes.Base:
    # The fonts of the visitor's system: the page asks no other server for anything.
    return gr.themes.Base(primary_hue="blue", neutral_hue="zinc", font=FONTS).set(
        body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300"
    )


def _heading(names: Sequence[str]) -> str:
    models = f"{names[0]}." if len(names) == 1 else "Pick a model, or two to compare."
    return (
        "<header><h1>SwitchSeg</h1>"
        f"<p>Every pixel of an image gets a class. {models} "
        "Point at the picture to read the class; untick classes to hide them.</p></header>"
    )


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
