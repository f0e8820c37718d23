"""管采分离: nobody stands on both sides in one jurisdiction. The database says so, whoever asks (A2.1, SEP-01)."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from tests.support.databases import Database
from trading.accounts import service as accounts
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.replay import replay
from trading.commands.folds import FOLDS, REPLAYED
from trading.kernel.errors import RuleBroken
from trading.kernel.events import Registry
from trading.kernel.roles import Actor, Role

BUREAU, AGENCY = "12110108MA0DEM0041", "12110108MA0DEM0025"
TRADES = (Role.AGENCY, Role.REVIEWER, Role.CENTRE, Role.BIDDER)
SYSTEM = Actor.system("test")


@pytest.fixture
def registry() -> Registry:
    return REGISTRY


def make(ledger: Ledger, role: Role, *, login: str, org: str, person: str | None = None, where: str = "CN") -> str:
    return accounts.create_account(
        ledger, login=login, org_code=org, roles=(role,), person_id=person, jurisdiction=where
    )


def person_of(ledger: Ledger, account: str) -> str:
    with ledger.upkeep() as conn:
        return str(conn.execute(text("SELECT person FROM desk.account WHERE id = :id"), {"id": account}).scalar_one())


@pytest.mark.parametrize("role", TRADES)
def test_a_person_who_supervises_does_not_trade_there(ledger: Ledger, role: Role) -> None:
    watcher = make(ledger, Role.SUPERVISOR, login="watcher", org=BUREAU)
    same = person_of(ledger, watcher)
    with pytest.raises(RuleBroken) as refused:
        make(ledger, role, login="second", org=AGENCY, person=same)
    assert (refused.value.code, refused.value.rule_id) == ("membership.separated", "SEP-01")
    with pytest.raises(RuleBroken, match="separated"):
        accounts.grant_membership(ledger, SYSTEM, watcher, role)
    assert make(ledger, role, login="elsewhere", org=AGENCY, person=same, where="demo.replay"), "another jurisdiction"


@pytest.mark.parametrize("role", TRADES)
def test_an_organisation_that_supervises_does_not_trade_there(ledger: Ledger, role: Role) -> None:
    make(ledger, Role.SUPERVISOR, login="watcher", org=BUREAU)
    with pytest.raises(RuleBroken, match="separated"):
        make(ledger, role, login="other", org=BUREAU)


@pytest.mark.parametrize("role", [Role.CUSTODIAN, Role.AUDITOR, Role.DESK, Role.EXPERT])
def test_roles_of_neither_side_are_free(ledger: Ledger, role: Role) -> None:
    watcher = make(ledger, Role.SUPERVISOR, login="watcher", org=BUREAU)
    make(ledger, role, login="other", org=BUREAU, person=person_of(ledger, watcher))


def test_after_the_role_has_ended_the_other_side_is_open(ledger: Ledger) -> None:
    account = make(ledger, Role.SUPERVISOR, login="watcher", org=BUREAU)
    accounts.end_membership(ledger, SYSTEM, account, Role.SUPERVISOR, reason="moved on")
    accounts.grant_membership(ledger, SYSTEM, account, Role.AGENCY)
    with pytest.raises(RuleBroken, match="separated"):
        accounts.grant_membership(ledger, SYSTEM, account, Role.SUPERVISOR)


def put(conn: Connection, entry: int, role: str) -> None:
    """Insert a membership by hand, with a genuine entry of the same transaction."""
    conn.execute(
        text(
            "INSERT INTO record.membership (id, entry_id, account_id, person, org_code, role, jurisdiction, status)"
            " VALUES (:entry, :entry, 'a-x', 'p-x', 'ORG', :role, 'CN', 'active')"
        ),
        {"entry": entry, "role": role},
    )


@pytest.mark.parametrize("session", ["origin", "replica"])
def test_not_even_a_superuser_writes_both_sides(database: Database, session: str) -> None:
    """As superuser, also in a session that replays a replica's changes, in which ordinary triggers rest."""
    with database.server.connect(database.name) as conn:
        owner = conn.execution_options(isolation_level="READ COMMITTED")
        for role, accepted in (("supervisor", True), ("agency", False)):
            with owner.begin():
                owner.execute(text(f"SET LOCAL session_replication_role = {session}"))
                for side in ("watches", "trades"):
                    row = "INSERT INTO desk.side VALUES (:who, 'CN', :side) ON CONFLICT DO NOTHING"
                    for who in ("p-x", "ORG"):
                        owner.execute(text(row), {"who": who, "side": side})
                entry = owner.execute(
                    text(
                        "INSERT INTO log.audit_entry (procedure_id, kind, record, nonce)"
                        " VALUES (NULL, 'membership.granted', '{}', sha256(convert_to(:role, 'UTF8'))) RETURNING id"
                    ),
                    {"role": role},
                ).scalar_one()
                if accepted:
                    put(owner, entry, role)
                else:
                    with pytest.raises(IntegrityError, match=r"fk_membership_(person|org_code)_side"):
                        put(owner, entry, role)
                    owner.get_transaction().rollback()  # type: ignore[union-attr]
                    break


def test_an_update_does_not_pass_either(database: Database, ledger: Ledger) -> None:
    make(ledger, Role.SUPERVISOR, login="watcher", org=BUREAU)
    with database.server.connect(database.name) as conn, pytest.raises(IntegrityError):
        conn.execute(text("UPDATE desk.side SET side = 'trades'"))


def test_the_rows_are_the_fold_of_their_records(database: Database, ledger: Ledger) -> None:
    account = make(ledger, Role.AGENCY, login="drafter", org=AGENCY)
    accounts.grant_membership(ledger, SYSTEM, account, Role.REVIEWER)
    accounts.end_membership(ledger, SYSTEM, account, Role.AGENCY, reason="moved on")
    with database.engine("trading_auditor").connect() as conn:
        assert replay(conn, FOLDS, REPLAYED) == []
