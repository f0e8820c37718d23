"""What PostgreSQL itself shows of score sheets, asked as every role (EXP-22; the second wall behind the pages)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import ProgrammingError

from tests.support.columns import missed_columns, owner_of, tables_of, unnamed
from tests.support.databases import Database
from tests.support.row_mutations import FEW, RowMutations
from tests.support.sitting import SEATS, Sitting

# Whoever could be asked to look: the processes, the auditor, the owner of the tables.
ROLES = ("trading_web", "trading_worker", "trading_reader", "trading_auditor", "trading_owner")
# Under which name: another member, the agency, the supervisor, nobody.
NAMES = ("expert:m-b2", "a-1", "supervisor", "system:worker", "expert:", "expert:m-a", "")


@contextmanager
def asked(database: Database, role: str, name: str | None) -> Iterator[Connection]:
    owner = role == "trading_owner"  # nobody logs in as the owner; a superuser may become it
    with database.connect("postgres" if owner else role) as conn:
        if owner:
            conn.exec_driver_sql(f"SET ROLE {role}")
        conn.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        if name is not None:
            conn.exec_driver_sql("SELECT set_config('mingbiao.actor', %s, false)", (name,))
        yield conn


def seen(database: Database, role: str, name: str | None, table: str = "record.score_sheet") -> set[str]:
    """Return the seats of the rows that this role sees; an outright refusal shows nothing either."""
    with asked(database, role, name) as conn:
        try:
            return set(conn.exec_driver_sql(f"SELECT seat FROM {table}").scalars())  # noqa: S608 - names of this file
        except ProgrammingError as error:
            assert "permission denied" in str(error)  # noqa: PT017 - either answer is fine
            return set()


@pytest.fixture
def signed(sitting: Sitting) -> Sitting:
    """All have signed; four of five have handed in, the first one after it has changed its sheet."""
    sitting.examine()
    for seat in SEATS:
        sitting.type(seat)
        sitting.sign(seat)
        if seat == "m-a1":
            sitting.type("m-a1", {"bolin": "12"})
            sitting.sign("m-a1", reason="misread")
    sitting.hand_in(*SEATS[:4])
    return sitting


@pytest.mark.parametrize("role", ROLES)
def test_nobody_reads_a_sheet_of_another_seat_before_all_are_in(signed: Sitting, role: str) -> None:
    database = signed.database
    assert database is not None
    for name in (None, *NAMES):
        own = {name.removeprefix("expert:")} & set(SEATS) if name else set()
        assert seen(database, role, name) <= own


def test_a_member_reads_its_own_sheet(signed: Sitting) -> None:
    """Control of the question itself: the same statement, asked under the own name, shows the own rows."""
    assert signed.database is not None
    for role in ("trading_web", "trading_reader"):
        assert seen(signed.database, role, "expert:m-a1") == {"m-a1"}
        assert seen(signed.database, role, "expert:m-e5") == set()


def test_without_the_policy_the_question_would_show_everything(signed: Sitting) -> None:
    """Negative control: the rows are there, and it is the policy that hides them."""
    assert signed.database is not None
    with signed.database.connect() as superuser:
        superuser.exec_driver_sql("ALTER TABLE record.score_sheet DISABLE ROW LEVEL SECURITY")
    assert seen(signed.database, "trading_reader", None) == set(SEATS[:4])


def test_when_all_are_in_everybody_who_may_read_the_record_does(signed: Sitting) -> None:
    assert signed.database is not None
    signed.hand_in("m-e5")
    for role in ("trading_web", "trading_reader", "trading_auditor"):
        assert seen(signed.database, role, None) == set(SEATS)


def test_an_auditor_compares_closed_sheets_by_their_digests(signed: Sitting) -> None:
    """What the view shows is what the members signed for, and a change of a closed sheet is found (ADR 0045)."""
    database = signed.database
    assert database is not None
    with database.connect("trading_auditor") as conn:
        shown = conn.exec_driver_sql("SELECT seat, version, sheet_sha256 FROM record.signed_sheet").all()
        told = conn.exec_driver_sql("SELECT seat, version, sheet_commit FROM record.sheet_signature").all()
        assert set(map(tuple, shown)) < set(map(tuple, told))
        assert (len(shown), len(told)) == (4, 6)
        assert conn.exec_driver_sql("SELECT count(*) FROM record.score_sheet").scalar_one() == 0  # nor afterwards
    for role in ("trading_web", "trading_worker", "trading_reader"):
        with database.connect(role) as conn, pytest.raises(ProgrammingError, match="permission denied"):
            conn.exec_driver_sql("SELECT seat FROM record.signed_sheet")
        with database.connect(role) as conn, pytest.raises(ProgrammingError, match="permission denied"):
            conn.exec_driver_sql("SELECT log.sheet_digests()")
    tables = tables_of("score_sheet", "sheet_signature")
    with owner_of(database, tables) as owner:
        assert missed_columns(owner, tables[0]) == unnamed(tables[0])
        assert RowMutations(owner, tables).missed(FEW) == []


def test_control_a_role_that_only_sets_the_mark_sees_nothing(signed: Sitting) -> None:
    database = signed.database
    assert database is not None
    for role in ("trading_web", "trading_worker", "trading_reader", "trading_auditor"):
        with database.connect(role) as conn:
            conn.exec_driver_sql("SELECT set_config('mingbiao.digest', 'on', false)")
            assert conn.exec_driver_sql("SELECT count(*) FROM record.score_sheet").scalar_one() == 0, role
