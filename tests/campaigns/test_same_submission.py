"""The same submission a hundred times at once: one record, one answer for everybody, no exception (F17, SB1 S7.1).

Each round sends the next version of a bid, envelope or withdrawal, and every answer must name the same record with the
same instant of receipt, whoever came first. The journal of the callers is the only account.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, text

from tests.build.dummy_envelopes import DummyVersion, MemoryStore, dummy_chain
from tests.build.market import DemoTime, Market, Party, open_market, runtime_of
from tests.support.campaigns import among
from tests.support.databases import Database
from tests.support.logs import LogWorld
from tests.support.polling import eventually
from trading.audit.service import reader, receipt
from trading.bids import queries, service, store
from trading.bids.model import MAX_VERSIONS
from trading.bids.service import Accepted, Arrival
from trading.bids.tables import bid
from trading.procedures.tables import lot

AT_ONCE = 100
CONNECTIONS = 24  # as many as wait for one row at a time; the others wait for a connection
NONE, OTHER, TWICE = "not accepted", "another answer", "recorded twice"


@pytest.fixture
def market(demo_database: Database, tmp_path: Path) -> Iterator[Market]:
    demo_time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    world = LogWorld(demo_database, tmp_path, clock=demo_time.clock)
    try:
        runtime = runtime_of(demo_database, world, MemoryStore(), threads=CONNECTIONS, acquire_s=60)
        with world.running():
            yield open_market(runtime, bidders=1)
    finally:
        world.close()


def send(market: Market, bidder: Party, version: DummyVersion) -> list[Accepted | Exception]:
    """Send one version from many threads that begin together; return what each was told."""
    barrier = threading.Barrier(AT_ONCE)
    told: list[Accepted | Exception] = []

    def run() -> None:
        barrier.wait()
        arrival = Arrival(bid=version.bid, signed=version.signed, last_byte=time.monotonic())
        try:
            if version.kind == "withdrawal":
                told.append(service.withdraw(market.ledger, bidder.actor, arrival))
            else:
                told.append(service.submit(market.ledger, market.runtime.objects, bidder.actor, arrival))
        except Exception as error:  # noqa: BLE001 - judged below
            told.append(error)

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def check(market: Market, version: DummyVersion, told: list[Accepted | Exception]) -> set[str]:
    """Return what is wrong with the answers to one version."""
    accepted = [each for each in told if isinstance(each, Accepted)]
    wrong = {NONE} if len(accepted) < AT_ONCE else set()
    if len({(each.h, each.doc_sha256, each.received_at) for each in accepted}) > 1:
        wrong.add(OTHER)
    if sum(not each.repeated for each in accepted) > 1 or entries(market, version) != 1:
        wrong.add(TWICE)
    return wrong


def entries(market: Market, version: DummyVersion) -> int:
    """Return how many records name the document of a version."""
    query = text("SELECT count(*) FROM log.audit_entry WHERE position(cast(:name AS bytea) IN record) > 0")
    with market.ledger.read() as conn:
        return int(conn.execute(query, {"name": version.signed.sha256.encode()}).scalar_one())


def receipts_of(market: Market, told: list[Accepted | Exception]) -> set[bytes]:
    """Return the witnessed receipts that everybody would fetch with what he was told."""
    found: dict[bytes, bytes] = {}
    for each in told:
        assert isinstance(each, Accepted)
        if each.h not in found:
            found[each.h] = witnessed(market, each.h)
    return set(found.values())


def witnessed(market: Market, h: bytes) -> bytes:
    log = reader(market.runtime.log_dir)
    texts: list[bytes] = []

    def is_there() -> bool:
        with market.ledger.read() as conn:
            now = receipt(conn, log, h)
        texts.extend([now.text] if now is not None and now.state == "witnessed" else [])
        return bool(texts)

    eventually(is_there)
    return texts[0]


def chains(market: Market, rounds: int) -> Iterator[DummyVersion]:
    """Yield so many versions, each lot's bid up to its last allowed one."""
    while rounds > 0:
        (opened,) = market.publish()
        reference = market.start_bid(opened, market.bidders[0])
        versions = dummy_chain(market, opened, market.bidders[0], reference, min(rounds, MAX_VERSIONS))
        rounds -= len(versions)
        yield from versions


def test_one_bid_and_identical_receipts(
    market: Market, amount: Callable[[int, int], int], record_property: Callable[[str, object], None]
) -> None:
    began, rounds = time.monotonic(), 0
    told: list[Accepted | Exception] = []
    for version in chains(market, amount(2, among(100, alone=1_000))):
        told = send(market, market.bidders[0], version)
        assert check(market, version, told) == set(), [each for each in told if not isinstance(each, Accepted)][:3]
        rounds += 1
    assert len(receipts_of(market, told)) == 1
    record_property("submissions", f"{rounds} rounds of {AT_ONCE} in {time.monotonic() - began:.0f} s")


def test_control_a_head_that_nobody_locks(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement is the same without FOR UPDATE: some find the head as it was, and are refused."""
    columns = (*queries.HEAD_COLUMNS, lot.c.policy_sha256.label("lot_policy"))
    unlocked = queries.head_query(*columns).where(bid.c.id == bindparam("bid_id"))
    monkeypatch.setattr(store, "_LOCK_HEAD", unlocked)
    for version in chains(market, 3):
        if NONE in check(market, version, send(market, market.bidders[0], version)):
            return
    pytest.fail("nothing is found")
