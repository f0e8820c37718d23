"""The Chromium of the tests and what axe says of a page in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

# No look at the network beyond the page, no sandbox: the suite also runs as root in a container.
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_RUNNING: Final[list[Browser]] = []
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def program() -> str:
    """Return the Chromium that run.py found or unpacked; one of the system when the suite is started otherwise."""
    found = os.environ.get("MINGBIAO_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium: `python3 run.py test` unpacks one")
    return found


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a headless Chromium and close it at the end; within another such block, the one that runs there.

    A process drives one at a time: two files of tests that run in the same one share it.
    """
    if _RUNNING:
        yield _RUNNING[-1]
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=list(FLAGS))
        _RUNNING.append(browser)
        try:
            yield browser
        finally:
            _RUNNING.remove(browser)
            browser.close()


def violations(page: Page, *rules: str) -> list[str]:
    """Return what axe finds wrong with the page as it stands: rule, and the elements it is about.

    Args:
        page: The page.
        rules: Look at these alone; all of ``_RULES`` if none is named.
    """
    only = {"type": "rule", "values": list(rules)} if rules else list(_RULES)
    results: dict[str, Any] = Axe().run(page, options={"runOnly": only, "resultTypes": ["violations"]}).response
    return [
        f"{found['id']}: " + "; ".join(node["html"][:160] for node in found["nodes"][:5])
        for found in results["violations"]
    ]


def overflows(page: Page) -> int:
    """Return by how many pixels the page is wider than its window; tables may scroll in a box of their own."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wider
