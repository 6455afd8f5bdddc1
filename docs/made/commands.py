"""The page of the commands, from their help."""

import contextlib
import io
import re
import shlex
import textwrap
from pathlib import Path

from switchseg.cli import COMMANDS, main
from switchseg.cli.examples import EXAMPLES

PAGE = Path(__file__).parents[1] / "commands.md"
HEAD = """# The commands

What each command is for, and how it is called. `switchseg COMMAND --help` lists its flags; for `train`, `compare`,
`probe` and `find-rate` with a config, it shows the values that this config has. Every command takes
`--import MODULE` or `--import FILE.py` for [plugins](extending.md).

A mistake of yours ends a command with one line on stderr and exit code 2. A file to write may have any name but one
that ends as another kind of file does, as in `--json scores.csv`.
"""
MORE = {
    "train": "training.md",
    "finetune": "finetune.md",
    "evaluate": "evaluation.md",
    "predict": "evaluation.md#predicting-files",
    "suspects": "finetune.md#labels-to-mend",
    "compare": "reports.md#studies",
    "probe": "norms.md#asking-the-data",
    "find-rate": "training.md#fine-tuning",
    "import-weights": "models.md#checkpoints-of-2018-and-of-mit",
    "export-weights": "models.md#checkpoints-of-2018-and-of-mit",
    "export": "evaluation.md#export",
    "models": "models.md",
    "bench": "norms.md#measured-on-a-cpu",
    "report": "reports.md#the-report",
    "plot": "reports.md#figures-for-papers",
    "demo": "reports.md#the-demo",
    "make-scenes": "data.md#the-generated-scenes",
    "check-data": "data.md#your-own-data",
    "make-list": "data.md#data-sets",
}


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *map(section, COMMANDS)])


def section(verb: str) -> str:
    """Return what the page says of a command."""
    lines = [f"# {what}\n{folded(line)}" for line, what in EXAMPLES[verb].items()]
    examples = "\n".join(lines)
    return f"## {verb}\n\n{description(verb)}\n\n```bash\n{examples}\n```\n\nMore: [{title(verb)}]({MORE[verb]}).\n"


def description(verb: str) -> str:
    """Return the paragraphs of its help between usage and flags."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([verb, "--help"])
    told = re.split(r"^(?:[ ╭+]|benchmarks,|examples:)", printed.getvalue(), maxsplit=1, flags=re.MULTILINE)[0]
    paragraphs = told.strip().split("\n\n")[1:] or [f"{COMMANDS[verb][1].capitalize()}."]
    return "\n\n".join(textwrap.fill(paragraph, 118, break_on_hyphens=False) for paragraph in paragraphs)


def title(verb: str) -> str:
    """Return the heading that is linked to."""
    name, _, anchor = MORE[verb].partition("#")
    headings = re.findall(r"^#+ (.+)$", (PAGE.parent / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-"): heading for heading in headings}
    return slugs[anchor] if anchor else headings[0]


def folded(line: str) -> str:
    """Return a command in lines that fit a page."""
    words, lines = shlex.split(line), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 90 and word.startswith("--"):
            lines.append("   ")
        lines[-1] += f" {word}"
    return " \\\n".join(lines).lstrip()
