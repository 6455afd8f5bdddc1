"""The pages of the documentation, read as text."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted((REPOSITORY / "docs").glob("*.md")) + sorted(REPOSITORY.glob("*.md"))

# What a block without a language begins with, if it is one of commands and not of what they print.
_COMMAND = re.compile(r"^(?:\.venv/bin/|cd|export|for|make|pip|python|switchseg|torchrun|wget) ?")


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language, in their order."""
    # All of them, for the end of one looks like the beginning of one without a language.
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [content for name, content in found if name == language]


def commands(page: Path) -> list[str]:
    """Return the command lines of a page's blocks, those that go on after a backslash as one, without comments."""
    unnamed = [block for block in blocks(page, "") if _COMMAND.match(block)]
    text = "".join([*blocks(page, "sh"), *blocks(page, "bash"), *unnamed]).replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line and not line.lstrip().startswith("#")]


def prose(page: Path) -> str:
    """Return the text without what stands in blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
