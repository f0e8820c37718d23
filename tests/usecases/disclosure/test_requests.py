"""Disclosure on application through the use cases: nobody's data in the record, four eyes, time, the annual table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import ProgrammingError

from tests.support.columns import DISCLOSURE, missed_columns, owner_of, unnamed
from tests.support.databases import Database, Server, clone
from trading.accounts import service as accounts
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.service import platform_ms
from trading.disclosure.queries import annual as annual_queries
from trading.disclosure.queries import requests as queries
from trading.disclosure.rules.annual import Declared, column, violations
from trading.disclosure.rules.requests import Channel, Route
from trading.disclosure.service import annual, requests
from trading.kernel.errors import NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role

CODE = "12110108MA0P000035"
NAME, CONTACT, TEXT = "王小明", "wang@example.org", "2025年度办公家具采购的验收报告"


@dataclass
class Office:
    database: Database
    ledger: Ledger
    one: Actor
    two: Actor
    today: date

    def ask(self, address: str = "192.0.2.1") -> str:
        return requests.ask(self.ledger, requests.make_application(NAME, CONTACT, TEXT), address=address)

    def register(self, channel: Channel = Channel.LETTER) -> str:
        application = requests.make_application(NAME, CONTACT, TEXT)
        return requests.register(self.ledger, self.one, channel, application, self.today)

    def row(self, number: str) -> queries.RequestRow:
        with self.ledger.read() as conn:
            found = queries.find(conn, number)
        assert found is not None
        return found

    def table(self) -> dict[str, int]:
        with self.ledger.read() as conn:
            return annual.table_of(conn, self.today.year).of_year


def open_office(database: Database) -> Office:
    ledger = Ledger(database.engine(), registry=REGISTRY, reader=database.engine("trading_reader"))
    actors = []
    for login in ("open1", "open2"):
        accounts.create_account(ledger, login=login, org_code=CODE, roles=(Role.CENTRE,))
        with ledger.upkeep() as conn:
            actors.append(accounts.actor_of(conn, login))
    with ledger.read() as conn:
        today = annual_queries.day_of(platform_ms(conn))
    return Office(database, ledger, actors[0], actors[1], today)


@pytest.fixture(scope="module")
def office(server: Server) -> Iterator[Office]:
    with clone(server) as database:
        yield open_office(database)


def test_an_online_request_is_confirmed_extended_once_by_another_and_answered(office: Office) -> None:
    number = office.ask()
    with pytest.raises(RuleBroken, match=r"disclosure\.unconfirmed"):
        requests.reply(office.ledger, office.one, number, ground="disclosed", reason="")
    requests.confirm(office.ledger, office.one, number, office.today)
    with pytest.raises(RuleBroken, match=r"disclosure\.confirmed"):
        requests.confirm(office.ledger, office.one, number, office.today)
    with pytest.raises(RuleBroken, match=r"review\.same_person"):
        requests.extend(office.ledger, office.one, number, "征求第三方意见")
    requests.extend(office.ledger, office.two, number, "征求第三方意见")
    with pytest.raises(RuleBroken, match=r"disclosure\.extended"):
        requests.extend(office.ledger, office.two, number, "再次延长")
    requests.reply(office.ledger, office.one, number, ground="separated", reason="删去个人信息", fee_waived=1000)
    with pytest.raises(RuleBroken, match=r"disclosure\.replied"):
        requests.reply(office.ledger, office.one, number, ground="disclosed", reason="")
    row = office.row(number)
    assert (row.outcome, row.ground, row.fee_waived, row.channel) == ("partly_granted", "separated", 1000, "online")


def test_the_annual_table_counts_what_happened(office: Office) -> None:
    before = office.table()
    for channel, ground in ((Channel.IN_PERSON, "disclosed"), (Channel.LETTER, "internal"), (Channel.LETTER, "absent")):
        number = office.register(channel)
        requests.reply(office.ledger, office.two, number, ground=ground, reason="理由", fee_waived=50)
        requests.contest(office.ledger, office.one, Route.REVIEW, number, office.today)
    requests.contest(office.ledger, office.one, Route.APPEAL, None, office.today)
    after = office.table()
    assert {code: after[code] - before[code] for code in after if after[code] != before[code]} == {
        "requests_received": 3,
        "requests_in_person": 1,
        "requests_by_letter": 2,
        "replies_total": 3,
        "replies_granted": 1,
        "replies_refused": 1,
        "replies_other": 1,
        "fee_waived_amount": 150,
        "admin_reviews": 3,
        "appeals_and_reports": 1,
    }
    assert violations(after, after) == ()


def test_only_the_office_acts_and_only_with_days_that_have_come(office: Office) -> None:
    stranger = Actor(account="a-9", roles=frozenset(set(Role) - {Role.CENTRE}), organisation=CODE)
    application = requests.make_application(NAME, CONTACT, TEXT)
    number, tomorrow = office.register(), office.today + timedelta(days=1)
    for act in (
        lambda: requests.register(office.ledger, stranger, Channel.LETTER, application, office.today),
        lambda: requests.confirm(office.ledger, stranger, number, office.today),
        lambda: requests.extend(office.ledger, stranger, number, "x"),
        lambda: requests.reply(office.ledger, stranger, number, ground="disclosed", reason=""),
        lambda: requests.contest(office.ledger, stranger, Route.APPEAL, None, office.today),
        lambda: requests.look(office.ledger, stranger, number),
        lambda: annual.note_print(office.ledger, stranger, bytes(32), "1", office.today),
    ):
        with pytest.raises(NotPermitted):
            act()
    with pytest.raises(RuleBroken, match=r"disclosure\.day"):
        requests.register(office.ledger, office.one, Channel.LETTER, application, tomorrow)
    asked = office.ask()
    with pytest.raises(RuleBroken, match=r"disclosure\.day"):
        requests.confirm(office.ledger, office.one, asked, office.today - timedelta(days=1))
    with pytest.raises(RuleBroken, match=r"disclosure\.number"):
        requests.contest(office.ledger, office.one, Route.LAWSUIT, None, office.today)
    for missing in ("D-2026-NOBODY",):
        with pytest.raises(NotFound):
            requests.reply(office.ledger, office.one, missing, ground="disclosed", reason="")


def test_who_asks_what_for_stands_in_one_table_that_only_the_office_reads(office: Office) -> None:
    """With a control: the same search finds the name in the table that holds it."""
    number = office.register()
    everything = text("SELECT string_agg(convert_from(record, 'UTF8'), '') FROM log.audit_entry")
    rows = text("SELECT string_agg(r::text, '') FROM record.disclosure_request r")
    kept = text("SELECT string_agg(r::text, '') FROM desk.disclosure_applicant r")
    with office.database.connect() as owner:
        for each in (NAME, CONTACT, TEXT):
            assert each not in owner.execute(everything).scalar_one()
            assert each not in owner.execute(rows).scalar_one()
            assert each in owner.execute(kept).scalar_one()
    assert requests.look(office.ledger, office.one, number).name == NAME
    with office.database.connect() as owner:
        assert f"disclosure:{number}" in owner.execute(everything).scalar_one(), "the look is recorded"
    for actor in (Actor(account="a-9", roles=frozenset({Role.SUPERVISOR})), Actor(account="applicant:x")):
        with office.ledger.begin(actor) as uow:
            assert queries.applicant_of(uow.connection, number) is None
    for role in ("trading_reader", "trading_worker", "trading_auditor"):
        with office.database.engine(role).connect() as conn, pytest.raises(ProgrammingError, match="permission denied"):
            conn.execute(kept)


def test_an_address_asks_only_so_often(office: Office) -> None:
    for _ in range(5):
        office.ask("192.0.2.7")
    with pytest.raises(RuleBroken, match=r"attempts\.too_many"):
        office.ask("192.0.2.7")
    office.ask("192.0.2.8")


def test_an_earlier_year_is_declared_once_sound_and_before_the_record(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = column([])
    told = {"proactive_docs": 43, "proactive_docs_web": 43}
    all_years = {"proactive_docs": 356, "proactive_docs_web": 356}
    table = Declared(year=2012, of_year=empty | told, cumulative=empty | all_years)
    office.register()

    def declare(each: Declared, source: str = "2012年度报告") -> None:
        annual.declare(office.ledger, office.one, each, source=source, reason="平台建立之前的年度")

    with pytest.raises(RuleBroken, match=r"annual\.identity"):
        declare(Declared(year=2012, of_year=empty | told, cumulative=empty))
    with pytest.raises(RuleBroken, match=r"annual\.year"):
        declare(Declared(year=office.today.year, of_year=empty, cumulative=empty))
    with pytest.raises(RuleBroken, match=r"annual\.source"):
        declare(table, source=" ")
    declare(table)
    with pytest.raises(RuleBroken, match=r"annual\.declared"):
        declare(table)
    with monkeypatch.context() as other:  # who declares at the same moment has not seen the first either
        other.setattr(annual_queries, "declared", lambda _conn: [])
        with pytest.raises(RuleBroken, match=r"annual\.declared"):
            declare(table)
    with office.ledger.read() as conn:
        assert annual.table_of(conn, 2012).cumulative == empty | all_years
        assert annual.table_of(conn, office.today.year).cumulative["proactive_docs"] == 356
        assert annual.years(conn, office.today)[-1] == 2012
        with pytest.raises(NotFound):
            annual.table_of(conn, 2011)
    with pytest.raises(RuleBroken, match=r"disclosure\.day"):
        requests.contest(office.ledger, office.one, Route.APPEAL, None, date(2012, 12, 31))


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[Connection]:
    """An office in which everything has happened once."""
    with clone(server) as database:
        office = open_office(database)
        annual.declare(
            office.ledger,
            office.one,
            Declared(year=2012, of_year=column([]), cumulative=column([])),
            source="2012年度报告",
            reason="平台建立之前的年度",
        )
        with pytest.MonkeyPatch.context() as patch:  # the print of a document needs no tender here
            patch.setattr(annual_queries, "is_published", lambda _conn, _document: True)
            annual.note_print(office.ledger, office.one, bytes(range(32)), "2026年第1期", office.today)
            with pytest.raises(RuleBroken, match=r"gazette\.printed"):
                annual.note_print(office.ledger, office.one, bytes(range(32)), "2026年第1期", office.today)
            with pytest.raises(RuleBroken, match=r"gazette\.issue"):
                annual.note_print(office.ledger, office.one, bytes(32), " ", office.today)
        with pytest.raises(NotFound):
            annual.note_print(office.ledger, office.one, bytes(32), "2026年第1期", office.today)
        number = office.register()
        requests.extend(office.ledger, office.two, number, "征求意见")
        requests.reply(office.ledger, office.one, number, ground="internal", reason="讨论记录", fee_waived=1)
        requests.contest(office.ledger, office.one, Route.REVIEW, number, office.today)
        asked = office.ask()
        requests.confirm(office.ledger, office.two, asked, office.today)
        office.register()
        with owner_of(database, DISCLOSURE) as conn:
            yield conn


@pytest.mark.parametrize("table", DISCLOSURE, ids=lambda table: table.name)
def test_every_column_is_covered(owner: Connection, table: Table) -> None:
    """``verify-audit`` finds a change of any column (AL1 L11.3)."""
    assert missed_columns(owner, table) == unnamed(table)
