"""Submissions, replacements, withdrawals and the close of a lot, all at once: one order explains all answers (F22).

Every bidder has two hands that send versions of one bid, some the same, some in each other's way, while the deadline
comes. A normal run judges a few dozen histories, a long run 1,000, alone 10,000. The live control is an act that checks
without a lock (AL1 L4.7); the others are answers that nobody should have been given.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest

from tests.build.dummy_envelopes import DummyVersion, MemoryStore, announce_parts, dummy_version
from tests.build.market import DemoTime, Market, OpenLot, Party, default_close, open_market, runtime_of
from tests.support.campaigns import LONG, among
from tests.support.databases import Database
from tests.support.histories import ACCEPTED, CLOSED, CONFLICT, LATE, REPEATED, Call, explained
from tests.support.logs import LogWorld
from tests.support.wrong_variants import plain_check_then_insert
from trading.audit.rules.record import parse_record
from trading.bids import closing, queries
from trading.bids import service as bids
from trading.bids.model import bids_root
from trading.crypto.signatures import SignedDocument
from trading.kernel.errors import RuleBroken

BIDDERS: Final = 20 if LONG else 6
LOTS: Final = 10  # of a procedure, at most
APART_MS: Final = 60_000
THREADS: Final = 8
LEAD_MS: Final = 200  # from the first act to the deadline, at first
LEAD_FACTOR: Final = 1.5  # a staircase finds the lead at which some come in time and some late on this machine
OF_A_HAND: Final = 2
OTHER_S: Final = 5
NOT_WAITED_S: Final = 3_600  # last bytes lie ahead: what waits in the platform is the races' subject


@dataclass(kw_only=True)
class Fair:
    """One market whose lots are closed among the acts of its bidders."""

    market: Market
    time: DemoTime
    lead_ms: float = LEAD_MS
    playing: bool = False
    ended: threading.Event = field(default_factory=threading.Event)  # the close of the first lot

    def lots(self, count: int) -> list[OpenLot]:
        first = default_close(self.market.now_ms())
        deadlines = [first + APART_MS * number for number in range(count)]
        shares = [deadlines[at : at + LOTS] for at in range(0, count, LOTS)]
        return sorted((lot for share in shares for lot in self.market.publish(share)), key=lambda lot: lot.close)

    def play(self, lot: OpenLot) -> list[list[Call]]:
        """Let all bidders act around the deadline of the lot; return what happened to the bid of each."""
        hands, bid_ids = [], []
        for bidder in self.market.bidders:
            bid = self.market.start_bid(lot, bidder)
            versions = self._versions(lot, bidder, bid)
            bid_ids.append(bid)
            hands += [(bidder, [secrets.choice(versions) for _ in range(OF_A_HAND)]) for _ in range(2)]
        self.playing = True
        self.time.move_to(lot.close - round(self.lead_ms))
        with ThreadPoolExecutor(THREADS + 1) as pool:
            closed = pool.submit(self._close, lot)
            played = [pool.submit(self._send, lot, *hand) for hand in hands]
            calls = [call for each in played for call in each.result()]
        self.lead_ms *= LEAD_FACTOR if sum(call.late for call in calls) * 2 > len(calls) else 1 / LEAD_FACTOR
        took = self._manifest(lot)
        found = []
        for bid in bid_ids:
            own = [call for call in calls if call.version is not None and call.version.bid == bid]
            found.append([*own, replace(closed.result(), took=took.get(bid))])
        return found

    def _versions(self, lot: OpenLot, bidder: Party, bid: str) -> list[DummyVersion]:
        """Two first versions, and three that follow the first of them, one a withdrawal that can be followed, too."""

        def made(kind: str, before: DummyVersion | None) -> DummyVersion:
            return dummy_version(self.market, lot, bidder, bid, kind, before)

        first, other = made("envelope", None), made("envelope", None)
        second, withdrawn = made("envelope", first), made("withdrawal", first)
        found = [first, other, second, withdrawn, made("envelope", withdrawn)]
        announce_parts(self.market, found)
        return [first, *found]  # nothing follows while the first is missing

    def _send(self, lot: OpenLot, bidder: Party, versions: list[DummyVersion]) -> list[Call]:
        return [self._sent(lot, bidder, version) for version in versions]

    def _sent(self, lot: OpenLot, bidder: Party, version: DummyVersion) -> Call:
        arrival = bids.Arrival(bid=version.bid, signed=version.signed, last_byte=time.monotonic() + NOT_WAITED_S)
        ledger, began = self.market.ledger, time.monotonic()
        try:
            if version.kind == "envelope":
                answer = bids.submit(ledger, self.market.runtime.objects, bidder.actor, arrival)
            else:
                answer = bids.withdraw(ledger, bidder.actor, arrival)
            told, at = REPEATED if answer.repeated else ACCEPTED, answer.received_at
        except bids.Refused as refused:
            told, at = refused.reason.code, refused.received_at
        return Call(began=began, ended=time.monotonic(), version=version, told=told, late=at >= lot.close)

    def _close(self, lot: OpenLot) -> Call:
        """Try as workers do, until it is closed; only the attempt that closed counts."""
        try:
            while True:
                began = time.monotonic()
                try:
                    closing.close_lot(self.market.runtime, *lot.place, heartbeat_size=0)
                except RuleBroken as early:
                    if early.code != "close.too_early":
                        raise
                else:
                    return Call(began=began, ended=time.monotonic())
        finally:
            self.ended.set()

    def _manifest(self, lot: OpenLot) -> dict[str, str]:
        """Return which envelope of each bid the close took: what stands now, if the record has just that root."""
        query = "SELECT record FROM log.audit_entry WHERE procedure_id = %s AND kind = 'tender.closed'"
        with self.market.ledger.read() as conn:
            items = queries.manifest(conn, lot.procedure_id, lot.lot, lot.stage)
            records = conn.exec_driver_sql(query, (lot.procedure_id,)).scalars().all()
        bodies = [parse_record(bytes(record))["body"] for record in records]
        (root,) = [body["bids_root"] for body in bodies if body["lot"] == lot.lot]
        other = "another" if root != bids_root(items) else None
        return {item.bid: other or item.envelope_sha256 for item in items}


@pytest.fixture
def fair(demo_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fair]:
    monkeypatch.setattr(closing, "DRAIN_MS", 0)
    demo_time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    world = LogWorld(demo_database, tmp_path, clock=demo_time.clock)
    try:
        market = open_market(runtime_of(demo_database, world, MemoryStore(), threads=THREADS + 2), bidders=BIDDERS)
        yield Fair(market=market, time=demo_time)
    finally:
        world.close()


def _shown(calls: list[Call]) -> str:
    """Return a history in the order of its answers, versions by the first letters of their digests."""
    lines = []
    for call in sorted(calls, key=lambda each: each.ended):
        if call.version is None:
            what = f"close took {(call.took or '-')[:6]}"
        else:
            what = f"{call.version.signed.sha256[:6]} after {(call.version.supersedes or '-')[:6]}: {call.told}"
        lines.append(f"{call.began:.4f} to {call.ended:.4f} {what}{' late' * call.late}")
    return "; ".join(lines)


def test_one_order_explains_all_answers(fair: Fair, amount: Callable[[int, int], int]) -> None:
    histories = amount(3 * BIDDERS, among(1_000, alone=10_000))
    told, unexplained, judged = Counter[str](), [], 0
    for lot in fair.lots(histories // BIDDERS):
        for calls in fair.play(lot):
            told.update(call.told or "close" for call in calls)
            judged += 1
            if not explained(calls):
                unexplained.append(calls)
    print(dict(told))  # noqa: T201 - shown with -s
    assert [_shown(calls) for calls in unexplained] == []
    assert judged == histories
    assert set(told) <= {ACCEPTED, REPEATED, CONFLICT, LATE, CLOSED, "close"}
    assert {ACCEPTED, CONFLICT, LATE, "close"} <= set(told), "the acts did not meet"


def test_a_version_replaced_since_it_was_looked_for_is_told_its_first_answer(
    fair: Fair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three at once: a version, the same again, and the one that replaces it between the two."""
    (lot,) = fair.lots(1)
    bidder = fair.market.bidders[0]
    first, _, other, second, *_ = fair._versions(lot, bidder, fair.market.start_bid(lot, bidder))
    arrival = bids.Arrival(bid=first.bid, signed=first.signed, last_byte=time.monotonic())
    before = bids._known(fair.market.ledger, bidder.actor, arrival)
    assert [fair._sent(lot, bidder, each).told for each in (first, second)] == [ACCEPTED, ACCEPTED]
    monkeypatch.setattr(bids, "_known", lambda *_asked: before)  # it looked before either was taken
    assert fair._sent(lot, bidder, first).told == REPEATED
    assert fair._sent(lot, bidder, other).told == CONFLICT  # never taken


def test_control_without_the_lock_an_answer_has_no_explanation(fair: Fair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has checked in time writes after the close, which has not seen it."""
    (lot,) = fair.lots(1)
    plain_check_then_insert(fair, monkeypatch, between=lambda: fair.playing and fair.ended.wait(OTHER_S))
    fair.lead_ms = OTHER_S * 1_000 / 2
    assert not all(explained(calls) for calls in fair.play(lot))


def _documents() -> tuple[DummyVersion, DummyVersion, DummyVersion]:
    """A first version, one that replaces it and a withdrawal of it, unsigned: nothing but their chain matters."""

    def made(kind: str, before: DummyVersion | None) -> DummyVersion:
        supersedes = None if before is None else before.signed.sha256
        signed = SignedDocument(doc=f"{kind} {supersedes}".encode(), sigs=())
        return DummyVersion(bid="b", seq=1, kind=kind, signed=signed, supersedes=supersedes)

    first = made("envelope", None)
    return first, made("envelope", first), made("withdrawal", first)


FIRST, SECOND, GONE = _documents()


def _calls(*acts: tuple[DummyVersion | None, str], at_once: bool) -> list[Call]:
    """Acts one after the other, or all at once; a close is the version that it took, or nothing."""
    found = []
    for number, (what, told) in enumerate(acts):
        began, ended = (0, 10) if at_once else (number, number + 0.5)
        if told == "close":
            took = what.signed.sha256 if isinstance(what, DummyVersion) else None
            found.append(Call(began=began, ended=ended, took=took))
        elif isinstance(what, DummyVersion):
            found.append(Call(began=began, ended=ended, version=what, told=told, late=told == LATE))
    return found


@pytest.mark.parametrize(
    ("acts", "in_turn", "at_once"),
    [
        pytest.param([(FIRST, ACCEPTED), (SECOND, ACCEPTED), (SECOND, "close")], True, True, id="replaced"),
        pytest.param([(FIRST, ACCEPTED), (GONE, ACCEPTED), (None, "close")], True, True, id="withdrawn"),
        pytest.param([(SECOND, CONFLICT), (FIRST, ACCEPTED), (FIRST, "close")], True, True, id="too early"),
        pytest.param([(FIRST, ACCEPTED), (SECOND, CONFLICT), (FIRST, "close")], False, True, id="another way round"),
        pytest.param([(FIRST, ACCEPTED), (SECOND, ACCEPTED), (GONE, ACCEPTED)], False, False, id="two follow one"),
        pytest.param([(FIRST, ACCEPTED), (None, "close")], False, False, id="the close saw nothing"),
        pytest.param([(FIRST, ACCEPTED), (SECOND, ACCEPTED), (FIRST, "close")], False, False, id="or the one before"),
        pytest.param([(FIRST, ACCEPTED), (GONE, ACCEPTED), (GONE, "close")], False, False, id="a withdrawal is no bid"),
        pytest.param([(FIRST, ACCEPTED), (FIRST, ACCEPTED)], False, False, id="taken twice"),
        pytest.param([(FIRST, REPEATED), (FIRST, ACCEPTED)], False, True, id="repeated before it was taken"),
        pytest.param([(FIRST, "close"), (FIRST, ACCEPTED)], False, True, id="taken before it came"),
        pytest.param([(None, "close"), (FIRST, LATE)], True, True, id="late"),
        pytest.param([(FIRST, CLOSED), (None, "close")], False, True, id="refused while open"),
    ],
)  # fmt: skip
def test_what_has_an_explanation(acts: list[tuple[DummyVersion | None, str]], *, in_turn: bool, at_once: bool) -> None:
    assert explained(_calls(*acts, at_once=False)) is in_turn
    assert explained(_calls(*acts, at_once=True)) is at_once
