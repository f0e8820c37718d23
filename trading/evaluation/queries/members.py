"""Read side of an evaluation: rankings, and the sitting of the committee with its findings, votes, sheets and report.

Whoever reads a sheet that is handed in and not open must first say which seat it is, ``as_seat``; nobody
else sees a row (migration 0006).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from trading.evaluation.queries.place import here
from trading.evaluation.rules.examination import Finding, Outcome, Step, Vote, read_deviations
from trading.evaluation.tables import (
    evaluation_report,
    examination,
    examination_vote,
    explanation,
    ranking,
    report_signature,
    sitting,
    time_vote,
)
from trading.kernel.canonical import loads
from trading.openings.model import Place
from trading.procedures.tables import lot as lot_table
from trading.procedures.tables import procedure

_SEEN: Final = ("opened", "evaluated", "determined", "concluded")


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingRow:
    """A stored ranking; ``items`` and ``tie`` as in the record, ``h`` its commitment in hex."""

    method: str
    items: list[dict[str, Any]]
    tie: dict[str, Any] | None
    h: str

    @property
    def first(self) -> dict[str, Any]:
        """Return the item of rank 1."""
        return next(item for item in self.items if item["rank"] == 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingRow:
    """The committee as it sits; instants in ms, ``report_number`` 0 while there is no report to sign."""

    seats: tuple[str, ...]
    started_at: int
    report_number: int
    reported_at: int | None
    sealed_at: int | None  # stopped and sealed since (EXP-18)
    extensions: int  # how often the time was extended (EXP-19)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """A finding that holds, or one that became ``void`` with the replacement of a member (EXP-17)."""

    finding: Finding
    reason: str | None
    void: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationRow:
    """A price that the bidder has to explain; ``due_at`` in ms, ``text`` None until it did."""

    triggers: tuple[str, ...]
    due_at: int
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """A report and its signatures: seat to dissent, None for agreement."""

    number: int
    sha256: str
    signatures: dict[str, str | None]


def ranking_of(conn: Connection, procedure_id: int, lot: str, stage: str) -> RankingRow | None:
    """Return the ranking of a lot and stage, or None."""
    query = select(ranking.c.method, ranking.c["items"], ranking.c.tie, ranking.c.h).where(
        ranking.c.procedure_id == procedure_id, ranking.c.lot == lot, ranking.c.stage == stage
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    items: Any = loads(bytes(row._mapping["items"]))
    tie: Any = loads(bytes(row.tie))
    return RankingRow(method=row.method, items=items, tie=tie, h=bytes(row.h).hex())


def as_seat(conn: Connection, seat: str) -> None:
    """Tell row-level security which seat reads in this transaction; the caller knows whose seat it is."""
    conn.execute(select(func.set_config("mingbiao.actor", member_account(seat), True)))  # noqa: FBT003 - this transaction


def member_account(seat: str) -> str:
    """Return the name under which a member acts: never an account (EXP-14)."""
    return f"expert:{seat}"


def sitting_of(conn: Connection, procedure_id: int) -> SittingRow | None:
    """Return the sitting of a procedure, None before it has begun."""
    row = conn.execute(select(sitting).where(sitting.c.procedure_id == procedure_id)).one_or_none()
    if row is None:
        return None
    return SittingRow(
        seats=tuple(row.seats),
        started_at=row.started_at,
        report_number=row.report_number,
        reported_at=row.reported_at,
        sealed_at=row.sealed_at,
        extensions=row.extensions,
    )


def time_votes(conn: Connection, procedure_id: int, number: int) -> frozenset[str]:
    """Return the seats that found the time too short in one round of the vote."""
    query = select(time_vote.c.seat).where(time_vote.c.procedure_id == procedure_id, time_vote.c.round == number)
    return frozenset(conn.execute(query).scalars())


def procedures_of(conn: Connection, organisation: str | None) -> list[str]:
    """Return the references of an agency's or buyer's procedures of which a lot is opened or further, newest first."""
    query = (
        select(procedure.c.reference)
        .join(lot_table, lot_table.c.procedure_id == procedure.c.id)
        .where(
            (procedure.c.agency_code == organisation) | (procedure.c.buyer_code == organisation),
            lot_table.c.phase.in_(_SEEN),
        )
        .group_by(procedure.c.reference, procedure.c.published_at)
        .order_by(procedure.c.published_at.desc(), procedure.c.reference)
    )
    return list(conn.execute(query).scalars())


def findings_of(conn: Connection, place: Place) -> list[FindingRow]:
    """Return the findings about the bids of a lot, by bid and step."""
    query = select(examination).where(*here(examination, place))
    return [
        FindingRow(
            finding=Finding(bid=row.bid_reference, step=Step(row.step), preference=row.preference, **_found(row)),
            reason=row.reason,
            void=row.void,
        )
        for row in conn.execute(query.order_by(examination.c.bid_reference, examination.c.step))
    ]


def _found(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of findings or votes
    return {"deviations": read_deviations(row.deviations), "outcome": Outcome(row.outcome)}


def votes_of(conn: Connection, place: Place, step: Step) -> dict[str, dict[str, Vote]]:
    """Return the votes of a step that count: bid → seat → vote."""
    query = select(examination_vote).where(
        *here(examination_vote, place), examination_vote.c.step == step, ~examination_vote.c.void
    )
    found: dict[str, dict[str, Vote]] = {}
    for row in conn.execute(query.order_by(examination_vote.c.bid_reference, examination_vote.c.seat)):
        vote = Vote(seat=row.seat, grants=row.grants, reason=row.reason or "", **_found(row))
        found.setdefault(row.bid_reference, {})[row.seat] = vote
    return found


def explanations_of(conn: Connection, place: Place) -> dict[str, ExplanationRow]:
    """Return the prices of a lot that must be explained, by bid."""
    rows = conn.execute(select(explanation).where(*here(explanation, place)))
    return {
        row.bid_reference: ExplanationRow(triggers=tuple(row.triggers), due_at=row.due_at, text=row.text)
        for row in rows
    }


def report_of(conn: Connection, procedure_id: int) -> ReportRow | None:
    """Return the newest report of a procedure with its signatures, None before the first."""
    query = select(evaluation_report).where(evaluation_report.c.procedure_id == procedure_id)
    row = conn.execute(query.order_by(evaluation_report.c.number.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    signed = select(report_signature.c.seat, report_signature.c.dissent).where(
        report_signature.c.procedure_id == procedure_id, report_signature.c.number == row.number
    )
    signatures = {each.seat: each.dissent for each in conn.execute(signed.order_by(report_signature.c.seat))}
    return ReportRow(number=row.number, sha256=bytes(row.sha256).hex(), signatures=signatures)
