"""Records and desk: parties, procedures, bids, openings, ranking, award, notices.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Tables of schema ``record`` and the column that holds the procedure ("id" for the procedure itself, None for none).
GUARDED = {
    "record.organisation": None,
    "record.signing_key": None,
    "record.calendar_day": None,
    "record.procedure": "id",
    "record.lot": "procedure_id",
    "record.document": "procedure_id",
    "record.custodian_key": "procedure_id",
    "record.notice": "procedure_id",
    "record.bid": "procedure_id",
    "record.bid_version": "procedure_id",
    "record.bid_factor": "procedure_id",
    "record.opening": "procedure_id",
    "record.custodian_answer": "procedure_id",
    "record.opened_bid": "procedure_id",
    "record.ranking": "procedure_id",
    "record.award": "procedure_id",
}

DESK = (
    "account",
    "api_token",
    "challenge",
    "custodian_job",
    "custodian_nonce",
    "draft",
    "bid_fingerprint",
    "part",
)

TABLES = """
CREATE TABLE desk.account (
    id TEXT NOT NULL,
    login TEXT NOT NULL,
    org_code TEXT NOT NULL,
    roles TEXT[] NOT NULL,
    active BOOLEAN NOT NULL,
    CONSTRAINT pk_account PRIMARY KEY (id),
    CONSTRAINT uq_account_login UNIQUE (login)
);

CREATE TABLE desk.api_token (
    sha256 BYTEA NOT NULL,
    account_id TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    expires_at BIGINT NOT NULL,
    CONSTRAINT pk_api_token PRIMARY KEY (sha256)
);

CREATE INDEX ix_api_token_account_id ON desk.api_token (account_id);

CREATE TABLE desk.bid_fingerprint (
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    kind TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    CONSTRAINT pk_bid_fingerprint PRIMARY KEY (procedure_id, lot, stage, kind, sha256)
);

CREATE TABLE desk.challenge (
    challenge BYTEA NOT NULL,
    account_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    CONSTRAINT pk_challenge PRIMARY KEY (challenge)
);

CREATE TABLE desk.custodian_job (
    cursor BIGINT GENERATED ALWAYS AS IDENTITY,
    id TEXT NOT NULL,
    kid TEXT NOT NULL,
    kind TEXT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    custodian INTEGER NOT NULL,
    request BYTEA NOT NULL,
    answered_at BIGINT,
    answer_sha256 BYTEA,
    CONSTRAINT pk_custodian_job PRIMARY KEY (cursor),
    CONSTRAINT uq_custodian_job_id UNIQUE (id)
);

CREATE INDEX ix_custodian_job_kid ON desk.custodian_job (kid);

CREATE TABLE desk.custodian_nonce (
    kid TEXT NOT NULL,
    nonce BYTEA NOT NULL,
    created BIGINT NOT NULL,
    CONSTRAINT pk_custodian_nonce PRIMARY KEY (kid, nonce)
);

CREATE TABLE desk.draft (
    sha256 BYTEA NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    typ TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    sigs BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    h BYTEA,
    CONSTRAINT pk_draft PRIMARY KEY (sha256)
);

CREATE INDEX ix_draft_procedure_id ON desk.draft (procedure_id);

CREATE TABLE desk.part (
    bid_reference TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    size BIGINT NOT NULL,
    stored_at BIGINT NOT NULL,
    CONSTRAINT pk_part PRIMARY KEY (bid_reference, sha256)
);

CREATE TABLE record.bid_factor (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    bid_id BIGINT NOT NULL,
    s_b BYTEA NOT NULL,
    s_c BYTEA,
    via TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    CONSTRAINT pk_bid_factor PRIMARY KEY (id),
    CONSTRAINT fk_bid_factor_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_bid_factor_bid_id UNIQUE (bid_id)
);

CREATE TABLE record.bid_version (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    bid_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    doc_sha256 BYTEA NOT NULL,
    bytes BYTEA NOT NULL,
    sigs BYTEA NOT NULL,
    received_at BIGINT NOT NULL,
    queue_ms BIGINT NOT NULL,
    h BYTEA NOT NULL,
    CONSTRAINT pk_bid_version PRIMARY KEY (id),
    CONSTRAINT uq_bid_version_bid_id_kind_seq UNIQUE (bid_id, kind, seq),
    CONSTRAINT fk_bid_version_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_bid_version_doc_sha256 UNIQUE (doc_sha256)
);

CREATE TABLE record.calendar_day (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    day DATE NOT NULL,
    is_workday BOOLEAN NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    CONSTRAINT pk_calendar_day PRIMARY KEY (id),
    CONSTRAINT fk_calendar_day_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_calendar_day_day UNIQUE (day)
);

CREATE TABLE record.custodian_answer (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    kind TEXT NOT NULL,
    custodian INTEGER NOT NULL,
    order_sha256 BYTEA NOT NULL,
    doc_sha256 BYTEA NOT NULL,
    CONSTRAINT pk_custodian_answer PRIMARY KEY (id),
    CONSTRAINT uq_custodian_answer_procedure_id_lot_stage_kind_custodi_ce18
        UNIQUE (procedure_id, lot, stage, kind, custodian, order_sha256),
    CONSTRAINT fk_custodian_answer_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE TABLE record.custodian_key (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    kid TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    doc_sha256 BYTEA NOT NULL,
    challenge_sha256 BYTEA NOT NULL,
    state TEXT NOT NULL,
    CONSTRAINT pk_custodian_key PRIMARY KEY (id),
    CONSTRAINT uq_custodian_key_procedure_id_lot_stage_kid UNIQUE (procedure_id, lot, stage, kid),
    CONSTRAINT fk_custodian_key_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE TABLE record.document (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT,
    sha256 BYTEA NOT NULL,
    typ TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    sigs BYTEA NOT NULL,
    CONSTRAINT pk_document PRIMARY KEY (id),
    CONSTRAINT fk_document_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_document_procedure_id_sha256 UNIQUE (procedure_id, sha256)
);

CREATE INDEX ix_document_procedure_id ON record.document (procedure_id);

CREATE INDEX ix_document_sha256 ON record.document (sha256);

CREATE INDEX ix_document_entry_id ON record.document (entry_id);

CREATE TABLE record.opened_bid (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    bid_id BIGINT NOT NULL,
    verdict TEXT NOT NULL,
    faults BYTEA NOT NULL,
    manifest_sha256 BYTEA,
    price BYTEA,
    price_sha256 BYTEA,
    CONSTRAINT pk_opened_bid PRIMARY KEY (id),
    CONSTRAINT fk_opened_bid_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_opened_bid_bid_id UNIQUE (bid_id)
);

CREATE TABLE record.organisation (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    code TEXT NOT NULL,
    name_zh TEXT NOT NULL,
    name_en TEXT NOT NULL,
    roles TEXT[] NOT NULL,
    CONSTRAINT pk_organisation PRIMARY KEY (id),
    CONSTRAINT fk_organisation_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_organisation_code UNIQUE (code)
);

CREATE TABLE record.procedure (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    reference TEXT NOT NULL,
    kind TEXT NOT NULL,
    regime TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    edition_id TEXT NOT NULL,
    edition_sha256 BYTEA NOT NULL,
    phase TEXT NOT NULL,
    version INTEGER NOT NULL,
    title_zh TEXT NOT NULL,
    title_en TEXT NOT NULL,
    buyer_code TEXT NOT NULL,
    agency_code TEXT NOT NULL,
    supervisor_code TEXT NOT NULL,
    drafted_by TEXT NOT NULL,
    spec BYTEA NOT NULL,
    published_at BIGINT,
    CONSTRAINT pk_procedure PRIMARY KEY (id),
    CONSTRAINT fk_procedure_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_procedure_reference UNIQUE (reference)
);

CREATE TABLE record.signing_key (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    kid TEXT NOT NULL,
    org_code TEXT NOT NULL,
    role TEXT NOT NULL,
    alg TEXT NOT NULL,
    spki BYTEA NOT NULL,
    status TEXT NOT NULL,
    CONSTRAINT pk_signing_key PRIMARY KEY (id),
    CONSTRAINT fk_signing_key_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_signing_key_kid UNIQUE (kid)
);

CREATE INDEX ix_signing_key_org_code ON record.signing_key (org_code);

CREATE TABLE record.award (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    bid_reference TEXT NOT NULL,
    bidder_code TEXT NOT NULL,
    price BIGINT NOT NULL,
    ranked_h BYTEA NOT NULL,
    CONSTRAINT pk_award PRIMARY KEY (id),
    CONSTRAINT uq_award_procedure_id_lot_stage UNIQUE (procedure_id, lot, stage),
    CONSTRAINT fk_award_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_award_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.bid (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    reference TEXT NOT NULL,
    bidder_code TEXT NOT NULL,
    seq INTEGER NOT NULL,
    head_kind TEXT NOT NULL,
    head_sha256 BYTEA,
    head_h BYTEA,
    policy_sha256 BYTEA,
    received_at BIGINT,
    CONSTRAINT pk_bid PRIMARY KEY (id),
    CONSTRAINT uq_bid_procedure_id_lot_stage_bidder_code UNIQUE (procedure_id, lot, stage, bidder_code),
    CONSTRAINT fk_bid_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_bid_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id),
    CONSTRAINT uq_bid_reference UNIQUE (reference)
);

CREATE TABLE record.lot (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    number TEXT NOT NULL,
    stage TEXT NOT NULL,
    phase TEXT NOT NULL,
    close_at TIMESTAMP WITH TIME ZONE,
    policy_sha256 BYTEA,
    schedule_sha256 BYTEA,
    ceiling BIGINT,
    currency TEXT NOT NULL,
    title_zh TEXT NOT NULL,
    title_en TEXT NOT NULL,
    CONSTRAINT pk_lot PRIMARY KEY (id),
    CONSTRAINT uq_lot_procedure_id_number_stage UNIQUE (procedure_id, number, stage),
    CONSTRAINT fk_lot_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_lot_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.notice (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    bytes BYTEA NOT NULL,
    sigs BYTEA NOT NULL,
    published_at BIGINT NOT NULL,
    CONSTRAINT pk_notice PRIMARY KEY (id),
    CONSTRAINT uq_notice_procedure_id_number UNIQUE (procedure_id, number),
    CONSTRAINT fk_notice_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_notice_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id),
    CONSTRAINT uq_notice_sha256 UNIQUE (sha256)
);

CREATE TABLE record.opening (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    step TEXT NOT NULL,
    order_sha256 BYTEA NOT NULL,
    order_seq INTEGER NOT NULL,
    first_ordered_at BIGINT NOT NULL,
    ordered_at BIGINT NOT NULL,
    factor_ends_at BIGINT,
    factor_list_sha256 BYTEA,
    factor_closed_at BIGINT,
    gaps_at BIGINT,
    gaps TEXT[],
    release_closed_at BIGINT,
    CONSTRAINT pk_opening PRIMARY KEY (id),
    CONSTRAINT uq_opening_procedure_id_lot_stage UNIQUE (procedure_id, lot, stage),
    CONSTRAINT fk_opening_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_opening_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.ranking (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    method TEXT NOT NULL,
    items BYTEA NOT NULL,
    tie BYTEA NOT NULL,
    h BYTEA NOT NULL,
    CONSTRAINT pk_ranking PRIMARY KEY (id),
    CONSTRAINT uq_ranking_procedure_id_lot_stage UNIQUE (procedure_id, lot, stage),
    CONSTRAINT fk_ranking_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_ranking_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);
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
    for table in ("account", "custodian_job", "draft", "part"):
        op.execute(f"GRANT SELECT ON desk.{table} TO trading_reader")
    op.execute("RESET ROLE")


def downgrade() -> None:
    """Drop the tables; only an empty database may be taken down."""
    op.execute("SET ROLE trading_owner")
    for table in reversed(GUARDED):
        op.execute(f"DROP TABLE {table} CASCADE")
    for table in DESK:
        op.execute(f"DROP TABLE desk.{table}")
    op.execute("RESET ROLE")
