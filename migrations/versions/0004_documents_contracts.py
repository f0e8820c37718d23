"""Tender documents, contracts, uploads: drafts of the agency, offers, signed contracts, parts of bids on their way.

And which parts the second store has.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

GUARDED = {"record.contract": "procedure_id"}

DESK = ("working_draft", "draft_document", "contract_offer")

# Nobody but the bidder learns of an upload or a part: the reading role, which serves everybody, does not see these.
UNREAD = ("upload", "upload_piece", "copied")

TABLES = """
CREATE TABLE desk.working_draft (
    id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    org_code TEXT NOT NULL,
    reference TEXT,
    state TEXT NOT NULL,
    content BYTEA NOT NULL,
    returned_spec BYTEA,
    returned_reason TEXT,
    author TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    version INTEGER NOT NULL,
    CONSTRAINT pk_working_draft PRIMARY KEY (id)
);

CREATE INDEX ix_working_draft_org_code ON desk.working_draft (org_code);

CREATE INDEX ix_working_draft_reference ON desk.working_draft (reference);

CREATE TABLE desk.draft_document (
    draft_id TEXT NOT NULL,
    name TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    size BIGINT NOT NULL,
    media TEXT NOT NULL,
    added_by TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    CONSTRAINT pk_draft_document PRIMARY KEY (draft_id, name),
    CONSTRAINT fk_draft_document_draft_id_working_draft
        FOREIGN KEY(draft_id) REFERENCES desk.working_draft (id) ON DELETE CASCADE
);

CREATE TABLE desk.contract_offer (
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    bidder_code TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    sigs BYTEA NOT NULL,
    offered_by TEXT NOT NULL,
    offered_at BIGINT NOT NULL,
    CONSTRAINT pk_contract_offer PRIMARY KEY (procedure_id, lot, stage)
);

CREATE INDEX ix_contract_offer_bidder_code ON desk.contract_offer (bidder_code);

CREATE TABLE desk.upload (
    id TEXT NOT NULL,
    bid_reference TEXT NOT NULL,
    name TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    length BIGINT NOT NULL,
    touched_at BIGINT NOT NULL,
    CONSTRAINT pk_upload PRIMARY KEY (id),
    CONSTRAINT uq_upload_bid_reference_sha256 UNIQUE (bid_reference, sha256)
);

CREATE TABLE desk.upload_piece (
    upload_id TEXT NOT NULL,
    start BIGINT NOT NULL,
    size INTEGER NOT NULL,
    name TEXT NOT NULL,
    CONSTRAINT pk_upload_piece PRIMARY KEY (upload_id, start),
    CONSTRAINT fk_upload_piece_upload_id_upload
        FOREIGN KEY(upload_id) REFERENCES desk.upload (id) ON DELETE CASCADE
);

CREATE TABLE desk.copied (
    sha256 BYTEA NOT NULL,
    tried_at BIGINT NOT NULL,
    copied_at BIGINT,
    CONSTRAINT pk_copied PRIMARY KEY (sha256)
);

CREATE TABLE record.contract (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    bidder_code TEXT NOT NULL,
    price BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    signed_at BIGINT NOT NULL,
    filed_at BIGINT,
    filing TEXT,
    CONSTRAINT pk_contract PRIMARY KEY (id),
    CONSTRAINT uq_contract_procedure_id_lot_stage UNIQUE (procedure_id, lot, stage),
    CONSTRAINT fk_contract_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_contract_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE INDEX ix_contract_bidder_code ON record.contract (bidder_code);
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
        op.execute(f"GRANT SELECT ON desk.{table} TO trading_reader")
    for table in UNREAD:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON desk.{table} TO trading_web, trading_worker")
    op.execute("RESET ROLE")


def downgrade() -> None:
    """Drop the tables; only an empty database may be taken down."""
    op.execute("SET ROLE trading_owner")
    for table in reversed(GUARDED):
        op.execute(f"DROP TABLE {table} CASCADE")
    for table in reversed((*DESK, *UNREAD)):
        op.execute(f"DROP TABLE desk.{table}")
    op.execute("RESET ROLE")
