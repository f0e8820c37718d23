"""The replay names every place where the database differs from its history (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.logs import LogWorld
from tests.support.rows import add_row
from trading.audit.ledger import Ledger
from trading.audit.replay import Fold, Mismatch, Replayed, State, replay
from trading.kernel.events import Event, EventKind, Registry
from trading.kernel.ids import new_row_id
from trading.kernel.roles import Actor
from trading.procedures.tables import lot, procedure

ACTOR = Actor.system("test")
PROCEDURE = new_row_id()


def opened(state: State, record: Mapping[str, Any]) -> None:
    state.row(procedure.name, state.procedure_id)["phase"] = "published"
    state.row(lot.name, record["body"]["lot"], "all").update(phase="open", close_at=record["body"]["close"])


def closed(state: State, record: Mapping[str, Any]) -> None:
    state.row(lot.name, record["body"]["lot"], "all")["phase"] = "closed"


FOLDS: dict[str, Fold] = {"trial.opened": opened, "trial.closed": closed}
TABLES = (Replayed(table=procedure.name, key=("id",)), Replayed(table=lot.name, key=("number", "stage")))


@pytest.fixture
def registry() -> Registry:
    return Registry(
        [
            EventKind(name="trial.opened", fields=frozenset({"lot", "close"})),
            EventKind(name="trial.closed", fields=frozenset({"lot"})),
        ]
    )


@pytest.fixture
def history(world: LogWorld, ledger: Ledger) -> LogWorld:
    """A procedure whose lot 1 was opened and closed; the last act still waits for the sequencer."""
    with ledger.begin(ACTOR) as uow:
        recorded = uow.record(event("trial.opened", lot="1", close=5_000))
        add_row(uow.connection, "procedure", recorded.entry_id, id=PROCEDURE, phase="published")
        add_row(
            uow.connection,
            "lot",
            recorded.entry_id,
            procedure_id=PROCEDURE,
            number="1",
            stage="all",
            phase="open",
            close_at=5_000,
        )
    world.log_everything()
    with ledger.begin(ACTOR) as uow:
        recorded = uow.record(event("trial.closed", lot="1"))
        uow.connection.exec_driver_sql("UPDATE record.lot SET phase = 'closed', entry_id = %s", (recorded.entry_id,))
    return world


def event(kind: str, **body: object) -> Event:
    return Event(kind=kind, subject="lot:1", body=body, procedure_id=PROCEDURE, procedure="T-1")


def mismatches(world: LogWorld, *statements: str) -> list[Mismatch]:
    """Do what only an owner without the guard could do, then replay as the auditor."""
    with world.database.connect() as superuser:
        for table in ("record.lot", "record.procedure", "log.log_position", "log.audit_entry"):
            superuser.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            superuser.exec_driver_sql(statement)
    with world.database.connect("trading_auditor") as auditor:
        return replay(auditor, FOLDS, TABLES)


def places(found: list[Mismatch]) -> set[tuple[str, str]]:
    return {(each.table, each.column) for each in found}


def test_state_is_the_fold_of_its_history(history: LogWorld) -> None:
    assert mismatches(history) == []
    history.log_everything()
    assert mismatches(history) == []


def test_a_silent_change_is_named(history: LogWorld) -> None:
    found = mismatches(history, "UPDATE record.lot SET phase = 'open'")
    assert [(each.table, each.column, each.stored, each.expected) for each in found] == [
        ("lot", "phase", "open", "closed")
    ]
    found = mismatches(history, "UPDATE record.lot SET close_at = close_at + interval '1 second', phase = 'closed'")
    assert places(found) == {("lot", "close_at")}


def test_a_row_that_no_record_explains_is_named(history: LogWorld) -> None:
    columns = "entry_id, procedure_id, phase, close_at, currency, title_zh, title_en"
    extra = f"INSERT INTO record.lot (id, number, stage, {columns}) SELECT 7, '2', stage, {columns} FROM record.lot"  # noqa: S608
    found = mismatches(history, extra)
    assert [(each.table, each.id, each.column) for each in found] == [("lot", 7, "*")]


def test_a_row_that_is_gone_is_named(history: LogWorld) -> None:
    found = mismatches(history, "DELETE FROM record.lot")
    assert [(each.table, each.stored, each.expected) for each in found] == [("lot", None, ("1", "all"))]


def test_a_row_under_a_foreign_entry_is_named(history: LogWorld, ledger: Ledger) -> None:
    with ledger.begin(ACTOR) as uow:
        other = uow.record(Event(kind="trial.closed", subject="lot:1", body={"lot": "9"}, procedure_id=None))
    found = mismatches(history, f"UPDATE record.procedure SET entry_id = {other.entry_id}")  # noqa: S608 - an integer
    assert ("an entry of the same procedure", "entry_id") in {(each.expected, each.column) for each in found}


def test_a_row_under_an_entry_outside_the_log_is_named(history: LogWorld) -> None:
    found = mismatches(history, "DELETE FROM log.audit_queue")
    assert {each.expected for each in found if each.column == "entry_id"} == {"an entry of the log"}


def test_a_record_that_belies_its_kind_is_named(history: LogWorld) -> None:
    found = mismatches(history, "UPDATE log.audit_entry SET kind = 'trial.opened' WHERE kind = 'trial.closed'")
    assert ("audit_entry", "record") in places(found)


def test_a_record_that_cannot_be_applied_is_named(history: LogWorld) -> None:
    for record in ("{}", "no JSON"):
        found = mismatches(history, f"UPDATE log.audit_entry SET record = '{record}' WHERE kind = 'trial.closed'")  # noqa: S608
        assert ("audit_entry", "record") in places(found)
