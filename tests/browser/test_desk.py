"""The scoring desk in a browser: told at once, kept from key to key, done by keys alone (ux 14; WCAG 2.1.1, 2.1.4)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.build import sheets
from tests.build.hostile_files import png
from tests.build.pages_desk import BID
from tests.build.pages_evaluation import MEMBER, REFERENCE
from tests.support.browsers import overflows, violations
from tests.support.campaigns import LONG
from tests.support.hands.keyboard import Keyboard
from tests.support.people import session_cookie
from tests.support.serving import serving
from tests.support.sitting import PRICES, SEATS
from tests.usecases.evaluation.conftest import opened, sitting  # noqa: F401 - fixtures
from tests.usecases.evaluation.test_files import Worker, worker  # noqa: F401 - a fixture
from tests.usecases.evaluation.test_pages import CODE, examine, room  # noqa: F401 - a fixture
from trading.evaluation.rules.holding import echo_of
from trading.evaluation.service import files
from trading.inspection.looking import look

STORE = f"mingbiao.sheet.{REFERENCE}.1.{MEMBER.seat}"
WRONG = '"Delivery and installation" is scored from 0 to 30 in steps of 0.5. You entered 32.'
Visit = Callable[..., Any]


@pytest.fixture
def visit(browser: Browser, gallery_url: str) -> Visit:
    @contextmanager
    def visiting(sample: str = "evaluation-sheet-found", *, before: str = "", **context: Any) -> Iterator[Page]:  # noqa: ANN401 - of the browser
        made = browser.new_context(**context)
        page = made.new_page()
        page.route(re.compile(r"\.png$"), lambda route: route.fulfill(body=png(), content_type="image/png"))
        if before:
            page.add_init_script(before)
        page.goto(f"{gallery_url}/gallery/{sample}?lang=en", wait_until="networkidle")
        try:
            yield page
        finally:
            made.close()

    return visiting


def test_an_error_is_told_at_once_and_points_add_up(visit: Visit) -> None:  # C51
    with visit() as page:
        page.focus("#points_plan")
        page.keyboard.type("32")
        expect(page.locator("#points_plan-error")).to_contain_text(WRONG)
        assert page.get_attribute("#points_plan", "aria-invalid") == "true"
        assert "points_plan-error" in (page.get_attribute("#points_plan", "aria-describedby") or "")
        page.fill("#points_plan", "24.5")
        expect(page.locator("#points_plan-error")).to_have_count(0)
        assert page.get_attribute("#points_plan", "aria-invalid") is None
        page.keyboard.press("ArrowUp")
        assert page.input_value("#points_plan") == "25"
        page.check("#points_warranty-1")
        expect(page.locator("[data-total]")).to_have_text("31")
        expect(page.locator("[data-counted]")).to_have_text("2 of 3 criteria")
        page.fill("#points_quality", "25")
        page.focus("#points_plan")
        expect(page.locator("#comment_quality-error")).to_contain_text("needs a comment")
        page.fill("#comment_quality", "best")
        expect(page.locator("[data-total]")).to_have_text("56")
        page.fill("#points_plan", "24.25")
        page.keyboard.press("Tab")
        expect(page.locator("#points_plan-error")).to_contain_text("You entered 24.25")
        expect(page.locator("[data-total]")).to_have_text("31")
        assert violations(page) == []


def test_what_is_typed_stays_on_this_machine_and_survives_a_reload(visit: Visit) -> None:
    with visit() as page:
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method + request.url + (request.post_data or "")))
        page.fill("#points_plan", "24.5")
        page.fill("#comment_plan", "sound")
        expect(page.locator("[data-saved]")).to_have_text(re.compile(r"^Saved on this machine at \d\d:\d\d:\d\d$"))
        page.reload()
        assert (page.input_value("#points_plan"), page.input_value("#comment_plan")) == ("24.5", "sound")
        expect(page.locator("[data-saved]")).to_contain_text("not handed in yet")
        kept = json.loads(page.evaluate("name => localStorage.getItem(name)", STORE))
        assert kept["bids"][BID]["cells"]["plan"] == {"points": "24.5", "comment": "sound"}
        assert not any(each.startswith("POST") or "24.5" in each for each in sent)
        kept["bids"][BID]["base"] = "what another machine handed in"
        page.evaluate("([name, kept]) => localStorage.setItem(name, kept)", [STORE, json.dumps(kept)])
        page.reload()
        assert page.input_value("#points_plan") == "", "what the platform has is not overwritten"
        expect(page.locator("[data-offer]")).to_contain_text("This machine kept other scores at")
        page.click("[data-offer] button")
        assert page.input_value("#points_plan") == "24.5"
        page.goto(page.url.replace("sheet-found", "signed"))
        assert json.loads(page.evaluate("name => localStorage.getItem(name)", STORE))["bids"]  # only signed so far
        page.goto(page.url.replace("signed", "handed-in"))
        page.wait_for_function("name => JSON.parse(localStorage.getItem(name)).closed === 1", arg=STORE)
        left = json.loads(page.evaluate("name => localStorage.getItem(name)", STORE))
        assert left == {"bids": {}, "marks": {}, "sheets": {}, "closed": 1}


def test_the_browser_makes_the_sheet_of_the_vector(visit: Visit) -> None:
    """The twin of ``trading.evaluation.rules.commitment``: the same bytes, and another salt each time without one."""
    wanted = json.loads(sheets.FILE.read_text())
    make = """async ({ task, cells, reason, salt }) => {
        const { faultsOf, makeSheet } = await import("/static/desk/commitment.js");
        const bytes = salt && Uint8Array.from(salt.match(/../g), (pair) => Number.parseInt(pair, 16));
        const made = await makeSheet(task, cells, reason, ...(bytes ? [bytes] : []));
        return { ...made, faults: faultsOf(task, cells).map(({ fault }) => fault) };
    }"""
    with visit() as page:
        found = page.evaluate(make, wanted)
        assert found == {"text": wanted["document"], "commit": wanted["sha256"], "faults": []}
        unsalted = {**wanted, "salt": None}
        first, second = (page.evaluate(make, unsalted) for _ in range(2))
        assert len({first["commit"], second["commit"], found["commit"]}) == 3
        assert re.fullmatch("[0-9a-f]{64}", json.loads(first["text"])["salt"])
        cells, task = wanted["cells"], wanted["task"]
        wrong = {
            "b-2m7k9d4x": {"warranty": {"points": "7", "comment": ""}, "plan": {"points": "50.5", "comment": ""}},
            "b-11a": {"plan": {"points": "0", "comment": " "}},
        }
        lawful = {bid: {name: {**cell, "comment": "x"} for name, cell in row.items()} for bid, row in cells.items()}
        kept = {**task, "kept": {"b-11a": {"plan": "1"}}}
        faults = """async ([task, cells]) => {
            const { faultsOf } = await import("/static/desk/commitment.js");
            return faultsOf(task, cells).map(({ fault }) => fault);
        }"""
        assert page.evaluate(faults, [task, wrong]) == ["missing", "comment", "wrong", "wrong"]
        assert page.evaluate(faults, [kept, lawful]) == ["kept"]


def _type_all(page: Page) -> None:
    """Put whole scores of every bid on this machine, as the pages of the bids do from key to key."""
    page.evaluate(
        """([name]) => {
            const task = JSON.parse(document.querySelector("form[data-task]").dataset.task);
            const cell = (each) => ({ points: each.bands[0] ?? each.step, comment: "kite-7f3a" });
            const cells = Object.fromEntries(task.criteria.map((each) => [each.id, cell(each)]));
            const bids = Object.fromEntries(task.bids.map((bid) => [bid, { cells, base: "", at: 1 }]));
            localStorage.setItem(name, JSON.stringify({ bids, marks: {}, sheets: {}, closed: 0 }));
        }""",
        [STORE],
    )


def _caught(page: Page, address: str) -> list[Request]:
    caught: list[Request] = []

    def keep(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        caught.append(route.request)
        return route.fulfill(body="<p>taken</p>", content_type="text/html")

    page.route(re.compile(address), keep)
    return caught


def test_signing_sends_the_digest_alone_and_says_what_is_amiss(visit: Visit) -> None:  # EXP-22
    with visit("evaluation-sign") as page:
        caught = _caught(page, "/gallery/")
        page.fill("#code", "424242")
        page.click("form[data-task] .actions button")
        expect(page.locator("[data-faults] li").first).to_contain_text("Score missing")
        assert (caught, violations(page)) == ([], [])
        _type_all(page)
        page.reload()
        expect(page.locator("[data-cell]").first).to_contain_text("kite-7f3a")
        page.fill("#code", "424242")
        page.click("form[data-task] .actions button")
        page.wait_for_selector("text=taken")
        body = caught[0].post_data or ""
        assert "kite-7f3a" not in body
        assert "points" not in body
        kept = json.loads(page.evaluate("name => localStorage.getItem(name)", STORE))
        ((commit, text),) = kept["sheets"].items()
        assert commit in body
        assert hashlib.sha256(text.encode()).hexdigest() == commit
        assert text.count("kite-7f3a") == len(json.loads(text)["items"]) * 3


def test_a_browser_that_keeps_nothing_does_not_sign(visit: Visit) -> None:
    refuse = (
        "if (location.search.includes('full')) Storage.prototype.setItem = () => { throw new DOMException('full') }"
    )
    with visit("evaluation-sign", before=refuse) as page:
        caught = _caught(page, "/gallery/")
        _type_all(page)
        page.goto(page.url + "&full")
        page.fill("#code", "424242")
        page.click("form[data-task] .actions button")
        expect(page.locator("[data-faults] li")).to_contain_text("This browser keeps nothing")
        assert caught == []


def test_the_page_shows_that_the_sheet_is_here_without_sending_it(visit: Visit) -> None:
    with visit("evaluation-hold") as page:
        expect(page.locator("[data-handing-say]")).to_contain_text("This browser does not have it")
        told = page.evaluate("JSON.parse(document.querySelector('[data-handing]').dataset.told)")
        caught = _caught(page, "hold$")
        held = {"bids": {}, "marks": {}, "sheets": {told["commit"]: '{"the": "sheet"}'}, "closed": 0}
        page.evaluate("([name, held]) => localStorage.setItem(name, held)", [STORE, json.dumps(held)])
        page.reload()
        page.wait_for_selector("text=taken")
        body = (caught[0].post_data_buffer or b"").decode()
        echo = echo_of(bytes.fromhex(told["challenge"]), b'{"the": "sheet"}')
        assert f"echo={echo}" in body
        assert "sheet%22" not in body
        assert len(caught) == 1


def test_the_page_hands_in_what_was_signed_and_nothing_else(visit: Visit) -> None:
    with visit("evaluation-hand-in") as page:
        expect(page.locator("[data-handing-say]")).to_contain_text("This browser does not have it")
        commit = page.evaluate("JSON.parse(document.querySelector('[data-handing]').dataset.told).commit")
        caught = _caught(page, "hand-in$")
        held = {"bids": {}, "marks": {}, "sheets": {commit: '{"the": "sheet"}', "0" * 64: "older"}, "closed": 0}
        page.evaluate("([name, held]) => localStorage.setItem(name, held)", [STORE, json.dumps(held)])
        page.reload()
        page.wait_for_selector("text=taken")
        body = caught[0].post_data_buffer or b""
        assert b'{"the": "sheet"}' in body
        assert b"older" not in body


@pytest.mark.parametrize("passphrase", ["", "four words and more"])
def test_scores_move_to_another_machine_in_a_file(visit: Visit, passphrase: str, tmp_path: Path) -> None:
    moving = "details[data-moving]"
    with visit("evaluation-sign") as page:
        _type_all(page)
        page.reload()
        page.click(f"{moving} summary")
        page.fill("[data-pass]", passphrase)
        with page.expect_download() as begun:
            page.click("[data-save]")
        saved = tmp_path / begun.value.suggested_filename
        begun.value.save_as(saved)
        assert (b"kite-7f3a" in saved.read_bytes()) is not bool(passphrase)
    with visit("evaluation-sign") as page:
        page.click(f"{moving} summary")
        if passphrase:
            page.fill("[data-pass]", "another one")
            page.set_input_files("[data-load]", saved)
            expect(page.locator("[data-moving-say]")).to_contain_text("could not be read")
            page.fill("[data-pass]", passphrase)
        page.set_input_files("[data-load]", [])
        page.set_input_files("[data-load]", saved)
        expect(page.locator("[data-cell]").first).to_contain_text("kite-7f3a")


def test_a_browser_that_keeps_nothing_says_so(visit: Visit) -> None:
    """The control of the line above the scores: it tells what happened, not what should have."""
    refuse = "Storage.prototype.setItem = () => { throw new DOMException('full') }"
    with visit(before=refuse) as page:
        page.fill("#points_plan", "24.5")
        expect(page.locator("[data-saved]")).to_contain_text("This browser keeps nothing. Use another one")
        page.reload()
        assert page.input_value("#points_plan") == ""


def test_marks_and_single_keys_which_can_be_switched_off(visit: Visit) -> None:
    with visit() as page:
        page.keyboard.press("2")
        expect(page.locator("#points_plan")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#criterion-plan")).to_be_focused()
        page.keyboard.press("m")
        mark = page.locator("#criterion-plan .mark")
        expect(mark).to_have_text("3 / 12 方案/供货与安装方案.pdf")
        expect(page.locator("#criterion-plan [data-mark]")).to_have_attribute("aria-pressed", "true")
        page.reload()
        expect(mark).to_have_count(1)
        page.locator("#criterion-plan").focus()
        page.keyboard.press("m")
        expect(mark).to_have_count(0)
        page.keyboard.press("j")
        expect(page.locator("#criterion-quality")).to_be_focused()
        page.keyboard.press("?")
        expect(page.locator("[data-single]")).to_be_visible()
        page.uncheck("[data-single]")
        page.reload()
        page.keyboard.press("m")
        page.keyboard.press("2")
        expect(mark).to_have_count(0)
        expect(page.locator("#points_plan")).not_to_be_focused()


def test_keys_stay_letters_in_fields(visit: Visit) -> None:
    with visit() as page:
        page.focus("#comment_plan")
        page.keyboard.type("next page m/c?")
        assert page.input_value("#comment_plan") == "next page m/c?"
        page.keyboard.press("t")
        assert page.locator(".as-text").count() == 0
        page.keyboard.press("Escape")
        page.keyboard.press("t")
        expect(page.locator(".as-text [data-text]")).to_have_attribute("open", "")
        expect(page.locator(".leaf")).to_be_hidden()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_narrow_screens_have_tabs_and_large_text_fits(visit: Visit, language: str) -> None:
    with visit(viewport={"width": 375, "height": 740}) as page:
        page.goto(page.url.replace("lang=en", f"lang={language}"))
        expect(page.get_by_role("tab")).to_have_count(2)
        expect(page.locator("#half-bid")).to_be_hidden()
        assert violations(page) == []
        page.keyboard.press("/")
        expect(page.locator("#q")).to_be_focused()
        expect(page.locator("#half-scores")).to_be_hidden()
        assert (overflows(page), violations(page)) == (0, [])
        page.get_by_role("tab").first.focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#half-scores")).to_be_visible()
    with visit(viewport={"width": 1280, "height": 900}) as page:
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert overflows(page) == 0
        expect(page.locator("#points_plan")).to_be_visible()


def test_the_page_says_the_same_without_a_script(visit: Visit) -> None:
    with visit(java_script_enabled=False) as page:
        expect(page.locator("#half-bid")).to_be_visible()
        expect(page.locator("#half-scores")).to_be_visible()
        expect(page.locator("[data-marks]").first).to_be_hidden()
        expect(page.get_by_role("link", name="Next page")).to_be_visible()
        page.fill("#points_plan", "24.5")
        page.click("#half-scores .actions button")
        assert "24.5" not in page.url  # what is typed goes nowhere
        expect(page.get_by_text("Nothing that is typed here is kept or sent.")).to_be_visible()


@pytest.mark.skipif(not LONG, reason="an opened tender and five experts: long runs")
def test_a_whole_tender_is_scored_by_keys(browser: Browser, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Five experts read, find, mark, score, compare and sign by keys; then each page hands its sheet in."""
    room = worker.room  # noqa: F811 - the one of the fixture
    monkeypatch.setattr(files, "inspect", look)
    examine(room)
    worker.work()
    app = room.clients["m-a1"].application
    with serving(app) as base:
        contexts = []
        for seat in SEATS:
            context = browser.new_context()
            contexts.append(context)
            name, value = session_cookie(app, seat)
            context.add_cookies([{"name": name, "value": value, "url": base}])
            page = context.new_page()
            page.goto(f"{base}/evaluation/{room.sitting.reference}/lots/1/sheet/{room.sitting.bids['songtao']}?lang=en")
            if seat == SEATS[0]:
                _read_and_mark(page)
            _score(page, len(PRICES))
            _sign(page)
        for context in contexts:  # every page asks, hands its sheet in, and shows the scores when all are in
            expect(context.pages[0].get_by_text("Scores of the committee")).to_be_visible(timeout=60_000)
        for context in contexts:
            context.close()
    shown = room.get("m-b2", "/lots/1/sign").text
    assert "Scores of the committee" in shown


def _read_and_mark(page: Page) -> None:
    """Find words, go to their page, mark it, turn on, and come back with one key."""
    keys = page.keyboard
    keys.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    keys.type("within one day")
    keys.press("Enter")
    expect(page.locator("[data-found]")).to_be_focused()
    Keyboard(page).to(page.locator("[data-found] ol a"))
    keys.press("Enter")
    expect(page.locator("[data-place]")).to_contain_text("2 / 3")
    expect(page.locator("[data-found] ol a")).to_be_focused()
    expect(page.locator("[data-leaf]")).to_have_js_property(name="complete", value=True)
    keys.press("2")
    keys.press("Escape")
    keys.press("m")
    expect(page.locator("#criterion-plan .mark")).to_have_text("2 / 3 offer/offer.pdf")
    keys.press("n")
    expect(page.locator("[data-place]")).to_contain_text("3 / 3")
    expect(page.locator("#criterion-plan")).to_be_focused()
    keys.press("g")
    expect(page.locator("[data-place]")).to_contain_text("2 / 3")
    expect(page.locator(".reader-name")).to_be_focused()
    keys.press("c")
    expect(page.get_by_text("Two bids side by side")).to_have_count(1)
    assert violations(page) == []
    Keyboard(page).to(page.locator("[data-own-score] a").first)
    with page.expect_navigation():
        keys.press("Enter")
    expect(page.locator("form[data-sheet]")).to_have_count(1)


def _score(page: Page, bids: int) -> None:
    """Score every bid in the order of the desk; begin with the first one of it."""
    keys = page.keyboard
    Keyboard(page).to(page.locator(".bids a").first)
    with page.expect_navigation():
        keys.press("Enter")
    for number in range(bids):
        expect(page.locator(".bids a").nth(number)).to_have_attribute("aria-current", "page")
        keys.press("1")
        keys.press("Space")
        keys.press("ArrowDown")
        keys.press("Escape")
        keys.press("j")
        keys.press("e")
        keys.type("30")
        keys.press("Tab")
        keys.type("as described")
        expect(page.locator("[data-total]")).to_have_text("35")
        with page.expect_navigation():
            keys.press("Control+Enter")


def _sign(page: Page) -> None:
    hands = Keyboard(page)
    hands.write(page.locator("#code"), CODE)
    hands.enter()
    expect(page.get_by_text("Version 1 signed")).to_be_visible()
    expect(page.locator("[data-handing-say]")).to_be_visible()
