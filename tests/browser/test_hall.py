"""The opening hall in a real Chromium: it follows by itself and keeps the focus; and it works without a script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.ceremony import Station
from tests.support.databases import Server, clone
from tests.support.hands.keyboard import Keyboard
from tests.support.market import CLOSE, open_market
from tests.support.polling import eventually
from tests.web.api.test_ceremony import Play
from trading.demo.cast import BIDDERS
from trading.web import streams

ARRIVES_MS = 15_000  # a bound: a look a second, and a spread of at most one and a half


@pytest.fixture
def play(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("hall"), BIDDERS) as market,
        market.serving() as base,
    ):
        play = Play(market, base)
        try:
            play.publish()
            play.bid()
            yield play
        finally:
            streams.STOPPING.set()  # the server waits for its threads, and a stream would keep one
            play.institutions.close()
    streams.STOPPING.clear()


def order(play: Play) -> None:
    station = Station.at(play.market, play.base, play.institutions.trust, play.market.directory / "station")
    eventually(lambda: station.get().status_code == 200)
    assert station.sign(station.draft_order(), "agency", "supervisor").get_json()["h"]


def follow(page: Page, play: Play) -> None:
    """Go through the order and the share checks without ever loading the page again."""
    address = f"{play.base}/procedures/{play.market.tender}/lots/1/opening?lang=en"
    page.goto(address)
    expect(page.locator("[data-live-line]")).to_contain_text("This page follows by itself")
    expect(page.locator(".countdown")).to_contain_text("left")
    page.evaluate("window.loadedOnce = true")
    play.market.advance_to(CLOSE + 10_000)
    order(play)
    expect(page.locator(".banner")).to_contain_text("Step 3 of 10", timeout=ARRIVES_MS)
    expect(page.get_by_role("status")).to_contain_text("Step 3 of 10")  # heard once, as it is a step
    expect(page.locator("#bids-table")).to_be_visible()
    page.locator("[aria-labelledby=custodians-table]").focus()
    play.institutions.round("notary", "agency", "centre")
    expect(page.locator(".feed li")).to_have_count(4, timeout=ARRIVES_MS)
    expect(page.locator("[data-part=banner]")).to_contain_text("3 of 5 custodians")
    expect(page.locator("[aria-labelledby=custodians-table]")).to_be_focused()  # it was replaced meanwhile
    assert page.evaluate("window.loadedOnce"), "the page was loaded again"
    kinds = page.locator(".feed li").all_inner_texts()
    assert sum("has checked its shares" in each for each in kinds) == 3


def test_the_hall_follows_by_itself(browser: Browser, play: Play) -> None:
    context = browser.new_context(locale="en")
    problems: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    try:
        follow(page, play)
        # A reader whom no place is free for polls, and misses nothing either.
        page.route("**/opening/events*", lambda route: route.fulfill(status=503))
        page.reload()
        expect(page.locator("[data-live-line]")).to_contain_text("asks every few seconds")
        play.institutions.round("supervisor")
        expect(page.locator(".feed li")).to_have_count(5, timeout=ARRIVES_MS)
    finally:
        context.close()
    assert [each for each in problems if "503" not in each] == []


def test_the_hall_without_a_script(browser: Browser, play: Play) -> None:
    context = browser.new_context(locale="en", java_script_enabled=False)
    page = context.new_page()
    try:
        page.goto(f"{play.base}/procedures/{play.market.tender}/lots/1/opening?lang=en")
        expect(page.locator("[data-live-line]")).to_contain_text("This page does not refresh itself")
        page.get_by_role("link", name="Load it again every 20 seconds").click()
        assert 'http-equiv="refresh"' in page.content()
        page.get_by_role("link", name="Stop that").click()
        assert 'http-equiv="refresh"' not in page.content()
    finally:
        context.close()


@pytest.mark.parametrize("width", [1280, 320])
def test_the_hall_by_keyboard(browser: Browser, gallery_url: str, width: int) -> None:
    """Sorting, looks, files and the objection are reached without a mouse, wherever the table lies; focus is seen."""
    page = browser.new_page(viewport={"width": width, "height": 700})
    try:
        page.goto(f"{gallery_url}/gallery/opening-spoken?lang=en")
        keyboard = Keyboard(page)
        main = page.locator("main")
        for name in ("Text only", "Object to the opening", "Order of opening", "Price", "Record for programs (JSON)"):
            keyboard.to(main.get_by_role("link", name=name, exact=True).first)
        keyboard.to(page.locator("[aria-labelledby=bids-table]"))
        assert page.locator("th[aria-sort=ascending]").count() == 1
        page.goto(f"{gallery_url}/gallery/openings-on-the-spot-open?lang=en")
        keyboard.write("What was not as it should be?", "The delivery time of our bid was not read out.")
        keyboard.to(main.get_by_role("button", name="Raise the objection"))
        page.goto(f"{gallery_url}/gallery/openings-answer-open?lang=en")
        keyboard.write("Answer", "It stands in the record: 30 days.")
        keyboard.to(main.get_by_role("button", name="Give the answer"))
    finally:
        page.close()
