"""Practice tenders: who gets one, who is let in, who may keep its keys, how much it takes (ADR 0061)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from tests.support import practice
from tests.support.databases import Server, clone
from tests.support.market import LOT, STAGE, Market, open_market
from trading.bids import queries as bid_queries
from trading.bids import service as bids
from trading.bids.rules import uploads as rules
from trading.bids.rules.hidden import NEVER_MS
from trading.bids.rules.uploads import PRACTICE_BYTES, part_limit
from trading.bids.uploads import Uploads
from trading.demo import cast
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput, NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.kernel.signed import SignedDocument
from trading.participation import practising, service
from trading.participation.rules.practice import CUSTODIANS, MOST_AT_ONCE
from trading.procedures import queries as procedures
from trading.storage.objects import MAX_PART

QINGHE, BOLIN = cast.BIDDERS[:2]


@pytest.fixture(scope="module")
def market(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("practising")
    with clone(server, demo=True) as database, open_market(database, folder, (QINGHE, BOLIN)) as market:
        yield market


@pytest.fixture(scope="module")
def reference(market: Market) -> str:
    """A practice tender of the first bidder that takes bids."""
    with pytest.raises(NotFound):
        practising.ask(market.runtime.ledger, actor(market), 10)  # nobody has set up practice
    with pytest.raises(NotFound):
        practising.trust(market.runtime, 0)
    practice.offer(market.runtime, folder(market))
    practice.offer(market.runtime, folder(market))  # again nothing happens
    found = practising.ask(market.runtime.ledger, actor(market), 10)
    practice.open_practice(market.runtime, folder(market), found)
    return found


def folder(market: Market) -> Path:
    return market.directory / "practice"


def actor(market: Market, key: str = QINGHE.key) -> Actor:
    return market.stage.actors[key]


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises((RuleBroken, InvalidInput)) as caught:
        yield
    assert caught.value.code == code


def test_it_is_of_one_organisation_and_nobody_else_is_let_in(market: Market, reference: str) -> None:
    ledger, place = market.runtime.ledger, {"reference": reference, "lot": LOT, "stage": STAGE}
    own = bids.start_bid(ledger, actor(market), **place)
    assert bids.start_bid(ledger, actor(market), **place) == own
    for stranger in (actor(market, BOLIN.key), market.stage.actors["drafter"]):
        with pytest.raises(NotFound):
            bids.start_bid(ledger, stranger, **place)
    now = market.now()
    assert service.desk(market.runtime, actor(market), reference, now).page.practice
    for act in (service.desk, service.own_lot):
        more = (LOT, now) if act is service.own_lot else (now,)
        with pytest.raises(NotFound):
            act(market.runtime, actor(market, BOLIN.key), reference, *more)
    with pytest.raises(NotFound):
        service.own_acts(ledger, actor(market, BOLIN.key), reference)
    assert [each.reference for each in practising.mine(ledger, actor(market), now) or ()] == [reference]
    assert practising.mine(ledger, actor(market, BOLIN.key), now) == ()
    with pytest.raises(NotPermitted):
        practising.ask(ledger, Actor(account="a-1", roles=frozenset({Role.BIDDER})), 10)


def test_it_stands_in_no_list(market: Market, reference: str) -> None:
    ledger = market.runtime.ledger
    assert service.my_tenders(ledger, actor(market), market.now()) == ()
    with pytest.raises(NotFound):
        service.follow(ledger, actor(market), reference, wanted=True)
    with ledger.read() as conn:
        assert procedures.published(conn, before=None, limit=10) == []
        assert procedures.open_until(conn, 0, NEVER_MS) == []


def test_its_versions_are_limited_like_those_of_every_bid(market: Market, reference: str) -> None:
    with market.runtime.ledger.read() as conn:
        (head,) = [each for each in bid_queries.own_bids(conn, QINGHE.code) if each.procedure == reference]
    assert not head.is_probe


def test_its_files_have_room_to_the_last_byte(market: Market, reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert part_limit(reference, {}, "", most=MAX_PART) == PRACTICE_BYTES < MAX_PART
    assert part_limit("T-2026-7k3m9q2d", {"": PRACTICE_BYTES}, "1", most=MAX_PART) == MAX_PART
    monkeypatch.setattr(rules, "PRACTICE_BYTES", 1_000)
    ledger, objects = market.runtime.ledger, market.runtime.objects
    bid = bids.start_bid(ledger, actor(market), reference=reference, lot=LOT, stage=STAGE)
    uploads = Uploads(ledger=ledger, objects=objects, actor=actor(market), bid=bid)
    with refused("bid.part_too_large"):
        uploads.begin("main", "1" * 64, 1_001)
    uploads.end(uploads.begin("main", "1" * 64, 1_000).id)
    whole = bytes(1_000)
    with refused("bid.part_too_large"):
        bids.store_part(ledger, objects, actor(market), bid, BytesIO(whole + b"x"), sha256_hex(whole + b"x"))
    bids.store_part(ledger, objects, actor(market), bid, BytesIO(whole), sha256_hex(whole))
    bids.store_part(ledger, objects, actor(market), bid, BytesIO(whole), sha256_hex(whole))  # again, and no more
    with refused("bid.part_too_large"):
        bids.store_part(ledger, objects, actor(market), bid, BytesIO(b"x"), sha256_hex(b"x"))


def test_practice_custodians_keep_no_key_of_a_real_tender(market: Market, reference: str) -> None:
    market.draft(sealing={"bidder_factor": True, "k": 2, "n": 3, "price_bytes": 4096})
    for party in CUSTODIANS:
        practice.give_own_key(market.runtime, folder(market), party, market.tender)
    with refused("policy.practice"):
        market.publish()
    del reference


def test_nobody_else_keeps_a_key_of_a_practice_tender(market: Market, reference: str) -> None:
    del reference
    market.tender = practising.ask(market.runtime.ledger, actor(market), 10)
    for party in CUSTODIANS[1:]:
        practice.give_own_key(market.runtime, folder(market), party, market.tender)
    notary = cast.CUSTODIANS[3]
    key = market.stage.signers[notary.key, "custodian"]
    practice.give_key(market.runtime, key, (notary.name_zh, notary.code), market.tender)
    with refused("policy.practice"):
        practice.open_foreign(market.runtime, folder(market), market.tender)


def test_a_real_tender_is_not_opened_in_this_way(market: Market, reference: str) -> None:
    del reference
    market.draft()
    with pytest.raises(NotFound):
        practising.open_lot(
            market.runtime, market.stage.actors["drafter"], market.tender, SignedDocument(b"{}"), SignedDocument(b"{}")
        )
    with pytest.raises(NotFound):
        bids.start_bid(market.runtime.ledger, actor(market), reference=market.tender, lot=LOT, stage=STAGE)


def test_one_organisation_has_few_at_once(market: Market, reference: str) -> None:
    del reference
    ledger = market.runtime.ledger
    held = len(practising.mine(ledger, actor(market), market.now()) or ())
    for _ in range(MOST_AT_ONCE - held):
        practising.ask(ledger, actor(market), 10)
    with refused("practice.many_open"):
        practising.ask(ledger, actor(market), 10)
    assert practising.ask(ledger, actor(market, BOLIN.key), 30), "another organisation is not concerned"
    with refused("doc.bad_field"):
        practising.ask(ledger, actor(market, BOLIN.key), 31)
