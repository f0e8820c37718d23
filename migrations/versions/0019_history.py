"""Bulk files of open data, and foreign history in a schema of its own (ADR 0076).

The record never refers to what was imported: the schema ``history`` has no key into another one, and none into it.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

from alembic import op

from trading.db import run_script

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE desk.bulk_period (
    name TEXT NOT NULL,
    final BOOLEAN NOT NULL,
    releases BIGINT NOT NULL,
    last BIGINT NOT NULL,
    manifest BYTEA NOT NULL,
    manifest_sha256 BYTEA NOT NULL,
    made_at BIGINT NOT NULL,
    h BYTEA,
    CONSTRAINT pk_bulk_period PRIMARY KEY (name)
);
GRANT SELECT, INSERT, UPDATE ON desk.bulk_period TO trading_web, trading_worker;
GRANT SELECT ON desk.bulk_period TO trading_reader;

CREATE TABLE history.file (
    sha256 BYTEA NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    size BIGINT NOT NULL,
    content_sha256 BYTEA,
    kind TEXT NOT NULL,
    rows BIGINT NOT NULL,
    faults BIGINT NOT NULL,
    tail BYTEA,
    begun_at BIGINT NOT NULL,
    done_at BIGINT,
    CONSTRAINT pk_file PRIMARY KEY (sha256)
);

CREATE TABLE history.row (
    file_sha256 BYTEA NOT NULL,
    number BIGINT NOT NULL,
    lead BYTEA NOT NULL,
    raw BYTEA NOT NULL,
    raw_sha256 BYTEA NOT NULL,
    kind TEXT NOT NULL,
    ocid TEXT,
    release_id TEXT,
    date TEXT,
    title TEXT,
    buyer TEXT,
    words TEXT NOT NULL,
    faults BIGINT NOT NULL,
    CONSTRAINT pk_row PRIMARY KEY (file_sha256, number),
    CONSTRAINT fk_row_file_sha256 FOREIGN KEY (file_sha256) REFERENCES history.file (sha256)
);
CREATE INDEX ix_row_ocid_release_id ON history.row (ocid, release_id);

CREATE TABLE history.fault (
    file_sha256 BYTEA NOT NULL,
    row_number BIGINT NOT NULL,
    number BIGINT NOT NULL,
    code TEXT NOT NULL,
    path TEXT NOT NULL,
    detail TEXT NOT NULL,
    CONSTRAINT pk_fault PRIMARY KEY (file_sha256, row_number, number),
    CONSTRAINT fk_fault_file_sha256_row FOREIGN KEY (file_sha256, row_number)
        REFERENCES history.row (file_sha256, number)
);

GRANT SELECT, INSERT ON history.row, history.fault TO trading_worker;
GRANT SELECT, INSERT, UPDATE ON history.file TO trading_worker;
GRANT SELECT ON history.file, history.row, history.fault TO trading_web, trading_reader;
"""


def upgrade() -> None:
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), TABLES)
    op.execute("RESET ROLE")


def downgrade() -> None:
    op.execute("SET ROLE trading_owner")
    op.execute("DROP TABLE history.fault, history.row, history.file, desk.bulk_period")
    op.execute("RESET ROLE")
