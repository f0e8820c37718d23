"""Read side: answers for everybody, questions for the agency without their askers, own questions for the asker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from trading.clarifications.rules.answering import Content, Effect
from trading.clarifications.tables import answer, question, question_asker
from trading.procedures.tables import procedure


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer; ``number``, ``published_at`` (ms) and ``h`` (hex) are None while it is a draft."""

    question: str
    version: int
    drafted_by: str
    content: Content
    number: int | None
    published_at: int | None
    h: str | None
    lot: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question as it was asked, ``asked_at`` in ms, with its answer if there is one. Nothing tells who asked."""

    reference: str
    procedure: str
    procedure_id: int
    lot: str | None
    text: str
    asked_at: int
    answer: Answer | None

    @property
    def state(self) -> str:
        """Return ``asked``, ``drafted`` or ``published``."""
        if self.answer is None:
            return "asked"
        return "drafted" if self.answer.number is None else "published"


_COLUMNS = (
    question.c.reference,
    procedure.c.reference.label("procedure"),
    question.c.procedure_id,
    question.c.lot,
    question.c.text,
    question.c.asked_at,
    answer.c.version,
    answer.c.drafted_by,
    answer.c.question_zh,
    answer.c.question_en,
    answer.c.answer_zh,
    answer.c.answer_en,
    answer.c.effect,
    answer.c.notice,
    answer.c.number,
    answer.c.published_at,
    answer.c.h,
)
_JOINED = question.join(procedure, procedure.c.id == question.c.procedure_id).outerjoin(
    answer, answer.c.question == question.c.reference
)


def _answer(row: Row[*tuple[Any, ...]]) -> Answer | None:
    if row.version is None:
        return None
    content = Content(
        question_zh=row.question_zh,
        question_en=row.question_en,
        answer_zh=row.answer_zh,
        answer_en=row.answer_en,
        effect=Effect(row.effect),
        notice=row.notice,
    )
    return Answer(
        question=row.reference,
        version=row.version,
        drafted_by=row.drafted_by,
        content=content,
        number=row.number,
        published_at=row.published_at,
        h=None if row.h is None else bytes(row.h).hex(),
        lot=row.lot,
    )


def _question(row: Row[*tuple[Any, ...]]) -> Question:
    return Question(
        reference=row.reference,
        procedure=row.procedure,
        procedure_id=row.procedure_id,
        lot=row.lot,
        text=row.text,
        asked_at=row.asked_at,
        answer=_answer(row),
    )


def published(conn: Connection, reference: str) -> tuple[Answer, ...]:
    """Return the published answers of a procedure, newest first: the only thing that the public sees of questions."""
    query = (
        select(*_COLUMNS)
        .select_from(_JOINED)
        .where(procedure.c.reference == reference, answer.c.number.is_not(None))
        .order_by(answer.c.number.desc())
    )
    return tuple(found for row in conn.execute(query) if (found := _answer(row)) is not None)


def find(conn: Connection, reference: str) -> Question | None:
    """Return one question, or None."""
    query = select(*_COLUMNS).select_from(_JOINED).where(question.c.reference == reference)
    row = conn.execute(query).one_or_none()
    return None if row is None else _question(row)


def of_procedure(conn: Connection, procedure_id: int) -> list[Question]:
    """Return every question of a procedure for its agency.

    Ordered by their random references: the order of arrival could tell who asked two of them in a row.
    """
    query = select(*_COLUMNS).select_from(_JOINED).where(question.c.procedure_id == procedure_id)
    return [_question(row) for row in conn.execute(query.order_by(question.c.reference))]


def newest_number(conn: Connection, procedure_id: int) -> int:
    """Return the number of the newest published answer; 0 before the first."""
    query = select(func.max(answer.c.number)).where(answer.c.procedure_id == procedure_id)
    found: int | None = conn.execute(query).scalar_one()
    return found or 0


def own(conn: Connection, procedure_id: int, organisation: str) -> list[Question]:
    """Return the questions of one organisation, oldest first.

    ``conn`` is a transaction opened for an actor of that organisation: to any other the database shows no row.
    """
    query = (
        select(*_COLUMNS)
        .select_from(_JOINED.join(question_asker, question_asker.c.question == question.c.reference))
        .where(question.c.procedure_id == procedure_id, question_asker.c.org_code == organisation)
        .order_by(question.c.asked_at, question.c.reference)
    )
    return [_question(row) for row in conn.execute(query)]
