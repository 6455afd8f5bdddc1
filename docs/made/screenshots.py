"""Photograph report and demo of real runs: `python -m docs.made.screenshots runs/quickstart` (`make screenshots`).

Needs the extras `demo` and `dev`, and chromium.
"""

from __future__ import annotations

import io
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from switchseg.cli.demo import load_predictors
from switchseg.demo.app import build_app, launch
from switchseg.demo.storage import temporary_storage
from switchseg.demo.uploads import Limits
from switchseg.reports.page import report_page
from switchseg.reports.runs import Run, read_runs

IMAGES = Path(__file__).parents[1] / "images"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main(folders: list[str]) -> int:
    """Photograph the runs in `folders`."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("screenshots: needs chromium (apt-get install chromium)", file=sys.stderr)
        return 2
    runs = read_runs(folders)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        draw_report(browser, runs)
        draw_demo(browser, runs)
        browser.close()
    print(*sorted(IMAGES.glob("*.webp")), sep="\n")
    return 0


def draw_report(browser: Browser, runs: list[Run]) -> None:
    """Photograph the top of the report, its pictures and its shares."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        path.write_text(report_page(runs), encoding="utf-8")
        for scheme in SCHEMES:
            page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=scheme)
            page.goto(path.as_uri())
            save(page.screenshot(), f"report-{scheme}")
            for name, selector in (("pictures", "#pictures figure"), ("shares", "#shares figure")):
                if page.locator(selector).count():
                    page.locator(selector).first.scroll_into_view_if_needed()
                    page.wait_for_load_state("networkidle")
                    save(page.locator(selector).first.screenshot(), f"{name}-{scheme}")
            page.close()


def draw_demo(browser: Browser, runs: list[Run]) -> None:
    """Photograph the demo with a sample that two models labelled."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    predictors = load_predictors([run.path for run in (runs[-1], *runs[:-1])], "cpu")
    with temporary_storage(2**30) as storage:
        app = build_app(predictors, storage)
        address = launch(app, storage, host="127.0.0.1", port=port, concurrency=1, limits=Limits(), block=False)
        try:
            for scheme in SCHEMES:
                page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=scheme)
                page.goto(address)
                page.wait_for_selector(".viewer canvas")
                compare(page, len(runs))
                save(page.screenshot(), f"demo-{scheme}")
                page.close()
        finally:
            app.close()


def compare(page: Page, models: int) -> None:
    """Set a second model beside the first where there is one, and point at a pixel."""
    if models > 1:
        page.get_by_label("Compare with").click()
        page.get_by_role("option").nth(2).click()
        page.wait_for_function("document.querySelectorAll('.viewer figure').length == 2")
    box = page.locator(".viewer canvas").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.62 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_timeout(300)


def save(png: bytes, name: str) -> None:
    """Keep a screenshot as WebP, a fraction of its size."""
    Image.open(io.BytesIO(png)).convert("RGB").save(IMAGES / f"{name}.webp", quality=90, method=6)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["runs/quickstart"]))
