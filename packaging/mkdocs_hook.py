"""What mkdocs does not do by itself: links that leave the site, and formulas without a script from elsewhere."""

import os
import posixpath
import re
from typing import Any

from latex2mathml.converter import convert

# As in setup.py: where the sources are published, if anybody knows.
REPOSITORY = os.environ.get("SWITCHSEG_REPOSITORY", "").rstrip("/")
CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)\s]+)\)")
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)


def on_page_markdown(markdown: str, *, page: Any, files: Any, **_: Any) -> str:
    """Mend a page before it is rendered; code stays as it is, but for the text of a link."""

    def link(found: re.Match[str]) -> str:
        text, target = found.groups()
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_uri), target.split("#")[0]))
        if path.endswith(".md") or files.get_file_from_path(posixpath.relpath(path, "docs")):
            return found[0]  # mkdocs says whether it exists
        return f"[{text}]({REPOSITORY}/blob/main/{path})" if REPOSITORY else text

    blocks = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    blocks[::2] = [LINK.sub(link, block) for block in blocks[::2]]
    parts = CODE.split("".join(blocks))
    parts[::2] = [FORMULA.sub(_mathml, part) for part in parts[::2]]
    return "".join(parts)


def _mathml(found: re.Match[str]) -> str:
    block, inline = found.groups()
    if block:
        formula = convert(" ".join(block.split()), display="block")
        return f"\n\n<div style='overflow-x: auto; margin: 1em 0'>{formula}</div>\n\n"
    return convert(inline)
