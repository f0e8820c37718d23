"""An expert contests what was recorded about him, and the supervisor decides (ED1 D10 b).

Whoever calls could invent an answer to reach the next index. So the supervisor's channel tells every called person what
the record says, with a code of his own; with it, and without an account, he says within the working day that it is
false. The record holds a commitment to his words; the supervisor and auditors read them, the centre does not.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger
from trading.crypto.contact import code_sha256
from trading.experts import queries, store
from trading.experts.model import draw_event
from trading.experts.queries import ContestRow, ToldRow
from trading.experts.service.custodians import attempt_of
from trading.kernel.calendar import WorkCalendar
from trading.kernel.digests import AL1_PERSONAL, tuple_hash
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures import queries as procedures
from trading.procedures.service import work_calendar

OPEN, UPHELD, DISMISSED = "open", "upheld", "dismissed"
MOST_WORDS: Final = 2_000  # characters of a statement
_LONGEST_CODE: Final = 64
_RULE: Final = "ED1 D10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What the page of a code shows: the step, until when it may be contested (ms), and what became of that."""

    told: ToldRow
    ends_at: int
    over: bool
    contest: ContestRow | None


def find(conn: Connection, code: str, at: int) -> Notice | None:
    """Return the notice behind a code, or None; whoever has no code learns nothing by asking."""
    told = queries.told_by_code(conn, code_sha256(code)) if 0 < len(code) <= _LONGEST_CODE else None
    if told is None:
        return None
    ends_at = end_of_day(told.at, work_calendar(conn))
    return Notice(told=told, ends_at=ends_at, over=at >= ends_at, contest=queries.contest_of_step(conn, told.h))


def end_of_day(at: int, calendar: WorkCalendar) -> int:
    """Return the first instant (ms) after the working day of an instant: on a rest day the next working day counts."""
    return calendar.start_of(calendar.workday_from(calendar.date_of(at)) + timedelta(days=1))


def contest(ledger: Ledger, code: str, statement: str) -> None:
    """Record that an expert contests a step about him, with a commitment to his words.

    Raises:
        InvalidInput: ``draw.bad_statement``: empty, or longer than ``MOST_WORDS``.
        RuleBroken: ``draw.code_unknown``; ``draw.contest_late``: the working day is over; ``draw.contested``: this step
            is contested already, or another contest of the index waits for its decision.
    """
    words = statement.strip()
    if not 0 < len(words) <= MOST_WORDS:
        raise InvalidInput("draw.bad_statement", "no statement, or too long")
    with ledger.read() as conn:
        told = queries.told_by_code(conn, code_sha256(code)) if 0 < len(code) <= _LONGEST_CODE else None
        if told is None:
            raise RuleBroken("draw.code_unknown", _RULE)
        seat = next(each.seat for each in queries.calls(conn, told.draw, told.attempt) if each.index == told.index)
    with ledger.begin(Actor(account=f"expert:{seat}", roles=frozenset({Role.EXPERT}))) as uow:
        row = store.lock_draw(uow, told.draw, told.attempt)
        ends_at = end_of_day(told.at, work_calendar(uow.connection))
        if uow.at >= ends_at:
            raise RuleBroken("draw.contest_late", _RULE, ends_at=ends_at)
        same = [each for each in queries.contests(uow.connection, row.draw) if each.attempt == row.attempt]
        if any(each.step_h == told.h or (each.index == told.index and each.state == OPEN) for each in same):
            raise RuleBroken("draw.contested", _RULE)
        salt = secrets.token_bytes(32)
        commit = tuple_hash(AL1_PERSONAL, salt, words.encode())
        body = {"index": told.index, "statement_commit": commit.hex(), "stratum": told.stratum}
        store.add_contest(uow, uow.record(draw_event("contested", attempt_of(row), **body)), row)
        store.add_statement(uow.connection, commit, told.h, salt, words)


def decide(ledger: Ledger, actor: Actor, draw: str, commit: str, *, upheld: bool) -> None:
    """Record the supervisor's decision about a contest.

    An upheld one means that the record is false and the centre at fault (D13): the supervisor decides who sits, within
    the same order.

    Raises:
        NotFound: None such, or the actor is not of the supervisor of the procedure.
        RuleBroken: ``draw.contest_decided``: it is decided already.
    """
    with ledger.begin(actor) as uow:
        found = find_contest(uow.connection, actor, draw, commit)
        row = store.lock_draw(uow, draw, found.attempt)
        if find_contest(uow.connection, actor, draw, commit).state != OPEN:
            raise RuleBroken("draw.contest_decided", _RULE)
        body = {"index": found.index, "stratum": found.stratum, "upheld": upheld}
        recorded = uow.record(draw_event("contest_decided", attempt_of(row), **body))
        store.decide_contest(uow, recorded, commit, UPHELD if upheld else DISMISSED)


def find_contest(conn: Connection, actor: Actor, draw: str, commit: str) -> ContestRow:
    """Return a contest to the supervisor of the procedure, whose words nobody else of the platform reads.

    Raises:
        NotFound: None such, or somebody else asks.
    """
    committee = queries.committee_of_draw(conn, draw)
    supervisor = procedures.by_id(conn, committee.procedure_id).supervisor_code
    found = next((each for each in queries.contests(conn, draw) if each.commit == commit), None)
    if found is None or Role.SUPERVISOR not in actor.roles or actor.organisation != supervisor:
        raise NotFound(commit)
    return found
