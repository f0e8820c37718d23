"""What records say of questions and answers (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State
from trading.audit.tables import audit_entry
from trading.clarifications.rules.answering import Content
from trading.clarifications.tables import answer, question
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex

REPLAYED: Final = (
    Replayed(table=question.name, key=("reference",)),
    Replayed(table=answer.name, key=("question",)),
)


def _asked(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("question", body["question"]).update(lot=body["lot"], asked_at=record["at"])
    state.facts.setdefault("question_texts", {})[body["question"]] = body["text_sha256"]


def _drafted(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    unpublished = dict.fromkeys(("number", "published_at", "h"), None)
    state.row("answer", body["question"]).update(version=body["version"], drafted_by=record["actor"], **unpublished)
    state.facts.setdefault("answer_contents", {})[body["question"]] = body["content_sha256"]


def _published(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    texts = {name: body[name] for name in Content.__slots__}
    row = state.row("answer", body["question"])
    row.pop("h", None)  # that of this record, which it cannot name itself
    row.update(**texts, version=body["version"], number=body["number"], published_at=record["at"])


FOLDS: Final[Mapping[str, Fold]] = {
    "question.asked": _asked,
    "answer.drafted": _drafted,
    "answer.published": _published,
}


def compare_texts(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield questions and answers whose texts are not those that the records name by their digest."""
    told: Mapping[str, str] = state.facts.get("question_texts", {})
    query = select(question.c.id, question.c.reference, question.c.text)
    for row in conn.execute(query.where(question.c.procedure_id == state.procedure_id)):
        expected = told.get(row.reference)
        if expected is not None and sha256_hex(row.text.encode()) != expected:
            yield Mismatch(table="question", id=row.id, column="text", stored=row.text, expected=expected)
    contents: Mapping[str, str] = state.facts.get("answer_contents", {})
    for row in conn.execute(select(answer).where(answer.c.procedure_id == state.procedure_id)):
        stored = {name: row._mapping[name] for name in Content.__slots__}
        digest = sha256_hex(dumps(stored))  # as ``Content.sha256``; the row may hold what no content can
        expected = contents.get(row.question)
        if expected is not None and digest != expected:
            yield Mismatch(table="answer", id=row.id, column="answer_zh", stored=digest, expected=expected)


def compare_commitments(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield published answers whose commitment is not that of their record."""
    query = select(answer.c.id, answer.c.h, audit_entry.c.h.label("entry_h"), audit_entry.c.record).join(
        audit_entry, audit_entry.c.id == answer.c.entry_id
    )
    for row in conn.execute(query.where(answer.c.procedure_id == state.procedure_id, answer.c.number.is_not(None))):
        published = loads_object(bytes(row.record))["kind"] == "answer.published"
        if not published or row.h is None or bytes(row.h) != bytes(row.entry_h):
            yield Mismatch(table="answer", id=row.id, column="h", stored=row.h, expected=row.entry_h)


COMPARE: Final[tuple[Compare, ...]] = (compare_texts, compare_commitments)
