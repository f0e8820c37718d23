"""Masked bidders: the letters of a lot, committed to before anybody reads a bid (ADR 0072).

The seed lies beside the record, because a row of the record is shown to the auditor before it may be known.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MASKING = """
CREATE TABLE record.masking (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    commit BYTEA NOT NULL,
    bids TEXT[] NOT NULL,
    masks BYTEA,
    CONSTRAINT pk_masking PRIMARY KEY (id),
    CONSTRAINT uq_masking_procedure_id_lot_stage UNIQUE (procedure_id, lot, stage),
    CONSTRAINT fk_masking_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_masking_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
)
"""
SEED = """
CREATE TABLE desk.mask_seed (
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    seed BYTEA NOT NULL,
    CONSTRAINT pk_mask_seed PRIMARY KEY (procedure_id, lot, stage)
)
"""


def upgrade() -> None:
    """Create both tables; the seed is for the web role and its reader alone, and never changes."""
    op.execute("SET ROLE trading_owner")
    op.execute(MASKING)
    for statement in guarded_ddl("record.masking", "procedure_id"):
        op.execute(statement)
    op.execute(SEED)
    op.execute("GRANT SELECT, INSERT ON desk.mask_seed TO trading_web")
    op.execute("GRANT SELECT ON desk.mask_seed TO trading_reader")
    op.execute("RESET ROLE")


def downgrade() -> None:
    """Drop the tables; only an empty database may be taken down."""
    op.execute("SET ROLE trading_owner")
    op.execute("DROP TABLE desk.mask_seed")
    op.execute("DROP TABLE record.masking CASCADE")
    op.execute("RESET ROLE")
