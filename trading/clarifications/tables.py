"""Questions with the text that was asked, answers in their newest version, and, apart from both, who asked."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Table, Text, UniqueConstraint

from trading.db import entry_column, metadata

question = Table(
    "question",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False),
    Column("reference", Text, nullable=False, unique=True),  # random, so that it counts nothing (NOT-36)
    Column("lot", Text, nullable=True),
    Column("text", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    schema="record",
)

answer = Table(
    "answer",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False),
    Column("question", Text, nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("drafted_by", Text, nullable=False),
    Column("question_zh", Text, nullable=False),
    Column("question_en", Text, nullable=False),
    Column("answer_zh", Text, nullable=False),
    Column("answer_en", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("notice", Integer, nullable=True),
    Column("number", Integer, nullable=True),  # null until it is published
    Column("published_at", BigInteger, nullable=True),
    Column("h", LargeBinary, nullable=True),  # commitment of answer.published
    UniqueConstraint("procedure_id", "number"),
    schema="record",
)

# Row-level security: a row is visible to the organisation in it alone, and nobody changes one (migration 0007).
question_asker = Table(
    "question_asker",
    metadata,
    Column("question", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("org_code", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    schema="desk",
)
