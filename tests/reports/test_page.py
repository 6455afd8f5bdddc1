import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from switchseg.reports.markup import VOID
from switchseg.reports.page import SECTIONS, report_page
from switchseg.reports.runs import read_run, read_runs
from tests.browser import accessibility_findings, complaints


class Outline(HTMLParser):
    """Collects what a page consists of, and insists that every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(run_folders: list[Path]) -> str:
    return report_page(read_runs(run_folders))


def test_the_page_is_well_formed_and_whole(page):
    outline = Outline(page)
    assert [section["id"] for section in outline.all("section")] == list(SECTIONS)
    assert len(outline.all("h1")) == 1
    assert all(picture["alt"] for picture in outline.all("img"))
    # Four images: the photograph and the truth once, then prediction, errors and confidence for each of three runs.
    # And one picture of a suspect region.
    assert len(outline.all("img")) == 4 * (2 + 3 * 3) + 1
    identifiers = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


def test_data_of_ones_own_is_called_by_its_folder(run_folders):
    run = read_run(run_folders[0])
    for data, title in (
        ({"dataset": "camvid", "root": "/data/CamVid"}, "SyncBN on camvid"),
        ({"dataset": "folder", "root": "../leaves"}, "SyncBN on leaves"),
        ({"dataset": "folder", "root": ""}, "SyncBN on folder"),
    ):
        assert f"<h1>{title}</h1>" in report_page([replace(run, config={**run.config, "data": data})])


def test_the_page_is_self_contained_and_small(page):
    sources = [element.get("src") or element.get("href") for _, element in Outline(page).elements]
    assert all(source is None or source.startswith(("data:", "#")) for source in sources)
    assert not re.search(r"@import|url\((?!data:)", page)
    assert len(page.encode()) < 5 * 2**20


def test_one_run_that_goes_on_shows_what_it_has(run_folders, tmp_path):
    folder = Path(shutil.copytree(run_folders[2], tmp_path / "sn"))
    for name in ("metrics.json", "confusion_single.csv"):
        (folder / name).unlink()
    for made_at_the_end in ("pictures", "suspects"):
        shutil.rmtree(folder / made_at_the_end)
    lines = (folder / "log.jsonl").read_text().splitlines(keepends=True)
    (folder / "log.jsonl").write_text("".join(lines[:40]))
    outline = Outline(going := report_page([read_run(folder)]))
    assert [section["id"] for section in outline.all("section")] == ["shares", "curves", "setup"]
    assert "was stopped or still goes on" in going
    assert "No run has been evaluated yet" in going


def test_a_run_that_has_only_begun_has_a_page(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"event": "start", "step": 0, "time": 1.0}\n')
    assert [section["id"] for section in Outline(report_page([read_run(tmp_path)])).all("section")] == ["setup"]


def test_names_from_files_are_escaped(run_folders):
    run = replace(read_run(run_folders[0]), label="<script>alert(1)</script>")
    page = report_page([run])
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_the_page_never_loads_torch():
    code = "import sys, switchseg.reports.page, switchseg.reports.figures; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_a_browser_shows_it_without_complaint(browser, page, tmp_path, width, scheme):
    path = tmp_path / "report.html"
    path.write_text(page)
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        view = context.new_page()
        errors = complaints(view)
        view.goto(path.as_uri())
        for summary in view.locator("summary").all():
            summary.click()
        assert view.evaluate("document.documentElement.scrollWidth") == width
        assert view.evaluate("[...document.images].every(i => i.naturalWidth > 0 || i.loading == 'lazy')")
        background = view.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, re.findall(r"\d+", background)))
        assert brightness > 600 if scheme == "light" else brightness < 150
        assert accessibility_findings(view) == []
        assert errors == []


def test_values_can_be_read_off_the_charts(browser, page, tmp_path, run_folders):
    path = tmp_path / "report.html"
    path.write_text(page)
    with browser.new_context() as context:
        view = context.new_page()
        errors = complaints(view)
        view.goto(path.as_uri())
        figure = view.locator("figure:has-text('Learning rate of the encoder')")
        figure.locator("svg").focus()
        view.keyboard.press("End")
        view.keyboard.press("ArrowLeft")
        last = read_runs(run_folders)[0].events["train"][-2]
        said = figure.locator("output")
        assert said.inner_text().startswith(f"step {last['step']}")
        shown = [float(text.split()[1]) for text in said.locator("span").all_inner_texts()]
        assert shown == pytest.approx([last["lr"]["encoder"]] * 3, abs=0.02 / 226)  # a tenth of a drawing unit
        view.keyboard.press("Escape")
        assert said.inner_text() == ""
        figure.locator("svg").hover()
        assert said.inner_text().startswith("step")
        assert errors == []


def test_the_keyboard_reaches_every_section(browser, page, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page)
    with browser.new_context() as context:
        view = context.new_page()
        view.goto(path.as_uri())
        view.keyboard.press("Tab")
        assert view.evaluate("document.activeElement.textContent") == "Skip to the results"
        reached = []
        for _ in SECTIONS:
            view.keyboard.press("Tab")
            reached.append(view.evaluate("document.activeElement.getAttribute('href')"))
        assert reached == [f"#{name}" for name in SECTIONS]


def test_tables_sort_and_pictures_grow(browser, page, tmp_path, run_folders):
    path = tmp_path / "report.html"
    path.write_text(page)
    with browser.new_context() as context:
        view = context.new_page()
        errors = complaints(view)
        view.goto(path.as_uri())
        table = view.locator("#classes table.bars")
        scores = {score.name: 100 * (score.iou or 0) for score in read_run(run_folders[2]).single.per_class}
        table.locator("thead button").last.click()
        names = table.locator("tbody th").all_inner_texts()
        assert [scores[name] for name in names] == sorted(scores.values(), reverse=True)
        assert table.locator("th[aria-sort=descending]").count() == 1
        table.locator("thead button").first.click()
        assert table.locator("tbody th").all_inner_texts() == sorted(names)
        assert not view.locator("dialog").is_visible()
        view.locator("#pictures button.picture").first.click()
        assert view.locator("dialog img").bounding_box()["width"] > 600
        assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
        view.keyboard.press("Escape")
        assert not view.locator("dialog").is_visible()
        assert errors == []


def test_on_paper_nothing_is_folded_or_dark(browser, page, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page)
    with browser.new_context(color_scheme="dark") as context:
        view = context.new_page()
        view.goto(path.as_uri())
        view.emulate_media(media="print", color_scheme="dark")
        view.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert view.evaluate("[...document.querySelectorAll('details')].every(part => part.open)")
        assert view.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not view.locator("nav").is_visible()


def test_the_headline_says_steps_and_seeds(run_folders):
    first, second, _ = read_runs(run_folders)
    other = replace(second, config={**second.config, "train": {**second.config["train"], "seed": 305}})
    page = report_page([first, other])
    assert "240 steps of 2 images per device · seeds 304, 305 · " in page
