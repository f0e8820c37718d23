"""Rows of contested steps: the record holds a commitment, the statement stands beside it."""

from __future__ import annotations

from sqlalchemy import Connection

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.experts.queries import DrawRow
from trading.experts.tables import draw_contest, draw_statement
from trading.kernel.ids import new_row_id


def add_contest(uow: UnitOfWork, recorded: Recorded, row: DrawRow) -> None:
    """Insert an open contest under its record."""
    body = recorded.body
    uow.connection.execute(
        draw_contest.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            draw=row.draw,
            attempt=row.attempt,
            index_no=body["index"],
            stratum=body["stratum"],
            statement_commit=bytes.fromhex(body["statement_commit"]),
            state="open",
        )
    )


def add_statement(conn: Connection, commit: bytes, step_h: bytes, salt: bytes, statement: str) -> None:
    """Keep what an expert says about a step; the unique constraint admits one for each step."""
    conn.execute(draw_statement.insert().values(statement_commit=commit, step_h=step_h, salt=salt, statement=statement))


def decide_contest(uow: UnitOfWork, recorded: Recorded, commit: str, state: str) -> None:
    """Close a contest under its decision."""
    row = draw_contest.update().where(draw_contest.c.statement_commit == bytes.fromhex(commit))
    uow.connection.execute(row.values(entry_id=recorded.entry_id, state=state))
