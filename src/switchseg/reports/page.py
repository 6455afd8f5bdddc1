"""One self-contained HTML page about one run or several: no network, light and dark, from a phone to a wide screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import PurePath

from switchseg import __version__
from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import Run
from switchseg.reports.sections import classes, confusion, curves, pictures, results, setup, shares, study, suspects
from switchseg.reports.study import collect_study
from switchseg.reports.theme import RUNS, STATISTICS

_LAYOUTS = ("folder", "odgt", "webdataset", "huggingface")
"""Values of `data.dataset` that say how files are laid out, and not which data set they are."""

# anchor -> (heading, what draws it)
SECTIONS: dict[str, tuple[str, Callable[[Sequence[Run]], Markup | None]]] = {
    "results": ("Results", results.section),
    "pictures": ("What the models see", pictures.section),
    "shares": ("Shares of the statistics", shares.section),
    "curves": ("Training", curves.section),
    "classes": ("Classes", classes.section),
    "confusion": ("Confusion", confusion.section),
    "suspects": ("Suspect labels", suspects.section),
    "setup": ("Setup", setup.section),
}


def report_page(runs: Sequence[Run]) -> str:
    """Return the page; a run that has not come to its end shows what it has so far.

    Where runs repeat each other with other seeds or batch sizes, a section sums them up, and all others show one run of
    each norm.

    Raises:
        UserError: a picture of a run is damaged, or two runs are the same.
    """
    # Of all runs, before they are thinned out to one of each norm for the sections below.
    whole = collect_study(runs)
    repeated = whole is not None and whole.is_repeated
    finding = study.finding(whole) if whole is not None and repeated else results.finding(runs)
    sections = {"study": ("Study", study.section(runs))}
    facts, every = _facts(runs), runs
    if whole is not None and repeated:
        runs = whole.representatives()
    sections |= {name: (title, draw(runs)) for name, (title, draw) in SECTIONS.items()}
    drawn = {name: (title, body) for name, (title, body) in sections.items() if body is not None}
    title = _title(runs, whole.variants if whole is not None and repeated else [run.label for run in runs])
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} – SwitchSeg report"),
        tag("style", Markup(_colours() + _asset("page.css"))),
        # An empty icon keeps browsers from asking a server for one.
        tag("link", rel="icon", href="data:,"),
    )
    markup = [
        tag("section", tag("h2", heading, id=f"{name}-heading"), body, id=name, aria_labelledby=f"{name}-heading")
        for name, (heading, body) in drawn.items()
    ]
    body = tag(
        "body",
        tag("a", "Skip to the results", href="#main", class_="skip"),
        _header(every, title, finding, facts, {name: heading for name, (heading, _) in drawn.items()}),
        tag("main", markup, id="main"),
        tag("footer", tag("p", f"Made by switchseg {__version__} from {_sources(every)}.")),
        tag("script", Markup(_asset("page.js"))),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _title(runs: Sequence[Run], labels: Sequence[str]) -> str:
    names = labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
    data_sets = dict.fromkeys(_data_set(run) for run in runs if run.setting("data.dataset"))
    return f"{names} on {' and '.join(data_sets)}" if data_sets else names


def _data_set(run: Run) -> str:
    """Return what a run's data set is called: of one's own data the folder's name, since the layout's says nothing."""
    name = str(run.setting("data.dataset"))
    folder = PurePath(str(run.setting("data.root") or "")).name
    return folder if folder and name in _LAYOUTS else name


def _header(runs: Sequence[Run], title: str, finding: str, facts: str, headings: dict[str, str]) -> Markup:
    links = [tag("li", tag("a", heading, href=f"#{name}")) for name, heading in headings.items()]
    return tag(
        "header",
        tag("p", "SwitchSeg report", class_="mark"),
        tag("h1", title),
        tag("p", finding, class_="finding"),
        tag("p", facts, class_="facts-line"),
        [tag("p", notice, class_="notice") for notice in _notices(runs)],
        tag("nav", tag("ul", links), aria_label="Sections"),
    )


def _facts(runs: Sequence[Run]) -> str:
    """Say what was trained, for how long, and with which seeds."""
    models = dict.fromkeys(
        f"{run.setting('model.encoder')} + {run.setting('model.decoder')}"
        for run in runs
        if run.setting("model.encoder")
    )
    steps = dict.fromkeys(
        f"{run.setting('train.steps')} steps of {run.setting('train.images_per_device')} images per device"
        for run in runs
        if run.setting("train.steps")
    )
    numbers = sorted({int(seed) for run in runs if isinstance(seed := run.setting("train.seed"), int)})
    seeds = [f"seed{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"] if numbers else []
    images = dict.fromkeys(f"{run.single.images} evaluation images" for run in runs if run.single)
    return " · ".join(" or ".join(found) for found in (models, steps, seeds, images) if found)


def _notices(runs: Sequence[Run]) -> list[str]:
    return [
        f"{run.label} was stopped or still goes on: its log ends at step {run.last_step}."
        for run in runs
        if not run.finished
    ]


def _sources(runs: Sequence[Run]) -> str:
    return join(", ".join(str(run.path) for run in runs))


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _colours() -> str:
    """Return the colours of runs and statistics as CSS variables, and the classes that use them."""
    inks = {**{f"r{index}": ink for index, ink in enumerate(RUNS)}, **{f"s-{s}": ink for s, ink in STATISTICS.items()}}
    light = "".join(f"--{name}:{ink.light};" for name, ink in inks.items())
    dark = "".join(f"--{name}:{ink.dark};" for name, ink in inks.items())
    rules = "".join(f".{name}{{--ink:var(--{name})}}" for name in inks)
    return f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}{rules}\n"
