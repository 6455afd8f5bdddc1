"""Tables in pages: each stands between `<!-- made: NAME -->` and `<!-- end -->`, and is made by the function NAME."""

import re
from collections.abc import Callable
from pathlib import Path

from docs.made import scores, speed

REPOSITORY = Path(__file__).parents[2]
PAGES = [*sorted((REPOSITORY / "docs").glob("*.md")), REPOSITORY / "README.md"]
TABLES: dict[str, Callable[[], str]] = {**scores.TABLES, **speed.TABLES}

_MADE = re.compile(r"(<!-- made: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rewritten() -> dict[Path, str]:
    """Return the text of every page that holds a made table, with the tables as they are now."""
    texts = {path: path.read_text(encoding="utf-8") for path in PAGES}
    return {path: _filled(text) for path, text in texts.items() if _MADE.search(text)}


def _filled(text: str) -> str:
    return _MADE.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]().strip()}\n\n{found[3]}", text)
