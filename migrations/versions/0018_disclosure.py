"""Disclosure on application, and what the annual table counts besides publications (ADR 0075).

Who asks and what for are rows that the database shows to the office of the trading centre alone; nobody changes one.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl, run_script

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

GUARDED = (
    "record.disclosure_request",
    "record.disclosure_contest",
    "record.gazette_print",
    "record.annual_declared",
)

TABLES = """
CREATE TABLE record.disclosure_request (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    number TEXT NOT NULL,
    channel TEXT NOT NULL,
    commit BYTEA NOT NULL,
    asked_at BIGINT NOT NULL,
    received_on TEXT,
    handler TEXT,
    extended_by TEXT,
    extension_reason TEXT,
    outcome TEXT,
    ground TEXT,
    reason TEXT,
    fee_waived BIGINT,
    replied_at BIGINT,
    CONSTRAINT pk_disclosure_request PRIMARY KEY (id),
    CONSTRAINT fk_disclosure_request_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_disclosure_request_number UNIQUE (number)
);

CREATE TABLE record.disclosure_contest (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    route TEXT NOT NULL,
    number TEXT,
    noted_on TEXT NOT NULL,
    CONSTRAINT pk_disclosure_contest PRIMARY KEY (id),
    CONSTRAINT fk_disclosure_contest_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE TABLE record.gazette_print (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    document BYTEA NOT NULL,
    issue TEXT NOT NULL,
    printed_on TEXT NOT NULL,
    CONSTRAINT pk_gazette_print PRIMARY KEY (id),
    CONSTRAINT fk_gazette_print_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_gazette_print_document UNIQUE (document)
);

CREATE TABLE record.annual_declared (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    year INTEGER NOT NULL,
    of_year TEXT NOT NULL,
    cumulative TEXT NOT NULL,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_annual_declared PRIMARY KEY (id),
    CONSTRAINT fk_annual_declared_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_annual_declared_year UNIQUE (year)
);

CREATE TABLE desk.disclosure_applicant (
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    contact TEXT NOT NULL,
    text TEXT NOT NULL,
    salt BYTEA NOT NULL,
    CONSTRAINT pk_disclosure_applicant PRIMARY KEY (number)
);
"""

# ``coalesce``: a transaction without an actor has no roles and sees nothing.
POLICIES = """
ALTER TABLE desk.disclosure_applicant ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk.disclosure_applicant FORCE ROW LEVEL SECURITY;
CREATE POLICY ask ON desk.disclosure_applicant FOR INSERT WITH CHECK (true);
CREATE POLICY office ON desk.disclosure_applicant FOR SELECT
    USING ('centre' = ANY (string_to_array(coalesce(current_setting('mingbiao.roles', true), ''), ',')));
GRANT SELECT, INSERT ON desk.disclosure_applicant TO trading_web;
"""


def upgrade() -> None:
    """Create the tables with their guards, policies and grants."""
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), TABLES)
    for table in GUARDED:
        for statement in guarded_ddl(table, None):
            op.execute(statement)
    run_script(op.get_bind(), POLICIES)
    op.execute("RESET ROLE")


def downgrade() -> None:
    """Drop the tables; only an empty database may be taken down."""
    op.execute("SET ROLE trading_owner")
    for table in ("desk.disclosure_applicant", *reversed(GUARDED)):
        op.execute(f"DROP TABLE {table} CASCADE")
    op.execute("RESET ROLE")
