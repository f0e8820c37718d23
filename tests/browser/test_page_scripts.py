"""A page that seals runs no script but those whose digests it demands (F41, security 7.1)."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

PAGE = "/gallery/seal-begun-fresh?lang=en"
RAN = "document.documentElement.dataset.ran === 'evil'"


def open_page(browser: Browser, gallery_url: str, changed: str, *, demanding: bool) -> Page:
    """Open the page with one script changed on its way; without ``demanding`` also with a page that demands nothing."""
    page = browser.new_page()

    def evil(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=f"document.documentElement.dataset.ran = 'evil';\n{answer.text()}")

    def careless(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=re.sub(r' integrity="[^"]*"', "", answer.text()))

    if changed:
        page.route(f"**/static/{changed}", evil)
    if not demanding:
        page.route(f"**{PAGE.partition('?')[0]}*", careless)
    page.goto(f"{gallery_url}{PAGE}", wait_until="networkidle")
    return page


def test_an_untouched_page_runs(browser: Browser, gallery_url: str) -> None:
    page = open_page(browser, gallery_url, "", demanding=True)
    expect(page.locator("[data-begin]")).to_be_visible()
    page.close()


@pytest.mark.parametrize("changed", ["seal/page.js", "seal/told.js", "reopen/package.js"])
def test_a_changed_script_does_not_run(browser: Browser, gallery_url: str, changed: str) -> None:
    page = open_page(browser, gallery_url, changed, demanding=True)
    assert not page.evaluate(RAN)
    expect(page.locator("[data-begin]")).to_be_hidden()
    page.close()


def test_control_a_page_that_demands_nothing_runs_it(browser: Browser, gallery_url: str) -> None:
    page = open_page(browser, gallery_url, "seal/told.js", demanding=False)
    assert page.evaluate(RAN)
    page.close()
