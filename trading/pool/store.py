"""Rows of the pool: locks, and writes that take the ``Recorded`` they belong to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection, select, update

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.audit.tables import errand
from trading.kernel.errors import Conflict, NotFound
from trading.kernel.ids import new_row_id
from trading.pool.model import Applied
from trading.pool.tables import (
    appraisal,
    pool_act,
    pool_dossier,
    pool_file,
    pool_import,
    pool_note,
    pool_sanction,
    specialty_tree,
)

_POOL_LOCK = 0x6D62_706C


def lock_pool(uow: UnitOfWork) -> None:
    """Let one application or import be entered at a time, so that nobody is entered twice."""
    uow.connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_POOL_LOCK,))


def lock_files(uow: UnitOfWork, numbers: Collection[str], *states: str) -> None:
    """Lock files, which must be in one of ``states``.

    Raises:
        NotFound: One is unknown.
        Conflict: One has moved on.
    """
    query = select(pool_file.c.number, pool_file.c.state).where(pool_file.c.number.in_(sorted(numbers)))
    found = {
        row.number: row.state for row in uow.connection.execute(query.order_by(pool_file.c.number).with_for_update())
    }
    if missing := set(numbers) - found.keys():
        raise NotFound(min(missing))
    if moved := sorted(number for number, state in found.items() if state not in states):
        raise Conflict(f"{moved[0]} is {found[moved[0]]}")


def add_files(uow: UnitOfWork, recorded: Recorded, files: Iterable[Applied], batch: str | None = None) -> None:
    """Insert the files of some applications."""
    rows = [
        {
            "id": new_row_id(),
            "entry_id": recorded.entry_id,
            "number": each.number,
            "commit": each.commit,
            "regime": each.regime,
            "via": each.via,
            "batch": batch,
            "state": each.state,
        }
        for each in files
    ]
    uow.connection.execute(pool_file.insert(), rows)


def add_dossiers(uow: UnitOfWork, recorded: Recorded, dossiers: Sequence[tuple[str, bytes, str]]) -> None:
    """Insert (number, salt, body)."""
    rows = [
        {"id": new_row_id(), "entry_id": recorded.entry_id, "number": number, "salt": salt, "body": body}
        for number, salt, body in dossiers
    ]
    uow.connection.execute(pool_dossier.insert().inline(), rows)


def replace_dossier(uow: UnitOfWork, recorded: Recorded, number: str, salt: bytes, body: str) -> None:
    """Put a newer dossier in the place of an older one."""
    values = {"entry_id": recorded.entry_id, "salt": salt, "body": body}
    uow.connection.execute(update(pool_dossier).where(pool_dossier.c.number == number).values(**values))


def set_files(uow: UnitOfWork, recorded: Recorded, numbers: Collection[str], **values: object) -> None:
    """Change columns of files."""
    statement = update(pool_file).where(pool_file.c.number.in_(list(numbers)))
    uow.connection.execute(statement.values(entry_id=recorded.entry_id, **values))


def add_act(uow: UnitOfWork, recorded: Recorded, duty: str) -> None:
    """Insert who did it, before anything that the act changes; the database asks whether he holds the duty."""
    row = {"id": new_row_id(), "entry_id": recorded.entry_id, "duty": duty, "what": recorded.kind}
    uow.connection.execute(pool_act.insert().values(**row, by_account=uow.actor.account))


def add_note(uow: UnitOfWork, recorded: Recorded, number: str, salt: bytes, text: str) -> None:
    """Insert the reason of an act."""
    row = {"id": new_row_id(), "entry_id": recorded.entry_id, "number": number, "salt": salt, "text": text}
    uow.connection.execute(pool_note.insert().values(**row))


def add_sanction(uow: UnitOfWork, recorded: Recorded, number: str, **values: object) -> None:
    """Insert a sanction."""
    row = {"id": new_row_id(), "entry_id": recorded.entry_id, "number": number, "at": recorded.at}
    uow.connection.execute(pool_sanction.insert().values(**row, **values))


def add_tree(uow: UnitOfWork, recorded: Recorded, version: int, sha256: bytes) -> None:
    """Insert a published tree."""
    row = {"id": new_row_id(), "entry_id": recorded.entry_id, "version": version, "sha256": sha256}
    uow.connection.execute(specialty_tree.insert().values(**row))


def lock_procedure(uow: UnitOfWork, procedure_id: int) -> None:
    """Let one appraisal of a procedure be entered at a time."""
    uow.connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s, %s)", (_POOL_LOCK, procedure_id % 2**31))


def add_appraisal(uow: UnitOfWork, recorded: Recorded, procedure_id: int, **values: object) -> None:
    """Insert an appraisal."""
    row = {"id": new_row_id(), "entry_id": recorded.entry_id, "procedure_id": procedure_id}
    uow.connection.execute(appraisal.insert().values(**row, **values))


def answer_appraisal(uow: UnitOfWork, recorded: Recorded, seat: str, answer: str, rating: int) -> None:
    """Note what the expert says to his appraisal."""
    values = {"entry_id": recorded.entry_id, "answer": answer, "rating": rating}
    uow.connection.execute(update(appraisal).where(appraisal.c.seat == seat).values(**values))


def lock_appraisal(uow: UnitOfWork, seat: str) -> None:
    """Lock an appraisal that is not answered yet.

    Raises:
        NotFound, Conflict: There is none, or it is answered.
    """
    query = select(appraisal.c.answer).where(appraisal.c.seat == seat).with_for_update()
    row = uow.connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(seat)
    if row.answer is not None:
        raise Conflict(f"{seat} is answered")


def add_import(conn: Connection, **values: object) -> None:
    """Insert an import that waits for its worker."""
    conn.execute(pool_import.insert().values(**values, rows_read=0, rows_good=0, rows_taken=0, state="waiting"))


def set_import(conn: Connection, batch: str, **values: object) -> None:
    """Note how far an import is."""
    conn.execute(update(pool_import).where(pool_import.c.batch == batch).values(**values))


def bytes_of(conn: Connection, batch: str) -> bytes:
    """Return the file of an import."""
    return bytes(conn.execute(select(pool_import.c.bytes).where(pool_import.c.batch == batch)).scalar_one())


def has_errand(conn: Connection, name: str) -> bool:
    """Whether an errand of that name is open."""
    query = select(errand.c.id).where(errand.c.name == name, errand.c.done_at.is_(None)).limit(1)
    return conn.execute(query).first() is not None
