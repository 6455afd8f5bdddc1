"""What a program makes of the committed logs is what stands in README and docs."""

import json
import re

import matplotlib
import pytest

from docs.made import figures, pages
from tests.docs.pages import REPOSITORY


@pytest.fixture(scope="module")
def rewritten():
    return pages.rewritten()


def test_tables_are_what_the_logs_say(rewritten):
    assert {path.name for path in rewritten} == {"README.md", "data.md", "evaluation.md", "norms.md", "results.md"}
    for path, text in rewritten.items():
        assert path.read_text() == text, f"{path.name}: python -m docs.made"


def test_every_table_is_somewhere(rewritten):
    used = set(re.findall(r"<!-- made: ([\w-]+) -->", "".join(rewritten.values())))
    assert used == set(pages.TABLES)


def test_figures_are_what_the_logs_say(tmp_path):
    drawn = figures.draw(tmp_path)
    assert len(drawn) == 5
    for path in drawn:
        committed = (figures.IMAGES / path.name).read_text()
        # Another Matplotlib places text elsewhere; what it draws is the same.
        if f"Matplotlib v{matplotlib.__version__}" in committed:
            assert path.read_text() == committed, f"{path.name}: python -m docs.made"


def test_the_readme_repeats_numbers_of_the_tables():
    readme, results = ((REPOSITORY / name).read_text() for name in ("README.md", "docs/results.md"))
    repeated = re.findall(r"\d+\.\d\d ± \d+\.\d\d", readme)
    assert repeated
    assert all(number in results for number in repeated)


def test_scores_in_prose_are_those_of_the_logs():
    rest = json.loads((REPOSITORY / "docs/results/camvid-finetune-cpu/rest.json").read_text())
    said = f"**{100 * rest['mean_iou']:.1f} mIoU and {100 * rest['pixel_accuracy']:.1f} pixel accuracy on the other"
    assert said in (REPOSITORY / "docs/finetune.md").read_text()
