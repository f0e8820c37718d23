"""For which bids a sheet was signed, and the proof that it is there before any sheet is handed in (ADR 0078).

PostgreSQL takes no sheet before every member who sits has shown that the signed one is there, or has handed it in.

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

from alembic import op

from trading.db import run_script

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# Signatures from before hold neither; nothing is known of them, and the policy lets them hand in as before.
COLUMNS = """
ALTER TABLE record.sheet_signature ADD COLUMN bids TEXT[], ADD COLUMN echo BYTEA;
"""

POLICY = """
CREATE POLICY all_held ON record.score_sheet AS RESTRICTIVE FOR INSERT WITH CHECK (
    EXISTS (SELECT 1 FROM record.scoring s WHERE s.procedure_id = score_sheet.procedure_id
        AND s.lot = score_sheet.lot AND s.stage = score_sheet.stage AND s.opened)
    OR NOT EXISTS (
        SELECT 1 FROM record.sitting t CROSS JOIN LATERAL unnest(t.seats) AS sits(seat)
        JOIN record.sheet_signature g ON g.procedure_id = t.procedure_id AND g.seat = sits.seat
        WHERE t.procedure_id = score_sheet.procedure_id AND g.lot = score_sheet.lot AND g.stage = score_sheet.stage
            AND NOT g.void AND NOT g.handed_in AND g.bids IS NOT NULL AND g.echo IS NULL
            AND NOT EXISTS (SELECT 1 FROM record.sheet_signature n WHERE n.procedure_id = g.procedure_id
                AND n.lot = g.lot AND n.stage = g.stage AND n.seat = g.seat AND NOT n.void AND n.version > g.version)));
"""


def upgrade() -> None:
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), COLUMNS)
    run_script(op.get_bind(), POLICY)
    op.execute("RESET ROLE")


def downgrade() -> None:
    op.execute("SET ROLE trading_owner")
    op.execute("DROP POLICY all_held ON record.score_sheet")
    op.execute("ALTER TABLE record.sheet_signature DROP COLUMN bids, DROP COLUMN echo")
    op.execute("RESET ROLE")
