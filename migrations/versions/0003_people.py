"""People: credentials, sessions, memberships, requests to the desk.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

GUARDED = {"record.membership": None}

DESK = ("person", "credential", "recovery_code", "session", "attempts", "setup_link", "request", "side")

TABLES = """
ALTER TABLE desk.account DROP COLUMN roles;
ALTER TABLE desk.account ADD COLUMN person TEXT NOT NULL;
ALTER TABLE desk.api_token ADD COLUMN id TEXT NOT NULL;
ALTER TABLE desk.api_token ADD COLUMN name TEXT NOT NULL;
ALTER TABLE desk.api_token ADD COLUMN used_at BIGINT;
ALTER TABLE desk.custodian_job ADD COLUMN refused_at BIGINT;
ALTER TABLE desk.custodian_job ADD COLUMN refusal TEXT;

CREATE TABLE desk.person (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    mail TEXT NOT NULL,
    CONSTRAINT pk_person PRIMARY KEY (id)
);

CREATE TABLE desk.credential (
    account_id TEXT NOT NULL,
    password TEXT NOT NULL,
    secret TEXT NOT NULL,
    spent BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    CONSTRAINT pk_credential PRIMARY KEY (account_id)
);

CREATE TABLE desk.recovery_code (
    account_id TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    CONSTRAINT pk_recovery_code PRIMARY KEY (account_id, sha256)
);

CREATE TABLE desk.session (
    id TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    account_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ended_at BIGINT,
    agent TEXT NOT NULL,
    address TEXT NOT NULL,
    CONSTRAINT pk_session PRIMARY KEY (id),
    CONSTRAINT uq_session_sha256 UNIQUE (sha256)
);

CREATE INDEX ix_session_account_id ON desk.session (account_id);

CREATE TABLE desk.attempts (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    window_ms BIGINT NOT NULL,
    count INTEGER NOT NULL,
    CONSTRAINT pk_attempts PRIMARY KEY (kind, key, starts_at, window_ms)
);

CREATE TABLE desk.setup_link (
    sha256 BYTEA NOT NULL,
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    secret TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    CONSTRAINT pk_setup_link PRIMARY KEY (sha256)
);

CREATE INDEX ix_setup_link_account_id ON desk.setup_link (account_id);

CREATE TABLE desk.request (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    asked_by TEXT,
    body BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    first_by TEXT,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_request PRIMARY KEY (id)
);

CREATE TABLE desk.side (
    subject TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('watches', 'trades')),
    CONSTRAINT pk_side PRIMARY KEY (subject, jurisdiction),
    CONSTRAINT uq_side_subject_jurisdiction_side UNIQUE (subject, jurisdiction, side)
);

CREATE TABLE record.membership (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    account_id TEXT NOT NULL,
    person TEXT NOT NULL,
    org_code TEXT NOT NULL,
    role TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    status TEXT NOT NULL,
    side TEXT GENERATED ALWAYS AS (
        CASE WHEN status <> 'active' THEN NULL
             WHEN role IN ('supervisor', 'authority') THEN 'watches'
             WHEN role IN ('agency', 'reviewer', 'centre', 'bidder') THEN 'trades' END
    ) STORED,
    CONSTRAINT pk_membership PRIMARY KEY (id),
    CONSTRAINT fk_membership_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_membership_account_id_role_jurisdiction UNIQUE (account_id, role, jurisdiction),
    CONSTRAINT fk_membership_person_side FOREIGN KEY (person, jurisdiction, side)
        REFERENCES desk.side (subject, jurisdiction, side),
    CONSTRAINT fk_membership_org_code_side FOREIGN KEY (org_code, jurisdiction, side)
        REFERENCES desk.side (subject, jurisdiction, side)
);

CREATE INDEX ix_membership_org_code ON record.membership (org_code);
"""

# The two foreign keys hold for a session that replays a replica's changes, too: not even a superuser passes by setting
# session_replication_role.
ALWAYS = """
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT t.tgname FROM pg_trigger t JOIN pg_constraint c ON c.oid = t.tgconstraint
               WHERE t.tgrelid = 'record.membership'::regclass AND c.conname LIKE 'fk_membership_%_side' LOOP
    EXECUTE format('ALTER TABLE record.membership ENABLE ALWAYS TRIGGER %I', name);
  END LOOP;
END $$
"""


def upgrade() -> None:
    """Create the tables with their guards and grants."""
    op.execute("SET ROLE trading_owner")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table, column in GUARDED.items():
        for statement in guarded_ddl(table, column):
            op.execute(statement)
    for table in DESK:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON desk.{table} TO trading_web, trading_worker")
    op.execute("RESET ROLE")
    op.get_bind().exec_driver_sql(ALWAYS.replace("%", "%%"))


def downgrade() -> None:
    """Drop the tables; only an empty database may be taken down."""
    op.execute("SET ROLE trading_owner")
    op.execute("DROP TABLE record.membership CASCADE")
    for table in DESK:
        op.execute(f"DROP TABLE desk.{table}")
    op.execute("ALTER TABLE desk.custodian_job DROP COLUMN refused_at, DROP COLUMN refusal")
    op.execute("ALTER TABLE desk.api_token DROP COLUMN id, DROP COLUMN name, DROP COLUMN used_at")
    op.execute("ALTER TABLE desk.account DROP COLUMN person, ADD COLUMN roles TEXT[] NOT NULL")
    op.execute("RESET ROLE")
