"""Debian's Chromium under Playwright, for the tests that look at pages as a user does."""

import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, sync_playwright


# Playwright runs once at a time in a process: a browser a module, for several conftests share this fixture.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless browser; tests skip where there is none."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs chromium (apt-get install chromium)")
    # The sandbox needs rights that containers seldom give; only pages of our own are opened.
    options = {"executable_path": chromium, "args": ["--no-sandbox"]}
    with sync_playwright() as playwright, playwright.chromium.launch(**options) as chrome:
        yield chrome


def complaints(page: Page) -> list[str]:
    """Return a list that fills with what the page's console calls an error and with what it fails to load."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("requestfailed", lambda request: found.append(f"not loaded: {request.url[:80]}") if lost(request) else None)
    return found


def lost(request: Request) -> bool:
    """Return whether a request failed by itself; one that the page gave up is aborted."""
    return "ERR_ABORTED" not in (request.failure or "")


def accessibility_findings(page: Page) -> list[str]:
    """Return what Axe finds serious or critical on the page."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:120]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
