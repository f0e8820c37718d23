"""Rows of procedures and lots; the procedure row is always the first lock of a use case (AL1 L4.1)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.kernel.errors import Conflict, NotFound
from trading.kernel.ids import new_row_id
from trading.procedures.queries import LotRow, ProcedureRow, lots_of, procedure_of
from trading.procedures.tables import calendar_day, lot, procedure


def lock_for_update(uow: UnitOfWork, reference: str) -> ProcedureRow:
    """Take the procedure row ``FOR UPDATE``: whatever changes a phase, a schedule or a window (L4.1)."""
    return _locked(uow, reference, read=False)


def lock_for_share(uow: UnitOfWork, reference: str) -> ProcedureRow:
    """Take the procedure row ``FOR SHARE``: an act of a participant inside an open window (L4.1, L4.6)."""
    return _locked(uow, reference, read=True)


def _locked(uow: UnitOfWork, reference: str, *, read: bool) -> ProcedureRow:
    query = select(procedure).where(procedure.c.reference == reference).with_for_update(read=read)
    row = uow.connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(reference)
    return procedure_of(row)


def lots(uow: UnitOfWork, procedure_id: int) -> list[LotRow]:
    """Return the lots of a locked procedure, by number and stage."""
    return lots_of(uow.connection, procedure_id)


def add_procedure(uow: UnitOfWork, recorded: Recorded, procedure_id: int, **values: Any) -> None:  # noqa: ANN401 - columns
    """Insert a drafted procedure."""
    uow.connection.execute(procedure.insert().values(id=procedure_id, entry_id=recorded.entry_id, version=1, **values))


def add_lot(uow: UnitOfWork, recorded: Recorded, procedure_id: int, **values: Any) -> None:  # noqa: ANN401 - columns
    """Insert a lot of a drafted procedure."""
    uow.connection.execute(
        lot.insert().values(id=new_row_id(), entry_id=recorded.entry_id, procedure_id=procedure_id, **values)
    )


def move_procedure(uow: UnitOfWork, recorded: Recorded, row: ProcedureRow, **values: Any) -> None:  # noqa: ANN401 - columns
    """Update the procedure row under ``recorded``; the version grows and a foreign move is a conflict."""
    result = uow.connection.execute(
        procedure.update()
        .where(procedure.c.id == row.id, procedure.c.version == row.version)
        .values(entry_id=recorded.entry_id, version=row.version + 1, **values)
    )
    if result.rowcount != 1:
        raise Conflict(f"procedure {row.reference} was moved by another act")


def move_lot(uow: UnitOfWork, recorded: Recorded, row: LotRow, **values: Any) -> None:  # noqa: ANN401 - columns
    """Update one lot row under ``recorded``."""
    uow.connection.execute(lot.update().where(lot.c.id == row.id).values(entry_id=recorded.entry_id, **values))


def add_calendar_days(uow: UnitOfWork, recorded: Recorded, rows: list[dict[str, Any]]) -> None:
    """Insert calendar rows; a day that exists is changed by ``set_calendar_day``."""
    uow.connection.execute(
        calendar_day.insert().values([{"id": new_row_id(), "entry_id": recorded.entry_id, **row} for row in rows])
    )


def set_calendar_day(uow: UnitOfWork, recorded: Recorded, row: dict[str, Any]) -> bool:
    """Change one day that exists; False if it does not."""
    values = {key: value for key, value in row.items() if key != "day"}
    result = uow.connection.execute(
        calendar_day.update().where(calendar_day.c.day == row["day"]).values(entry_id=recorded.entry_id, **values)
    )
    return result.rowcount == 1
