"""Draws: attempts, what was given in them, their trail, papers and calls. Nothing here can name a drawn person."""

from __future__ import annotations

from sqlalchemy import Connection, select

from trading.audit.queries import LoggedRecord, records_of_draw
from trading.audit.tables import log_position
from trading.documents import queries as documents
from trading.documents.tables import document
from trading.experts.queries.values import (
    AnswerRow,
    CallRow,
    DrawRow,
    PaperRow,
    ReasonRow,
    ShareKeyRow,
    StepRow,
    call_of,
    draw_of,
    paper_of,
    share_key_of,
)
from trading.experts.tables import draw, draw_answer, draw_call, draw_paper, draw_reason, draw_share_key, draw_step
from trading.kernel.errors import IntegrityFailure, NotFound
from trading.kernel.signed import SignedDocument


def find_draw(conn: Connection, name: str, attempt: int | None = None) -> DrawRow:
    """Return an attempt of a draw, the newest one by default.

    Raises:
        NotFound: There is none.
    """
    query = select(draw).where(draw.c.draw == name).order_by(draw.c.attempt.desc()).limit(1)
    if attempt is not None:
        query = query.where(draw.c.attempt == attempt)
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFound(name)
    return draw_of(row)


def draws_in(conn: Connection, *states: str) -> list[DrawRow]:
    """Return the attempts in these states, oldest row first."""
    return [
        draw_of(row) for row in conn.execute(select(draw).where(draw.c.state.in_(states)).order_by(draw.c.entry_id))
    ]


def draws_of(conn: Connection, procedure_id: int) -> list[DrawRow]:
    """Return every attempt of every draw of a procedure, oldest first."""
    query = select(draw).where(draw.c.tender_id == procedure_id).order_by(draw.c.specified_at, draw.c.attempt)
    return [draw_of(row) for row in conn.execute(query)]


def disclosed_records(conn: Connection, name: str) -> list[LoggedRecord]:
    """Return the logged records of a draw in log order once it is disclosed; none before, nor of a draw unknown."""
    states = set(conn.execute(select(draw.c.state).where(draw.c.draw == name)).scalars())
    return records_of_draw(conn, name) if states == {"disclosed"} else []


def answers(conn: Connection, name: str, attempt: int, *kinds: str) -> list[AnswerRow]:
    """Return what was given in an attempt, in the order of the entries."""
    query = select(draw_answer).where(draw_answer.c.draw == name, draw_answer.c.attempt == attempt)
    if kinds:
        query = query.where(draw_answer.c.kind.in_(kinds))
    return [
        AnswerRow(
            kind=row.kind,
            party=row.party,
            custodian=row.custodian,
            sha256=bytes(row.sha256).hex(),
            via=row.via,
            entry_id=row.entry_id,
        )
        for row in conn.execute(query.order_by(draw_answer.c.entry_id, draw_answer.c.sha256))
    ]


def steps(conn: Connection, name: str, attempt: int) -> list[StepRow]:
    """Return the trail of an attempt, in the order of its entries."""
    query = select(draw_step).where(draw_step.c.draw == name, draw_step.c.attempt == attempt)
    return [
        StepRow(
            index=row.index_no,
            stratum=row.stratum,
            state=row.state,
            reason_commit=None if row.reason_commit is None else bytes(row.reason_commit),
            at=row.at,
            h=bytes(row.h),
        )
        for row in conn.execute(query.order_by(draw_step.c.entry_id))
    ]


def opened_reasons(conn: Connection, name: str, attempt: int) -> list[ReasonRow]:
    """Return the reasons of an attempt with their log indices, for auditors."""
    same = (
        (draw_step.c.draw == draw_reason.c.draw)
        & (draw_step.c.attempt == draw_reason.c.attempt)
        & (draw_step.c.index_no == draw_reason.c.index_no)
        & (draw_step.c.state == draw_reason.c.state)
    )
    query = (
        select(log_position.c.n, draw_reason.c.reason, draw_reason.c.salt)
        .select_from(draw_reason.join(draw_step, same))
        .outerjoin(log_position, log_position.c.entry_id == draw_step.c.entry_id)
        .where(draw_reason.c.draw == name, draw_reason.c.attempt == attempt)
    )
    return [ReasonRow(n=row.n, reason=row.reason, salt=bytes(row.salt)) for row in conn.execute(query)]


def signed_document(conn: Connection, sha256: str) -> SignedDocument:
    """Return a stored document.

    Raises:
        IntegrityFailure: It is not stored.
    """
    found = documents.get(conn, bytes.fromhex(sha256))
    if found is None:
        raise IntegrityFailure(f"document {sha256} is missing")
    return SignedDocument.from_parts(found.doc, found.sigs)


def documents_of_type(conn: Connection, procedure_id: int | None, typ: str) -> list[bytes]:
    """Return the stored documents of one type of a procedure, or of none, oldest entry first."""
    query = select(document.c.bytes).where(
        document.c.procedure_id.is_not_distinct_from(procedure_id), document.c.typ == typ
    )
    return [bytes(doc) for doc in conn.execute(query.order_by(document.c.entry_id)).scalars()]


def papers(conn: Connection, name: str) -> list[PaperRow]:
    """Return the documents of a draw that are or were collected signatures for, oldest first."""
    query = select(draw_paper).where(draw_paper.c.draw == name).order_by(draw_paper.c.created_at, draw_paper.c.sha256)
    return [paper_of(row) for row in conn.execute(query)]


def find_paper(conn: Connection, sha256: str) -> PaperRow | None:
    """Return a document of a draw that is or was collected signatures for."""
    row = conn.execute(select(draw_paper).where(draw_paper.c.sha256 == bytes.fromhex(sha256))).one_or_none()
    return None if row is None else paper_of(row)


def call_by_code(conn: Connection, digest: bytes) -> CallRow | None:
    """Return the call behind the hash of a code."""
    row = conn.execute(select(draw_call).where(draw_call.c.code_sha256 == digest)).one_or_none()
    return None if row is None else call_of(row)


def calls(conn: Connection, name: str, attempt: int) -> list[CallRow]:
    """Return the calls of an attempt."""
    query = select(draw_call).where(draw_call.c.draw == name, draw_call.c.attempt == attempt)
    return [call_of(row) for row in conn.execute(query.order_by(draw_call.c.called_at))]


def share_keys(conn: Connection, name: str) -> list[ShareKeyRow]:
    """Return the custodians' share keys of a draw, by role and name."""
    query = select(draw_share_key).where(draw_share_key.c.draw == name)
    return [share_key_of(row) for row in conn.execute(query.order_by(draw_share_key.c.role, draw_share_key.c.name))]
