"""What the pages link to is there; mkdocs says so too, of the site."""

import re

import pytest

from tests.docs.pages import PAGES, REPOSITORY, prose

LINK = re.compile(r'\]\((?!https?:)([^)\s]+)\)|(?:src|srcset)="(?!https?:)([^"]+)"')


def anchors(page):
    """Return the names that GitHub gives the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page):
    for pair in LINK.findall(re.sub(r"`[^`\n]+`(?!\])", "", prose(page))):
        place, _, anchor = "".join(pair).partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), place
        assert not anchor or anchor in anchors(target), f"{place}#{anchor}"


def test_every_page_is_in_the_navigation():
    listed = re.findall(r"[\w-]+\.md$", (REPOSITORY / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in PAGES if page.parent.name == "docs")
