"""Two implementations of the verifier find the same in the same place: the Python one and that of the verify page.

A normal run plays 7 bundles in a real Chromium, ``MINGBIAO_CAMPAIGN=long`` 200 tamperings by files alone, every lie of
``test_lies`` that a public bundle shows, and deadlines that moved: signed, logged and witnessed, only their content is
wrong. The controls take one check out of the browser's verifier, which must then let through what the check is for.
What spans several logs is never called checked by the browser (AL1 L13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.campaigns.test_tamper import KINDS, STORIES, TAMPERINGS, Dice, forged_middle
from tests.support.campaigns import LONG
from tests.support.made_bidding import close_bidding
from tests.support.made_continued import ContinuedLog, listed, spanning_bundle, tell_in_two, tender_of
from tests.support.made_intake import handed_over, to_the_end
from tests.support.made_tender import MINUTE, Tender
from tests.support.make_bundle import Files, make_bundle
from tests.support.two_verifiers import Browsed, differences
from tests.support.verifying import failures, told, told_once, verify
from tests.verifier.test_evidence import evidence
from tests.verifier.test_extensions import RULE, clock, confirmed, held, move, until_bidding
from tests.verifier.test_intake import LIES as INTAKE_LIES
from tests.verifier.test_lies import LIES, ZERO, Change, lie, put, swapped_ranks
from tests.verifier.test_outages import BOTH, BY_OUTAGE, down
from tests.verifier.test_outages import moved_by as moved_by_outage
from tests.verifier.test_refusals import BY_REFUSAL, moved_by, refused

ROUNDS = range(200) if LONG else (3, 12)
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
@pytest.mark.parametrize(("kind", "tier"), KINDS if LONG else KINDS[:1])
def test_clean_bundles_are_accepted_by_both(browsed: Browsed, story: str, kind: str, tier: str) -> None:
    tender = told_once(story)
    files = make_bundle(tender, kind, tier)
    found = browsed.verify(files, tender)
    assert differences(verify(files, tender), found) == []
    assert found["verdict"] == ("holds" if tier == "bidders" else "incomplete")


def test_what_a_bidder_shows_of_its_own_bid_is_left_to_the_command(browsed: Browsed) -> None:
    tender = told_once("bad_share")
    files = evidence(tender, 1)
    found = browsed.verify(files, tender)
    assert (differences(verify(files, tender), found), found["verdict"]) == ([], "incomplete")


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


def left_out(tender: Tender) -> None:
    """Another hold at the deadline, which ended later, is not named."""
    clock(tender, "clock.hold", tender.close - MINUTE, "sequencer")
    evidence = held(tender)
    clock(tender, "clock.released", tender.close + 5 * MINUTE, "sequencer")
    move(tender, evidence)


def moved_in_turn(tender: Tender) -> None:
    for _ in range(4):
        move(tender, held(tender))


def by_refusal(tender: Tender, code: str = "busy", *, later: int = 0, left_out: bool = False, shift: int = 0) -> None:
    """Move by a refusal, with a lie about the deadline, about the last refusal, or about when it arrived."""
    arrival = tender.close - 1_000 + shift
    named = refused(tender, arrival, code)
    if left_out:
        refused(tender, arrival + 500, code)
    tender.wait(tender.close + 20_000)
    moved_by(tender, arrival, named.h, later=later)


def by_outage(tender: Tender, vantages: tuple[str, ...] = BOTH) -> None:
    until = tender.close + 20 * MINUTE
    moved_by_outage(tender, until, down(tender, tender.close - 20 * MINUTE, until, vantages))


def closed_over_an_outage(tender: Tender) -> None:
    down(tender, tender.close - 20 * MINUTE, tender.close + 5_000)
    tender.wait(max(tender.now, tender.close + 10_000))


def closed_over_a_refusal(tender: Tender) -> None:
    refused(tender, tender.close - 1_000)
    tender.wait(tender.close + 10_000)


# How a deadline moved or was confirmed: consent of the agency, what was logged, and the check that finds the lie.
MOVED: dict[str, tuple[dict[str, Any] | None, Callable[[Tender], None], str | None]] = {
    "by rule": (RULE, lambda tender: move(tender, held(tender)), None),
    "further": (
        RULE,
        lambda tender: move(tender, held(tender), lambda told: {"close": told["close"] + MINUTE}),
        "TE-02",
    ),
    "backwards": (
        RULE,
        lambda tender: move(tender, held(tender), lambda told: {"evidence": told["evidence"][::-1]}),
        "TE-02",
    ),
    "without an end": (
        RULE,
        lambda tender: move(tender, held(tender), lambda told: {"evidence": told["evidence"][:1]}),
        "TE-02",
    ),
    "by another cause": (RULE, lambda tender: move(tender, held(tender), lambda _: {"cause": "outage"}), "TE-02"),
    "without consent": (None, lambda tender: move(tender, held(tender)), "TE-02"),
    "by a part of the evidence": (RULE, left_out, "TE-02"),
    "a fourth time": (RULE, moved_in_turn, "TE-02"),
    "with another notice": (RULE, lambda tender: move(tender, held(tender), notice_sha256="ab" * 32), "RK-03"),
    "by a refusal": (BY_REFUSAL, by_refusal, None),
    "by a refusal, too far": (BY_REFUSAL, lambda tender: by_refusal(tender, later=3 * MINUTE), "TE-02"),
    "by a refusal that was not the last": (BY_REFUSAL, lambda tender: by_refusal(tender, left_out=True), "TE-02"),
    "by the fault of a bidder": (BY_REFUSAL, lambda tender: by_refusal(tender, "bid.late", shift=1_000), "TE-02"),
    "by an invented refusal": (BY_REFUSAL, lambda tender: moved_by(tender, tender.close, "ab" * 32), "TE-02"),
    "by an outage": (BY_OUTAGE, by_outage, None),
    "by an outage that one alone saw": (BY_OUTAGE, lambda tender: by_outage(tender, BOTH[:1]), "TE-02"),
    "over an outage": (None, closed_over_an_outage, "TE-02"),
    "over a refusal": (None, closed_over_a_refusal, "TE-02"),
    "confirmed": (None, confirmed, None),
    "confirmed for nothing": (None, lambda tender: confirmed(tender, blocked=False), "TE-02"),
    "confirmed for another lot": (None, lambda tender: confirmed(tender, lot="2"), "TE-07"),
    "confirmed by one": (None, lambda tender: confirmed(tender, both=False), "TE-07"),
}


def moved(name: str) -> Tender:
    rule, tell, _ = MOVED[name]
    tender = until_bidding(rule)
    tell(tender)
    close_bidding(tender)
    tender.checkpoint = tender.log.witness(tender.now + 1000)
    return tender


def through_intake(name: str) -> Tender:
    """Bids that came through the supervisor's intake, honestly or with one lie (SB1 S7.6)."""
    twist = dict(INTAKE_LIES).get(name)
    tender, intake = handed_over(None if twist is None else lie(name, twist))
    left_out = {3} if name == "left out" else set[int]()
    for number in left_out:
        tender.bids[number].withdrawn = True
    return to_the_end(tender, lambda: intake.enter(tender, left_out))


INTAKES = ["honest", "left out", *(subject for subject, _ in INTAKE_LIES)]


@pytest.mark.parametrize("name", dict.fromkeys(INTAKES) if LONG else ["left out"])
def test_both_check_what_came_through_the_intake(browsed: Browsed, name: str) -> None:
    tender = through_intake(name)
    for kind, tier in KINDS if LONG else KINDS[-1:]:
        files = make_bundle(tender, kind, tier)
        report, found = verify(files, tender), browsed.verify(files, tender)
        assert differences(report, found) == [], kind
        assert name == "honest" or tier != "audit" or "SB-21" in failures(report)


@pytest.mark.parametrize("name", MOVED if LONG else ["further", "by a refusal"])
def test_both_recompute_the_deadline_that_moved(browsed: Browsed, name: str) -> None:
    tender, check = moved(name), MOVED[name][2]
    for kind, tier in KINDS[::-2] if LONG else KINDS[-1:]:
        files = make_bundle(tender, kind, tier)
        report, found = verify(files, tender), browsed.verify(files, tender)
        assert differences(report, found) == [], kind
        assert kind != "audit" or (check in failures(report) if check else failures(report) == {})


def test_a_bundle_over_several_logs_is_left_to_the_command(browsed: Browsed) -> None:
    tender = tell_in_two()
    both: ContinuedLog = tender.log  # type: ignore[assignment]  # as ``move`` has set it
    newer = tender_of(tender, both.own, tender.checkpoint, set())
    files = spanning_bundle(tender)
    alone = listed({path: data for path, data in files.items() if not path.startswith("before/")})
    assert failures(verify(files, tender)) == {}
    for bundle, trusting, place in (
        (files, tender, "before/checkpoint"),
        (files, newer, "before/checkpoint"),
        (alone, tender, "bundle.json"),
        (alone, newer, "log/0.tlog-proof"),
    ):
        found = browsed.verify(bundle, trusting)
        told = {check["id"]: check for check in found["checks"]}
        assert (found["verdict"], told["AL-01"]["state"], told["AL-14"]["state"]) == ("incomplete", "ok", "not_checked")
        assert [gap["place"] for gap in told["AL-14"]["gaps"]] == [place]
        assert told.keys() <= {"AL-01", "AL-02", "AL-03", "AL-04", "AL-08", "AL-09", "AL-10", "AL-14"}
    older = make_bundle(tender_of(tender, both.before, both.final, {n for n in tender.hidden if n < both.base}))
    found = browsed.verify(older, tender)
    assert (differences(verify(older, tender), found), found["facts"]["later"]) == ([], tender.log.origin)
    changed = {**files, "before/checkpoint": files["before/checkpoint"] + b"x"}
    assert browsed.verify(changed, tender)["verdict"] == "fails"


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
    "the extension": (
        "checks_extension.js",
        lambda text: text.replace("close === wanted", "true"),
        "TE-02",
        lambda: with_move("further"),
    ),
}


def with_lie(subject: str, change: Change) -> tuple[Files, Tender]:
    tender = told("clean", lie(subject, change))
    return make_bundle(tender), tender


def with_move(name: str) -> tuple[Files, Tender]:
    tender = moved(name)
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


@pytest.mark.skipif(not LONG, reason="opens another page: MINGBIAO_CAMPAIGN=long")
def test_control_judged_as_one_log_a_bundle_over_several_fails_falsely(
    browser: Browser, gallery_url: str, tmp_path: Path
) -> None:
    tender = tell_in_two()
    files = spanning_bundle(tender)
    with opened(
        browser, gallery_url, "checks_continued.js", lambda text: text.replace("if (file === ", "if (true || ")
    ) as page:
        found = Browsed(page, tmp_path).verify(files, tender)
    assert failures(verify(files, tender)) == {}
    assert found["verdict"] == "fails"
