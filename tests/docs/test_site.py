"""The site as mkdocs builds it: nothing from elsewhere, formulas without a script, links that lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, prose

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["", "https://example.org/switchseg"], ids=["unpublished", "published"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Where the sources are said to be published, and the site."""
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "SWITCHSEG_REPOSITORY": request.param, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return request.param, folder


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site[1].glob("*.html"):
        assert not re.findall(r"<(?:script|img|iframe)[^>]*src=\"?https?:", page.read_text()), page.name
        assert not re.findall(r"<link[^>]*rel=\"?stylesheet\"?[^>]*href=\"?https?:", page.read_text()), page.name


def test_formulas_are_formulas(site):
    text = (site[1] / "norms.html").read_text()
    written = re.findall(r"\$\$.+?\$\$|\$[^$\n]+\$", prose(REPOSITORY / "docs" / "norms.md"), flags=re.DOTALL)
    assert text.count("<math") == len(written) > 3
    assert "$" not in re.sub(r"<(pre|code).*?</\1>", "", text, flags=re.DOTALL)


def test_what_is_not_on_the_site_is_linked_where_it_is_published(site):
    published, folder = site
    for page, path in (("evaluation", "examples/onnx_predict.py"), ("results", "docs/results/quickstart")):
        links = re.findall(rf'href="([^"]*{path})"', (folder / f"{page}.html").read_text())
        assert set(links) == ({f"{published}/blob/main/{path}"} if published else set())


def test_the_reference_shows_signatures(site):
    text = (site[1] / "reference.html").read_text()
    for name in ("create_model", "Predictor", "convert_norms", "evaluate"):
        assert f">{name}<" in text or f">{name}</span>" in text
    assert "num_classes" in text
