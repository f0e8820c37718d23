"""A storm of submissions around deadlines: writers in threads, the real closer, the journal of what clients were told.

Pauses between capture, entry and commit are put into the database driver's events, so that the product knows nothing of
them. ``tests/support/storm_checker.py`` judges the journal; nothing here does.
"""

from __future__ import annotations

import heapq
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Connection, event

from tests.build.dummy_envelopes import DummyVersion, MemoryStore, dummy_chain
from tests.build.market import DemoTime, Market, OpenLot, Party, open_market, runtime_of
from tests.support.confirmed import confirm_in_advance
from tests.support.databases import Database
from tests.support.logs import LogWorld
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.audit.sequencer.loop import Options
from trading.bids import closing
from trading.bids import service as bids
from trading.kernel.errors import RuleBroken

WRITERS = 20
AROUND_MS = 250
LEAD_MS = 1_200  # from the jump to the first deadline: threads start and wait for their moment
BATCHES = Options(interval_s=0.05, heartbeat_s=0.1, retry_s=0.02)  # the product's batches (AL1 L5.5)
VERSIONS = 10
PATIENCE_MS = 120_000  # after its deadline a lot must be closed, however busy the machine is

#: Runs until every lot is closed.
Closer: TypeAlias = Callable[["Storm", Sequence[OpenLot]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a client knows of one submission: the answer, and the signed facts in it. ``code`` is None if accepted."""

    lot: OpenLot
    bid: str
    seq: int
    kind: str
    doc_sha256: str
    code: str | None
    repeated: bool
    received_at: int
    h: bytes

    @property
    def is_near(self) -> bool:
        return abs(self.received_at - self.lot.close) <= AROUND_MS


@dataclass
class Pauses:
    """Random pauses of up to ``longest_ms`` before each entry and each commit of one engine, while they are on."""

    ledger: Ledger
    longest_ms: int = 30
    rare_ms: int = 0  # one commit in a hundred takes this much longer: a page fault, a full disk, a lost packet
    active: bool = False

    def __post_init__(self) -> None:
        engine = self.ledger._engine
        event.listen(engine, "before_cursor_execute", self._before_entry)
        event.listen(engine, "commit", self._before_commit)

    def _before_entry(self, _connection: Connection, _cursor: object, statement: str, *_others: object) -> None:
        if statement.startswith("INSERT INTO log.audit_entry"):
            self._pause(self.longest_ms)

    def _before_commit(self, _connection: Connection) -> None:
        self._pause(self.longest_ms + (self.rare_ms if secrets.randbelow(100) == 0 else 0))

    def _pause(self, longest_ms: int) -> None:
        if self.active and longest_ms:
            threading.Event().wait(secrets.randbelow(longest_ms * 1000) / 1_000_000)


@dataclass(kw_only=True)
class Storm:
    """One market under storm. ``failures`` are errors that no client should ever see."""

    world: LogWorld
    time: DemoTime
    market: Market
    objects: MemoryStore
    pauses: Pauses
    journal: list[Attempt] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    @property
    def runtime(self) -> Runtime:
        return self.market.runtime

    def publish(self, deadlines: Sequence[int], *, lots: int) -> list[OpenLot]:
        """Publish procedures of so many lots each, one lot for each deadline (ms)."""
        found: list[OpenLot] = []
        for at in range(0, len(deadlines), lots):
            found += self.market.publish(deadlines[at : at + lots])
        for lot in found:
            confirm_in_advance(self.market, lot)
        return found

    def rage(self, lots: Sequence[OpenLot], closer: Closer) -> None:
        """Let every writer submit to every lot around its deadline, while ``closer`` closes them."""
        writers = self.market.bidders
        chains = {
            (lot.place, bidder.code): dummy_chain(
                self.market, lot, bidder, self.market.start_bid(lot, bidder), VERSIONS
            )
            for lot in lots
            for bidder in writers
        }
        self.time.move_to(min(lot.close for lot in lots) - LEAD_MS)
        threads = [threading.Thread(target=self._guarded, args=(closer, self, lots))]
        threads += [
            threading.Thread(
                target=self._guarded,
                args=(self._write, bidder, [(lot, chains[lot.place, bidder.code]) for lot in lots]),
            )
            for bidder in writers
        ]
        self.pauses.active = True
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.pauses.active = False
        for chain in chains.values():
            for digest in (digest for version in chain for digest in version.parts):
                self.objects.forget(digest)

    def _guarded(self, work: Callable[..., None], *arguments: object) -> None:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - judged by the test
            self.failures.append(error)

    def _write(self, bidder: Party, work: Sequence[tuple[OpenLot, list[DummyVersion]]]) -> None:
        """Submit version after version from just before each deadline until just after it, as fast as answers come."""
        for lot, chain in sorted(work, key=lambda each: each[0].close):
            self.wait_until(lot.close - AROUND_MS + secrets.randbelow(40))
            at = 0
            while self.runtime.clock.now_ms() < lot.close + AROUND_MS and not self.failures:
                attempt = self._submit(bidder, lot, chain[min(at, len(chain) - 1)])
                at += attempt.code is None  # a refused version is sent again, as a client would

    def _submit(self, bidder: Party, lot: OpenLot, version: DummyVersion) -> Attempt:
        arrival = bids.Arrival(bid=version.bid, signed=version.signed, last_byte=time.monotonic())
        ledger, code, repeated = self.market.ledger, None, False
        try:
            if version.kind == "envelope":
                answer = bids.submit(ledger, self.runtime.objects, bidder.actor, arrival)
            else:
                answer = bids.withdraw(ledger, bidder.actor, arrival)
            received_at, h, repeated = answer.received_at, answer.h, answer.repeated
        except bids.Refused as refusal:
            received_at, h, code = refusal.received_at, refusal.h, refusal.reason.code
        attempt = Attempt(
            lot=lot,
            bid=version.bid,
            seq=version.seq,
            kind=version.kind,
            doc_sha256=version.signed.sha256,
            code=code,
            repeated=repeated,
            received_at=received_at,
            h=h,
        )
        self.journal.append(attempt)
        return attempt

    def wait_until(self, instant_ms: int) -> None:
        while (left := instant_ms - self.runtime.clock.now_ms()) > 0:
            threading.Event().wait(left / 1000)


@contextmanager
def storm_over(database: Database, directory: Path) -> Iterator[Storm]:
    """Yield a storm over a fresh demonstration database, with its sequencer running in 50 ms batches."""
    demo_time = DemoTime(database=database, shift_file=directory / "demo-shift")
    world = LogWorld(database, directory, clock=demo_time.clock)
    try:
        objects = MemoryStore()
        runtime = runtime_of(database, world, objects, threads=WRITERS + 8, acquire_s=20)
        with world.running(options=BATCHES):
            market = open_market(runtime, bidders=WRITERS)
            pauses = Pauses(market.ledger)
            yield Storm(world=world, time=demo_time, market=market, objects=objects, pauses=pauses)
    finally:
        world.close()


def close_by_errand(storm: Storm, lots: Sequence[OpenLot]) -> None:
    """Run the errand ``bids.close`` as workers do, when it is due, and each one twice at the same time."""
    threads = [threading.Thread(target=storm._guarded, args=(_work_off, storm, lots)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _work_off(storm: Storm, lots: Sequence[OpenLot]) -> None:
    due = [(lot.close, number) for number, lot in enumerate(lots)]
    heapq.heapify(due)
    while due and not storm.failures:
        instant, number = heapq.heappop(due)
        storm.wait_until(instant)
        again = closing.run(storm.runtime, lots[number].arg)
        assert again is None or again < lots[number].close + PATIENCE_MS, (
            "a lot is not closed: does the log stand still?"
        )
        if again is not None:
            heapq.heappush(due, (again, number))


def close_at_once(storm: Storm, lots: Sequence[OpenLot]) -> None:
    """Close each lot in the very millisecond of its deadline: without heartbeat, for runs without drain."""
    for lot in sorted(lots, key=lambda each: each.close):
        storm.wait_until(lot.close)
        while True:
            try:
                closing.close_lot(storm.runtime, lot.tender, lot.lot, lot.stage, heartbeat_size=0)
            except RuleBroken as early:
                if early.code != "close.too_early":
                    raise
            else:
                break
