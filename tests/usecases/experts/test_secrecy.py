"""Who can learn who was drawn: nobody before the result, and each database role only what it must (security 12)."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.support.databases import Database
from tests.support.made_committee import CommitteeMaker
from tests.support.market import Market
from trading.crypto.contact import ContactKey
from trading.disclosure.queries import of_one
from trading.disclosure.rules.tiers import Tier, shows_document
from trading.experts import queries
from trading.experts.model import Holder
from trading.experts.rules.identity import Identity, identity_info
from trading.experts.service import disclosure, seats
from trading.kernel.canonical import loads_object
from trading.kernel.errors import InvalidInput, RuleBroken

PLANTED = ("隐名专家", "planted-", "隐名单位")
TABLES = """
    SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('record', 'desk', 'log') AND c.relkind IN ('r', 'p') ORDER BY 1
"""


def dump(database: Database, role: str) -> Iterator[tuple[str, str]]:
    """Yield (table, content as text) of everything that a role can read, bytes decoded as they are."""
    with database.connect(role) as conn:
        for table in conn.execute(text(TABLES)).scalars().all():
            allowed = conn.execute(text("SELECT has_table_privilege(:table, 'SELECT')"), {"table": table})
            if allowed.scalar_one():
                for row in conn.execute(text(f"TABLE {table}")):
                    yield table, " ".join(_plain(value) for value in row)


def _plain(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "surrogateescape")  # none is lost
    return str(value)


def leaks(database: Database, role: str, names: tuple[str, ...] = PLANTED) -> set[str]:
    return {table for table, content in dump(database, role) if any(name in content for name in names)}


@pytest.mark.parametrize("role", ["trading_web", "trading_worker", "trading_reader", "trading_auditor"])
def test_no_role_but_the_contact_service_reads_an_identity(market: Market, maker: CommitteeMaker, role: str) -> None:
    maker.admit(3)
    with market.database.connect(role) as conn, pytest.raises(DBAPIError) as error:
        conn.exec_driver_sql("SELECT sealed FROM record.expert_identity")
    assert isinstance(error.value.orig, InsufficientPrivilege)
    with market.database.connect("trading_contact") as conn:
        (sealed, *_others) = conn.exec_driver_sql(
            "SELECT sealed FROM record.expert_identity ORDER BY expert_id"
        ).scalars()
    assert "隐名专家".encode() not in bytes(sealed)  # and even it has only the sealed bytes without its key
    opened = Identity.decode(maker.contact.key.open(identity_info("E0000000"), bytes(sealed)))
    assert opened == maker.people["E0000000"]
    with pytest.raises(InvalidInput):
        ContactKey.from_seed(b"\x07" * 32).open(identity_info("E0000000"), bytes(sealed))
    with pytest.raises(InvalidInput):
        maker.contact.key.open(identity_info("E0000001"), bytes(sealed))


def test_the_contact_service_reads_neither_bids_nor_accounts(market: Market, maker: CommitteeMaker) -> None:
    del maker
    with market.database.connect("trading_contact") as conn:
        for table in ("record.bid", "record.bid_version", "record.bid_factor", "desk.account", "desk.api_token"):
            with pytest.raises(DBAPIError) as error:
                conn.exec_driver_sql(f"TABLE {table}")
            assert isinstance(error.value.orig, InsufficientPrivilege), table


def test_nothing_names_a_drawn_expert_before_the_result(
    market: Market, maker: CommitteeMaker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    maker.seated(market.tender)
    for role in ("trading_web", "trading_worker", "trading_reader", "trading_auditor", "trading_contact"):
        assert leaks(market.database, role) == set(), role
    # A mail goes to its own expert and names nobody, the tender least of all.
    for mail in maker.postbox.mails.values():
        assert mail.to.startswith("planted-")
        assert not any(name in mail.subject + mail.text for name in (*PLANTED, market.tender, "课桌椅"))
    assert not any(name in caplog.text for name in PLANTED)
    assert "panel.disclosed" not in market.kinds()


def test_the_search_finds_what_is_planted_in_clear(market: Market, maker: CommitteeMaker) -> None:
    """Negative control: an identity in clear, as a table of plain names would hold it."""
    maker.admit(1)
    with market.database.connect() as owner:
        owner.exec_driver_sql("UPDATE desk.draw_paper SET typ = typ")
        owner.exec_driver_sql(
            "INSERT INTO desk.contact_mail (id, kind, sealed, created_at, attempts, due_at)"
            " VALUES (1, 'call', convert_to('planted-e0001@example.org', 'UTF8'), 0, 0, 0)"
        )
        owner.exec_driver_sql("GRANT SELECT ON desk.contact_mail TO trading_web")
    assert leaks(market.database, "trading_web") == {"desk.contact_mail"}


def test_only_the_person_and_the_contact_service_tie_account_and_seat(market: Market, maker: CommitteeMaker) -> None:
    maker.seated(market.tender)
    address, _ = next(iter(maker.postbox.codes("/draws/call/")))
    who = maker.account_of(address)
    for role in ("trading_web", "trading_worker", "trading_reader", "trading_auditor"):
        with market.database.connect(role) as conn:
            assert conn.exec_driver_sql("SELECT count(*) FROM record.seat_holder").scalar_one() == 0, role
    with market.database.connect("trading_contact") as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM record.seat_holder").scalar_one() == 5
    with maker.ledger.read() as conn:
        own = queries.seat_of(conn, market.procedure_id, who)
        assert own is not None
        assert conn.exec_driver_sql("SELECT count(*) FROM record.seat_holder").scalar_one() == 1
    with maker.ledger.read() as conn:
        assert queries.seat_of(conn, market.procedure_id, maker.actor("supervisor")) is None
    experts = {each.account for each in maker.people.values()}
    with market.database.connect("trading_auditor") as conn:
        records = conn.exec_driver_sql(
            "SELECT convert_from(record, 'UTF8') FROM log.audit_entry WHERE kind LIKE 'seat.%%' OR kind LIKE 'draw.%%'"
        ).scalars()
        assert not [account for record in records for account in experts if account and account in record]


def test_an_auditor_sees_that_a_seat_is_held_and_not_by_whom(market: Market, maker: CommitteeMaker) -> None:
    """The database computes what the records commit to; account and salt never leave the row (ADR 0045)."""
    maker.seated(market.tender)
    told = {body["seat"]: body["holder_commit"] for body in market.bodies("committee.appointed")}
    told |= {body["seat"]: body["holder_commit"] for body in market.bodies("seat.signed_in") if body["holder_commit"]}
    with market.database.connect("trading_auditor") as conn:
        shown = conn.exec_driver_sql("SELECT seat, encode(holder_commit, 'hex') FROM record.held_seat").all()
        assert {row[0]: row[1] for row in shown} == told
        assert len(told) == 5
        kept = conn.exec_driver_sql("SELECT * FROM record.kept_identity").keys()
        assert set(kept) == {"id", "entry_id", "expert_id", "sealed_sha256"}
    with market.database.connect("trading_contact") as conn:
        rows = conn.exec_driver_sql("SELECT seat, account, salt FROM record.seat_holder").all()
        for seat, account, salt in rows:
            assert Holder(seat=seat, account=account, salt=bytes(salt)).commit == told[seat]
            assert Holder(seat=seat, account=account, salt=b"").commit not in told.values()  # nobody can just try
        assert len({bytes(row.salt) for row in rows}) == 5
    for role in ("trading_web", "trading_worker", "trading_reader"):
        for view in ("held_seat", "kept_identity"):
            with market.database.connect(role) as conn, pytest.raises(DBAPIError) as error:
                conn.exec_driver_sql(f"TABLE record.{view}")
            assert isinstance(error.value.orig, InsufficientPrivilege), (role, view)


def test_a_seat_code_is_good_once_and_for_its_own_person(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(12, accounts_for=12)
    maker.plan(market.tender)
    maker.drawn(market.tender)
    (address, code), (other_address, _), *_ = maker.seat_codes().items()
    owner, other = maker.account_of(address), maker.account_of(other_address)
    for account, tried in ((other, code), (owner, "not-a-code"), (maker.actor("supervisor"), code)):
        with pytest.raises(RuleBroken, match=r"seat\.code_unknown"):
            seats.sign_in(maker.ledger, account, tried, promised=True)
    assert seats.sign_in(maker.ledger, owner, code, promised=True).reference == market.tender
    with pytest.raises(RuleBroken, match=r"seat\.code_unknown"):
        seats.sign_in(maker.ledger, owner, code, promised=True)


def test_names_are_published_after_the_award_and_not_before(market: Market, maker: CommitteeMaker) -> None:
    maker.seated(market.tender)
    with pytest.raises(RuleBroken, match=r"panel\.secret") as error:
        disclosure.disclose_names(maker.ledger, maker.actor("drafter"), market.tender)
    assert error.value.rule_id == "EXP-14"
    decide(market)
    assert disclosure.disclose_names(maker.ledger, maker.actor("drafter"), market.tender) == 1
    maker.work()
    with maker.ledger.read() as conn:
        panel = queries.panel_of(conn, market.procedure_id)
    assert len(panel) == 5
    assert {each.name for each in panel} <= {each.name for each in maker.people.values()} | {"采购人代表甲"}
    assert sum(each.leaf is not None for each in panel) == 4
    assert disclosure.disclose_names(maker.ledger, maker.actor("drafter"), market.tender) == 0


def decide(market: Market) -> None:
    """Put every lot where an award is determined; how it gets there is not this test's matter."""
    with market.database.connect() as owner:
        owner.exec_driver_sql("ALTER TABLE record.lot DISABLE TRIGGER USER")
        owner.exec_driver_sql("UPDATE record.lot SET phase = 'determined'")
        owner.exec_driver_sql("ALTER TABLE record.lot ENABLE TRIGGER USER")
        owner.exec_driver_sql("ALTER TABLE record.lot ENABLE ALWAYS TRIGGER a_guard")
        owner.exec_driver_sql("ALTER TABLE record.lot ENABLE ALWAYS TRIGGER b_keep")


@pytest.mark.parametrize("tier", list(Tier))
def test_only_the_auditors_bundle_tells_which_draw_serves_a_procedure(
    market: Market, maker: CommitteeMaker, tier: Tier
) -> None:
    """Bundles are given from the opening on, long before the result; until then only the draw's salt hides it (D5)."""
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.begin(market.tender)
    with maker.ledger.read() as conn:
        stored = [signed.doc for signed in of_one(conn, market.tender).documents.values()]
    shown = [doc for doc in stored if shows_document(tier, loads_object(doc), listed=(), completed=True)]
    assert any(draw.encode() in doc for doc in stored)
    assert any(draw.encode() in doc for doc in shown) is (tier is Tier.AUDIT)
    assert any(b"mb.committee-plan" in doc for doc in shown) is (tier is Tier.AUDIT)
