"""Clarifications and followed tenders: questions, answers given to all, and apart from them who asked and who follows.

Who asks and who follows a tender are rows that the database shows to one organisation or account alone (NOT-36): the
policies read the actor that ``ledger.begin`` names at the start of its transaction. Nobody may change such a row, and
no role but the web's may read one.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

GUARDED = {"record.question": "procedure_id", "record.answer": "procedure_id"}

TABLES = """
CREATE TABLE record.question (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    reference TEXT NOT NULL,
    lot TEXT,
    text TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    CONSTRAINT pk_question PRIMARY KEY (id),
    CONSTRAINT fk_question_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_question_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id),
    CONSTRAINT uq_question_reference UNIQUE (reference)
);

CREATE INDEX ix_question_procedure_id ON record.question (procedure_id);

CREATE TABLE record.answer (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    question TEXT NOT NULL,
    version INTEGER NOT NULL,
    drafted_by TEXT NOT NULL,
    question_zh TEXT NOT NULL,
    question_en TEXT NOT NULL,
    answer_zh TEXT NOT NULL,
    answer_en TEXT NOT NULL,
    effect TEXT NOT NULL,
    notice INTEGER,
    number INTEGER,
    published_at BIGINT,
    h BYTEA,
    CONSTRAINT pk_answer PRIMARY KEY (id),
    CONSTRAINT fk_answer_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_answer_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id),
    CONSTRAINT uq_answer_question UNIQUE (question),
    CONSTRAINT uq_answer_procedure_id_number UNIQUE (procedure_id, number)
);

CREATE TABLE desk.question_asker (
    question TEXT NOT NULL,
    account_id TEXT NOT NULL,
    org_code TEXT NOT NULL,
    salt BYTEA NOT NULL,
    CONSTRAINT pk_question_asker PRIMARY KEY (question)
);

CREATE TABLE desk.followed_tender (
    account_id TEXT NOT NULL,
    procedure_id BIGINT NOT NULL,
    CONSTRAINT pk_followed_tender PRIMARY KEY (account_id, procedure_id)
);
"""

# The asker writes under the name of its question, so the row it leaves is checked by nobody's organisation; what is
# read afterwards is. ``nullif``: a transaction without an actor has the empty text there and sees nothing.
# A worker reads who follows a tender for one thing: to write to them when its deadline has moved by rule.
POLICIES = """
ALTER TABLE desk.question_asker ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk.question_asker FORCE ROW LEVEL SECURITY;
CREATE POLICY ask ON desk.question_asker FOR INSERT WITH CHECK (true);
CREATE POLICY own ON desk.question_asker FOR SELECT
    USING (org_code = nullif(current_setting('mingbiao.organisation', true), ''));
GRANT SELECT, INSERT ON desk.question_asker TO trading_web;
ALTER TABLE desk.followed_tender ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk.followed_tender FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON desk.followed_tender
    USING (account_id = nullif(current_setting('mingbiao.actor', true), ''));
GRANT SELECT, INSERT, DELETE ON desk.followed_tender TO trading_web;
CREATE POLICY told ON desk.followed_tender FOR SELECT TO trading_worker USING (true);
GRANT SELECT ON desk.followed_tender TO trading_worker;
"""


def upgrade() -> None:
    """Create the tables with their guards, policies and grants."""
    op.execute("SET ROLE trading_owner")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table, column in GUARDED.items():
        for statement in guarded_ddl(table, column):
            op.execute(statement)
    for statement in POLICIES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute("RESET ROLE")


def downgrade() -> None:
    """Drop the tables; only an empty database may be taken down."""
    op.execute("SET ROLE trading_owner")
    for table in ("desk.followed_tender", "desk.question_asker", "record.answer", "record.question"):
        op.execute(f"DROP TABLE {table} CASCADE")
    op.execute("RESET ROLE")
