"""Whoever holds the documents is told by mail that a deadline moved by rule, and learns of nobody else (TE1 T6)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.support.databases import Server, clone
from tests.support.made_committee import Postbox, contact_ledger
from tests.support.market import CLOSE, SYSTEM, Bidder, Market, open_market
from tests.support.polling import eventually
from trading.assembly import ERRANDS, REGISTRY
from trading.audit import errands
from trading.audit.ledger import Ledger
from trading.audit.queries import EntryRow, entry_by_h
from trading.audit.relay import relay
from trading.audit.service import platform_ms
from trading.bids.rules.schedule import DRAIN_MS
from trading.crypto.contact import ContactKey
from trading.demo import cast
from trading.demo.cast import BIDDERS
from trading.experts.service import register
from trading.kernel.canonical import loads_object
from trading.kernel.events import Event
from trading.messages.service.delivery import deliver
from trading.participation import jobs, service

RULE = {"extend_ms": 1_800_000, "look_back_ms": 0, "min_outage_ms": 0, "triggers": ["clock"]}
BIDDING, FOLLOWING, GONE, STRANGER = BIDDERS[:4]
TOLD = [f"{each.key}@mail.example" for each in (BIDDING, FOLLOWING)]


@pytest.fixture
def market(server: Server, tmp_path: Path) -> Iterator[Market]:
    """One bids, one follows, one did follow, one does neither; everybody has an address."""
    with clone(server, demo=True) as database, open_market(database, tmp_path, BIDDERS[:4]) as market:
        with database.connect() as owner:
            owner.execute(text("UPDATE desk.person SET mail = name || '@mail.example'"))
        market.draft(extension_rule=RULE)
        market.prove_local_keys()
        market.publish()
        Bidder(market, BIDDING).start()
        for organisation, wanted in ((BIDDING, True), (FOLLOWING, True), (GONE, True), (GONE, False)):
            actor = market.stage.actors[organisation.key]
            service.follow(market.runtime.ledger, actor, market.tender, wanted=wanted)
        yield market


def is_moved(market: Market) -> bool:
    market.work()
    return "tender.changed" in market.kinds()


def move(market: Market) -> EntryRow:
    """Let the deadline fall into a hold; return the entry by which it moved."""
    for instant, kind, told in ((CLOSE - 1_000, "clock.hold", "reason"), (CLOSE + 500, "clock.released", "size")):
        market.advance_to(instant)
        body = {"host": "database", told: "drill" if told == "reason" else 1}
        with market.runtime.ledger.begin(SYSTEM) as uow:
            uow.record(Event(kind=kind, subject="host:database", body=body))
    market.advance_to(CLOSE + DRAIN_MS)
    eventually(lambda: is_moved(market))
    query = "SELECT h FROM log.audit_entry WHERE kind = 'tender.changed'"
    with market.runtime.ledger.read() as conn:
        entry = entry_by_h(conn, bytes(conn.execute(text(query)).scalar_one()))
    assert entry is not None
    return entry


def as_worker(market: Market) -> Ledger:
    return Ledger(market.database.engine("trading_worker"), registry=REGISTRY)


def relayed(market: Market) -> int:
    """Relay the log and run what is due, in the role of the worker; return when that was."""
    runtime = replace(market.runtime, ledger=as_worker(market))
    eventually(lambda: relay(runtime, jobs.SUBSCRIPTIONS) > 0)
    with runtime.ledger.upkeep() as conn:
        due = errands.due(conn, now := platform_ms(conn))
    for each in due:
        errands.run(runtime, ERRANDS, each.id)
    return now


def test_everybody_who_holds_the_documents_is_told_once_and_of_nobody_else(market: Market) -> None:
    key, postbox = ContactKey.from_seed(secrets.token_bytes(32)), Postbox()
    register.register_contact_key(market.runtime.ledger, market.stage.desk, key.public, cast.CENTRE.code)
    moved = move(market)
    contact = contact_ledger(market.database)
    assert relayed(market) - loads_object(moved.record)["at"] <= 60_000
    deliver(contact, key, postbox)
    assert sorted(mail.to for mail in postbox.mails.values()) == sorted(TOLD)
    one, other = postbox.mails.values()
    assert (one.subject, one.text) == (other.subject, other.text)
    assert market.tender in one.text
    assert "截止时平台不能保证时钟准确" in one.text
    assert "could not vouch for its clock" in one.text
    names = [name for each in BIDDERS for name in (each.code, each.key, each.name_zh, each.name_en)]
    assert [name for name in names if name in one.subject + one.text] == []

    # A subscriber that begins anew writes again while the deadline is to come; when that is over too, it is old news.
    runtime = replace(market.runtime, ledger=as_worker(market))
    for later, count in ((0, len(TOLD)), (7_200_000, 0)):
        with runtime.ledger.begin(SYSTEM) as uow:
            uow.captured(uow.at + later)
            jobs.tell_move(runtime, uow, moved)
        assert mails_waiting(market) == count
        deliver(contact, key, postbox)


def mails_waiting(market: Market) -> int:
    with market.database.connect() as owner:
        query = "SELECT count(*) FROM desk.contact_mail WHERE sent_at IS NULL"
        return int(owner.execute(text(query)).scalar_one())


def test_without_a_contact_service_nothing_waits_and_nobody_but_the_worker_sees_who_follows(market: Market) -> None:
    """Negative controls of the table's policy: the web sees nothing without the account, the worker only reads."""
    seen = {}
    for role in ("trading_web", "trading_worker"):
        with market.database.connect(role) as conn:
            seen[role] = conn.execute(text("SELECT count(*) FROM desk.followed_tender")).scalar_one()
    assert seen == {"trading_web": 0, "trading_worker": 2}
    with market.database.connect("trading_worker") as conn, pytest.raises(ProgrammingError, match="permission denied"):
        conn.execute(text("DELETE FROM desk.followed_tender"))
    move(market)
    relayed(market)
    with market.database.connect() as owner:
        undone = "SELECT count(*) FROM desk.errand WHERE name = 'participation.moved' AND done_at IS NULL"
        assert owner.execute(text(undone)).scalar_one() == mails_waiting(market) == 0
