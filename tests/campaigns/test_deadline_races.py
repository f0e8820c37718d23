"""The close of a lot against an extension, a withdrawal and other closers, at the same moment (F20, F21; AL1 L4.5).

A normal run plays a few rounds of each race, a long run 200, alone 1,000. Who wins is left to chance, and both sides
are given theirs; whoever wins, what was told and what is recorded agree. The controls are closers and acts that do not
lock as they should, from AL1 L4.7; between their check and their write they wait for the other side, so that no machine
is too fast or too slow to find them.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.build.dummy_envelopes import MemoryStore, dummy_chain, dummy_withdrawal
from tests.build.market import DemoTime, Market, OpenLot, default_close, open_market, runtime_of
from tests.support.campaigns import among
from tests.support.databases import Database
from tests.support.logs import LogWorld
from tests.support.storm import Pauses
from tests.support.wrong_variants import entry_before_the_lock, plain_check_then_insert
from trading.audit.rules.record import parse_record
from trading.bids import closing
from trading.bids import service as bids
from trading.bids.rules.schedule import DRAIN_MS
from trading.crypto.signatures import SignedDocument, sign_document
from trading.kernel.errors import RuleBroken

LOTS: Final = 10  # of a procedure
APART_MS: Final = 60_000
LEAD_MS: Final = 25  # from the jump of time to the moment of the race, at first
LEAD_FACTOR: Final = 1.5  # a staircase finds the lead at which both sides win on this machine
SPREAD_US: Final = 20_000  # after the jump the other side waits up to so long; its act takes some ms to begin
PAUSE_MS: Final = 10
DRAFT_MS: Final = 30_000  # before the moment an extension is drafted
CLOSERS: Final = 3
LATER_MS: Final = 3_600_000
CONTROL_ROUNDS = 6  # in which the staircase finds a lead that lets both sides check in time
OTHER_S: Final = 5  # at most, for the other side to end, which may stand behind our lock


@dataclass(kw_only=True)
class Track:
    """Where races are held: one market with one bidder, whose time is moved on to each race.

    Acts pause before each entry and each commit, so that they overlap.
    """

    market: Market
    time: DemoTime
    pauses: Pauses
    lead_ms: float = LEAD_MS
    ended: Sequence[threading.Event] = ()  # of the race that is held, one for each act

    def lots(self, count: int, of_each: int = LOTS) -> list[OpenLot]:
        """Publish so many lots, some to a procedure, in the order of their deadlines; time only moves on."""
        first = default_close(self.market.now_ms())
        deadlines = [first + APART_MS * number for number in range(count)]
        shares = [deadlines[at : at + of_each] for at in range(0, count, of_each)]
        return sorted((lot for share in shares for lot in self.market.publish(share)), key=lambda lot: lot.close)

    def close(self, lot: OpenLot, until_ms: int) -> str:
        """Try to close the lot from now on, as workers do; return what came of it, or why not at ``until_ms``."""
        while True:
            try:
                closed = closing.close_lot(self.market.runtime, *lot.place, heartbeat_size=0)
            except RuleBroken as early:
                if early.code != "close.too_early" or self.market.now_ms() >= until_ms:
                    return early.code
            else:
                return "closed" if closed else "was closed"

    def race(self, moment_ms: int, *acts: Callable[[], Any]) -> list[Any]:
        """Let time come just before ``moment_ms``; the first act begins at once, the others around that moment."""
        start, found = threading.Barrier(len(acts) + 1), [None] * len(acts)
        self.ended = [threading.Event() for _ in acts]

        def run(number: int, act: Callable[[], Any]) -> None:
            start.wait()
            if number:
                threading.Event().wait(secrets.randbelow(SPREAD_US) / 1_000_000)
            try:
                found[number] = act()
            finally:
                self.ended[number].set()

        threads = [threading.Thread(target=run, args=each, daemon=True) for each in enumerate(acts)]
        for thread in threads:
            thread.start()
        self.time.move_to(moment_ms - round(self.lead_ms))
        self.pauses.active = True
        start.wait()
        for thread in threads:
            thread.join()
        self.pauses.active, self.ended = False, ()
        return found

    def wait_for(self, number: int) -> None:
        """Wait for the end of another act of the race that is held; of none there is nothing to wait for."""
        if self.ended:
            self.ended[number].wait(OTHER_S)

    def learn(self, *, act_won: bool) -> None:
        """Leave the act that won less time before the next moment, the one that lost more: no machine favours one."""
        self.lead_ms *= 1 / LEAD_FACTOR if act_won else LEAD_FACTOR

    def records(self, lot: OpenLot, kind: str) -> list[dict[str, Any]]:
        """Return what the records of one kind say about the lot, in the order of their making."""
        query = "SELECT record FROM log.audit_entry WHERE procedure_id = %s AND kind = %s ORDER BY id"
        with self.market.ledger.read() as conn:
            rows = conn.exec_driver_sql(query, (lot.procedure_id, kind)).scalars().all()
        bodies = [parse_record(bytes(row))["body"] for row in rows]
        return [body for body in bodies if body.get("lot", lot.lot) == lot.lot]

    def submit(self, lot: OpenLot) -> Callable[[], bids.Arrival]:
        """Hand in a bid for the lot and return its withdrawal, ready to arrive."""
        (bidder,) = self.market.bidders
        bid = self.market.start_bid(lot, bidder)
        (version,) = dummy_chain(self.market, lot, bidder, bid, 1)
        bids.submit(self.market.ledger, self.market.runtime.objects, bidder.actor, _arrival(bid, version.signed))
        context = replace(self.market.context(lot, bidder, bid), seq=2)
        return partial(_arrival, bid, sign_document(dummy_withdrawal(context, version.signed.sha256), bidder.signer))

    def withdraw(self, lot: OpenLot, arrives: Callable[[], bids.Arrival]) -> str:
        """Send a withdrawal; return ``withdrawn``, or why not, after the instant that was captured."""
        (bidder,) = self.market.bidders
        try:
            answer = bids.withdraw(self.market.ledger, bidder.actor, arrives())
        except bids.Refused as refused:
            told, received_at = refused.reason.code, refused.received_at
        else:
            told, received_at = "withdrawn", answer.received_at
        return told if (told == "bid.late") == (received_at >= lot.close) else f"{told} at {received_at - lot.close} ms"

    def extension(self, lot: OpenLot) -> Callable[[], str]:
        """Draft and sign a deadline an hour from now; return the act that publishes it."""
        move = self.market.extension(lot.tender, LATER_MS)

        def publish() -> str:
            try:
                move()
            except RuleBroken as refused:
                return refused.code
            return "extended"

        return publish


def _arrival(bid: str, signed: SignedDocument) -> bids.Arrival:
    return bids.Arrival(bid=bid, signed=signed, last_byte=time.monotonic())


@pytest.fixture
def track(demo_database: Database, tmp_path: Path) -> Iterator[Track]:
    demo_time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    world = LogWorld(demo_database, tmp_path, clock=demo_time.clock)
    try:
        market = open_market(runtime_of(demo_database, world, MemoryStore(), threads=8), bidders=1)
        yield Track(market=market, time=demo_time, pauses=Pauses(market.ledger, longest_ms=PAUSE_MS))
    finally:
        world.close()


def withdrawals(track: Track, rounds: int) -> tuple[Counter[str], list[str]]:
    """Race withdrawals against the close without drain, so that both can fall on one moment; return what is wrong."""
    told, wrong = Counter[str](), []
    for lot in track.lots(rounds):
        withdrawal = track.submit(lot)
        closed, came = track.race(
            lot.close,
            partial(track.close, lot, lot.close + LATER_MS),
            partial(track.withdraw, lot, withdrawal),
        )
        counts = [body["count"] for body in track.records(lot, "tender.closed")]
        told[came] += 1
        track.learn(act_won=came == "withdrawn")
        blamed = any(body["received_at"] - body["queue_ms"] < lot.close for body in track.records(lot, "bid.refused"))
        if (closed, counts) == ("closing.void", []) and came == "bid.late" and blamed:
            continue  # it had come in time and waited in the platform: that moves the deadline (TE1 T4.3)
        if closed != "closed" or counts != [0 if came == "withdrawn" else 1]:
            wrong.append(f"{lot.tender} {lot.lot}: {came}, {closed} with {counts}")
    return told, wrong


def test_a_withdrawal_counts_if_and_only_if_it_was_acknowledged(
    track: Track, monkeypatch: pytest.MonkeyPatch, amount: Callable[[int, int], int]
) -> None:
    monkeypatch.setattr(closing, "DRAIN_MS", 0)
    rounds = amount(12, among(200, alone=1_000))
    told, wrong = withdrawals(track, rounds)
    print(dict(told))  # noqa: T201 - shown with -s
    assert wrong == []
    assert told.total() == rounds
    assert set(told) <= {"withdrawn", "bid.late", "bid.closed"}
    assert len(told) >= 2, "one side won every race"


def test_control_without_the_lock_a_withdrawal_is_lost(track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "DRAIN_MS", 0)
    plain_check_then_insert(track, monkeypatch, between=partial(track.wait_for, 0))
    assert withdrawals(track, CONTROL_ROUNDS)[1]


def extensions(track: Track, rounds: int) -> tuple[Counter[str], list[str]]:
    """Race extensions, which move a whole procedure, against the close at the end of the drain."""
    told, wrong = Counter[str](), []
    for lot in track.lots(rounds, of_each=1):
        end = lot.close + DRAIN_MS
        track.time.move_to(end - DRAFT_MS)
        closed, came = track.race(end, partial(track.close, lot, end + LEAD_MS), track.extension(lot))
        counted = len(track.records(lot, "tender.closed")), len(track.records(lot, "tender.changed"))
        told[came] += 1
        track.learn(act_won=came == "extended")
        if (closed, came, *counted) not in {
            ("closed", "act.wrong_phase", 1, 0),
            ("close.too_early", "extended", 0, 1),
        }:
            wrong.append(f"{lot.tender}: {closed}, {came}, {counted}")
    return told, wrong


def test_an_extension_comes_before_the_close_or_not_at_all(track: Track, amount: Callable[[int, int], int]) -> None:
    rounds = amount(8, among(200, alone=1_000))
    told, wrong = extensions(track, rounds)
    print(dict(told))  # noqa: T201 - shown with -s
    assert wrong == []
    assert told.total() == rounds
    assert len(told) >= 2, "one side won every race"


def test_control_without_the_lock_a_closed_lot_is_extended(track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    entry_before_the_lock(track, monkeypatch, between=partial(track.wait_for, 1))
    monkeypatch.setattr(closing, "DRAIN_MS", 0)
    assert extensions(track, CONTROL_ROUNDS)[1]


def closers(track: Track, rounds: int) -> list[str]:
    """Let several closers meet at the end of the drain; return the lots that were not closed exactly once."""
    wrong = []
    for lot in track.lots(rounds):
        end = lot.close + DRAIN_MS
        told = Counter(track.race(end, *[partial(track.close, lot, end + LATER_MS)] * CLOSERS))
        counted = len(track.records(lot, "tender.closed"))
        if told != {"closed": 1, "was closed": CLOSERS - 1} or counted != 1:
            wrong.append(f"{lot.tender} {lot.lot}: {dict(told)}, {counted}")
    return wrong


def test_of_several_closers_one_closes(track: Track, amount: Callable[[int, int], int]) -> None:
    assert closers(track, amount(4, among(200, alone=1_000))) == []


def test_control_without_the_lock_two_close(track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    entry_before_the_lock(track, monkeypatch, between=partial(threading.Barrier(CLOSERS).wait, OTHER_S))
    assert closers(track, 1)
