"""The files that a code host shows: of the right form, and true."""

import re

import pytest
import yaml

import switchseg
from tests.docs.pages import REPOSITORY

FORMS = sorted(path for path in (REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")


def test_the_citation_names_paper_and_version():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == switchseg.__version__
    paper = citation["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]] == ["Luo", "Ren", "Peng", "Zhang", "Li"]
    assert paper["url"].endswith("1806.10779")


def test_the_changelog_begins_with_this_version():
    released = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["date-released"]
    first = re.search(r"^## (.+)$", (REPOSITORY / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1]
    assert first in ("Unreleased", f"{switchseg.__version__} - {released}")


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_complete(form):
    content = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= set(content)
    names = [part["id"] for part in content["body"]]
    assert len(names) == len(set(names))
    assert all(part["attributes"]["label"] for part in content["body"])


def test_what_contributors_are_told_to_make_can_be_made():
    made = re.findall(r"^make (\w+)", (REPOSITORY / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)
    targets = re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)
    assert made
    assert set(made) <= set(targets)
