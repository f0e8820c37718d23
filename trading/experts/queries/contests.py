"""What called experts were told, and what they contest (ED1 D10 b). Nothing here names a person."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Row, select

from trading.experts.tables import draw_contest, draw_statement, draw_step, draw_told


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRow:
    """A step about which its person was told: what the record says, ``at`` in ms."""

    draw: str
    attempt: int
    index: int
    stratum: str
    state: str
    at: int
    h: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestRow:
    """A contested step with the expert's statement, which only supervisor and auditor read; ``state`` as stored."""

    commit: str
    draw: str
    attempt: int
    index: int
    stratum: str
    state: str
    statement: str
    said: str
    said_at: int
    step_h: bytes


def told_by_code(conn: Connection, digest: bytes) -> ToldRow | None:
    """Return the step behind the hash of a code."""
    query = select(draw_step).join(draw_told, draw_step.c.h == draw_told.c.h).where(draw_told.c.code_sha256 == digest)
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    return ToldRow(
        draw=row.draw,
        attempt=row.attempt,
        index=row.index_no,
        stratum=row.stratum,
        state=row.state,
        at=row.at,
        h=bytes(row.h),
    )


_CONTESTS = (
    select(
        draw_contest,
        draw_statement.c.statement,
        draw_statement.c.step_h,
        draw_step.c.state.label("said"),
        draw_step.c.at.label("said_at"),
    )
    .join(draw_statement, draw_statement.c.statement_commit == draw_contest.c.statement_commit)
    .join(draw_step, draw_step.c.h == draw_statement.c.step_h)
)


def contests(conn: Connection, draw: str) -> list[ContestRow]:
    """Return the contests of a draw, oldest first."""
    query = _CONTESTS.where(draw_contest.c.draw == draw).order_by(draw_contest.c.id)
    return [_contest(row) for row in conn.execute(query)]


def contest_of_step(conn: Connection, step_h: bytes) -> ContestRow | None:
    """Return the contest of a step; None if nobody contests it."""
    row = conn.execute(_CONTESTS.where(draw_statement.c.step_h == step_h)).one_or_none()
    return None if row is None else _contest(row)


def _contest(row: Row[tuple[object, ...]]) -> ContestRow:
    found = row._mapping
    return ContestRow(
        commit=bytes(found["statement_commit"]).hex(),
        draw=found["draw"],
        attempt=found["attempt"],
        index=found["index_no"],
        stratum=found["stratum"],
        state=found["state"],
        statement=found["statement"],
        said=found["said"],
        said_at=found["said_at"],
        step_h=bytes(found["step_h"]),
    )
