"""Sheets are signed by their digest and handed in when all have signed; requests to score again (ADR 0070).

PostgreSQL itself takes no sheet while a member who sits has not signed, and no other bytes than those that were signed.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl, run_script

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE record.sheet_renewal (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    seat TEXT NOT NULL,
    version INTEGER NOT NULL,
    reason TEXT NOT NULL,
    answer TEXT,
    CONSTRAINT pk_sheet_renewal PRIMARY KEY (id),
    CONSTRAINT uq_sheet_renewal_procedure_id_lot_stage_seat_version
        UNIQUE (procedure_id, lot, stage, seat, version),
    CONSTRAINT fk_sheet_renewal_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_sheet_renewal_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);
"""

# Both conditions hold for every role but a superuser, whatever the program believes (EXP-22).
POLICIES = """
CREATE POLICY all_signed ON record.score_sheet AS RESTRICTIVE FOR INSERT WITH CHECK (NOT EXISTS (
    SELECT 1 FROM record.sitting t CROSS JOIN LATERAL unnest(t.seats) AS sits(seat)
    WHERE t.procedure_id = score_sheet.procedure_id AND NOT EXISTS (
        SELECT 1 FROM record.sheet_signature g
        WHERE g.procedure_id = score_sheet.procedure_id AND g.lot = score_sheet.lot AND g.stage = score_sheet.stage
            AND g.seat = sits.seat AND NOT g.void)));
CREATE POLICY committed ON record.score_sheet AS RESTRICTIVE FOR INSERT WITH CHECK (EXISTS (
    SELECT 1 FROM record.sheet_signature g
    WHERE g.procedure_id = score_sheet.procedure_id AND g.lot = score_sheet.lot AND g.stage = score_sheet.stage
        AND g.seat = score_sheet.seat AND g.version = score_sheet.version AND NOT g.void
        AND g.sheet_commit = sha256(score_sheet.bytes)));
"""


def upgrade() -> None:
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), TABLES)
    for statement in guarded_ddl("record.sheet_renewal", "procedure_id"):
        op.execute(statement)
    run_script(op.get_bind(), POLICIES)
    op.execute("RESET ROLE")


def downgrade() -> None:
    op.execute("SET ROLE trading_owner")
    op.execute("DROP POLICY all_signed ON record.score_sheet")
    op.execute("DROP POLICY committed ON record.score_sheet")
    op.execute("DROP TABLE record.sheet_renewal")
    op.execute("RESET ROLE")
