"""Rows of committees, their seats and the codes of the seats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.experts.model import Holder
from trading.experts.queries import CommitteeRow, committee_row_of
from trading.experts.tables import committee, committee_member, panel_name, seat_code, seat_holder
from trading.kernel.ids import new_row_id


def lock_committee(uow: UnitOfWork, procedure_id: int) -> CommitteeRow | None:
    """Take the committee's row ``FOR UPDATE``; None before it was planned."""
    query = select(committee).where(committee.c.procedure_id == procedure_id).with_for_update()
    row = uow.connection.execute(query).one_or_none()
    return None if row is None else committee_row_of(row)


def add_committee(uow: UnitOfWork, recorded: Recorded, procedure_id: int, plan_sha256: str) -> None:
    """Insert a planned committee."""
    uow.connection.execute(
        committee.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=procedure_id,
            plan_sha256=bytes.fromhex(plan_sha256),
            state="planned",
        )
    )


def move_committee(uow: UnitOfWork, recorded: Recorded, row: CommitteeRow, **values: Any) -> None:  # noqa: ANN401 - columns
    """Update a committee under ``recorded``."""
    uow.connection.execute(
        committee.update().where(committee.c.id == row.id).values(entry_id=recorded.entry_id, **values)
    )


def add_member(uow: UnitOfWork, recorded: Recorded, procedure_id: int, **values: Any) -> None:  # noqa: ANN401 - columns
    """Insert a seat."""
    uow.connection.execute(
        committee_member.insert().values(
            id=new_row_id(), entry_id=recorded.entry_id, procedure_id=procedure_id, **values
        )
    )


def move_member(uow: UnitOfWork, recorded: Recorded, seat: str, state: str) -> None:
    """Change the state of a seat."""
    row = committee_member.update().where(committee_member.c.seat == seat)
    uow.connection.execute(row.values(entry_id=recorded.entry_id, state=state))


def add_holder(uow: UnitOfWork, recorded: Recorded, procedure_id: int, holder: Holder) -> None:
    """Tie a seat to an account; from now on only that account and the contact service see the row."""
    row = {"id": new_row_id(), "entry_id": recorded.entry_id, "procedure_id": procedure_id}
    values = {"seat": holder.seat, "account": holder.account, "salt": holder.salt}
    uow.connection.execute(seat_holder.insert().inline().values(**row, **values))


def add_name(uow: UnitOfWork, recorded: Recorded, procedure_id: int, **values: Any) -> None:  # noqa: ANN401 - columns
    """Insert the name of a member, after the result."""
    uow.connection.execute(
        panel_name.insert().values(id=new_row_id(), entry_id=recorded.entry_id, procedure_id=procedure_id, **values)
    )


def add_seat_code(conn: Connection, code: bytes, seat: str, bound: bytes | None) -> bool:
    """Keep the hash of a seat code with what ties it to one account link; False if the seat has one."""
    row = insert(seat_code).values(code_sha256=code, seat=seat, binding=bound).on_conflict_do_nothing()
    return conn.execute(row.returning(seat_code.c.seat)).scalar_one_or_none() is not None


def coded_seats(conn: Connection, seats: Iterable[str]) -> set[str]:
    """Return those of these seats that have a code."""
    return set(conn.execute(select(seat_code.c.seat).where(seat_code.c.seat.in_(list(seats)))).scalars())


def held_seats(conn: Connection, seats: Iterable[str]) -> set[str]:
    """Return those of these seats that somebody has signed in to; only the contact service sees all of them."""
    return set(conn.execute(select(seat_holder.c.seat).where(seat_holder.c.seat.in_(list(seats)))).scalars())


def seat_code_of(conn: Connection, code: bytes) -> tuple[str, bytes | None] | None:
    """Return seat and binding behind the hash of a code, without using it up."""
    query = select(seat_code.c.seat, seat_code.c.binding).where(seat_code.c.code_sha256 == code)
    row = conn.execute(query).one_or_none()
    return None if row is None else (row.seat, None if row.binding is None else bytes(row.binding))


def take_seat_code(conn: Connection, code: bytes) -> tuple[str, bytes | None] | None:
    """Use up a seat code: one statement, so that two simultaneous uses cannot both succeed; return seat and binding."""
    row = conn.execute(
        seat_code.delete().where(seat_code.c.code_sha256 == code).returning(seat_code.c.seat, seat_code.c.binding)
    ).one_or_none()
    return None if row is None else (row.seat, None if row.binding is None else bytes(row.binding))
