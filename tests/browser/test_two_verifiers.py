"""Two implementations of the verifier find the same in the same place: the Python one and that of the verify page.

A normal run plays 7 bundles in a real Chromium, ``MINGBIAO_CAMPAIGN=long`` 320 tamperings by files alone and every lie
of ``test_lies`` that a public bundle shows: signed, logged and witnessed, only its content is wrong. The controls take
one check out of the browser's verifier, which must then let through what the check is for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.campaigns.test_tamper import KINDS, STORIES, TAMPERINGS, Dice, forged_middle
from tests.support.made_tender import Tender
from tests.support.make_bundle import Files, make_bundle
from tests.support.two_verifiers import Browsed, differences
from tests.support.verifying import failures, told, told_once, verify
from tests.verifier.test_lies import LIES, ZERO, Change, lie, put, swapped_ranks

LONG = os.environ.get("MINGBIAO_CAMPAIGN") == "long"
ROUNDS = range(320) if LONG else (3, 9, 12)
RANKS, ROOT_OF_BIDS = ("bids.ranked", swapped_ranks), ("tender.closed", put(bids_root=ZERO))
TOLD = LIES if LONG else [("clean", *RANKS, "RK-01")]


@pytest.fixture(scope="module")
def browsed(browser: Browser, gallery_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsed]:
    with opened(browser, gallery_url) as page:
        yield Browsed(page, tmp_path_factory.mktemp("bundles"))


Edit = Callable[[str], str]


@contextmanager
def opened(browser: Browser, url: str, module: str = "", edit: Edit | None = None) -> Iterator[Page]:
    """Open the verify page, with one module of its verifier changed on the way."""
    context = browser.new_context()

    def changed(route: Route) -> None:
        answer = route.fetch()
        text = answer.text()
        edited = edit(text) if edit is not None else text
        assert edited != text, "the check to take out is written in another way"
        route.fulfill(response=answer, body=edited)

    if edit is not None:
        context.route(f"**/static/verify/{module}", changed)
    page = context.new_page()
    page.goto(f"{url}/gallery/verify?lang=en")
    try:
        yield page
    finally:
        context.close()


@pytest.mark.parametrize("story", STORIES if LONG else STORIES[:1])
@pytest.mark.parametrize(("kind", "tier"), KINDS if LONG else KINDS[::2])
def test_clean_bundles_are_accepted_by_both(browsed: Browsed, story: str, kind: str, tier: str) -> None:
    tender = told_once(story)
    files = make_bundle(tender, kind, tier)
    found = browsed.verify(files, tender)
    assert differences(verify(files, tender), found) == []
    assert found["verdict"] == ("holds" if tier == "bidders" else "incomplete")


@pytest.mark.parametrize("seed", ROUNDS)
def test_both_find_the_same_tampering_in_the_same_place(browsed: Browsed, seed: int) -> None:
    dice = Dice(seed)
    tamper = TAMPERINGS[seed % len(TAMPERINGS)]
    tender = told_once(STORIES[dice.below(len(STORIES))] if LONG else "clean")
    kind, tier = KINDS[dice.below(len(KINDS))]
    files, _ = tamper(make_bundle(tender, kind, tier), tender, dice)
    found = browsed.verify(files, tender)
    assert found["verdict"] == "fails", tamper.__name__
    assert differences(verify(files, tender), found) == [], tamper.__name__


@pytest.mark.parametrize(("scenario", "subject", "change", "check"), TOLD)
def test_both_find_the_same_lie(browsed: Browsed, scenario: str, subject: str, change: Change, check: str) -> None:
    tender = told(scenario, lie(subject, change))
    for kind, tier in KINDS[: 2 if LONG else 1]:
        files = make_bundle(tender, kind, tier)
        assert differences(verify(files, tender), browsed.verify(files, tender)) == [], (check, kind)


CONTROLS: dict[str, tuple[str, Edit, str, Callable[[], tuple[Files, Tender]]]] = {
    "the chain": (
        "tiles.js",
        lambda text: text.replace('need(p === this.before, "entry_previous", place);', ""),
        "AL-09",
        lambda: (forged_middle(told_once("clean")), told_once("clean")),
    ),
    "the ranking": (
        "checks_ranking.js",
        lambda text: text.replace("other.length === 0", "true"),
        "RK-01",
        lambda: with_lie(*RANKS),
    ),
    "bids_root": (
        "checks_bids.js",
        lambda text: text.replace("root === found", "true"),
        "SB-08",
        lambda: with_lie(*ROOT_OF_BIDS),
    ),
}


def with_lie(subject: str, change: Change) -> tuple[Files, Tender]:
    tender = told("clean", lie(subject, change))
    return make_bundle(tender), tender


@pytest.mark.parametrize("name", CONTROLS if LONG else ["the chain"])
def test_control_without_its_check_the_browser_lets_it_through(
    browser: Browser, gallery_url: str, tmp_path: Path, name: str
) -> None:
    module, edit, check, make = CONTROLS[name]
    files, tender = make()
    assert check in failures(verify(files, tender))
    with opened(browser, gallery_url, module, edit) as page:
        found = differences(verify(files, tender), Browsed(page, tmp_path).verify(files, tender))
    assert any(line.startswith(f"{check}:") for line in found), found
