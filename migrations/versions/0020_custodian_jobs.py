"""Jobs of an institution are found by procedure and by what waits, however many it has answered before (SB1 S9).

Revision ID: 0020
Revises: 0019
"""

from __future__ import annotations

from alembic import op

from trading.db import run_script

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

INDEXES = """
DROP INDEX desk.ix_custodian_job_kid;
CREATE INDEX ix_custodian_job_kid_procedure_id ON desk.custodian_job (kid, procedure_id);
CREATE INDEX ix_custodian_job_waiting ON desk.custodian_job (kid, cursor) WHERE answered_at IS NULL;
"""

BEFORE = """
DROP INDEX desk.ix_custodian_job_waiting;
DROP INDEX desk.ix_custodian_job_kid_procedure_id;
CREATE INDEX ix_custodian_job_kid ON desk.custodian_job (kid);
"""


def upgrade() -> None:
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), INDEXES)
    op.execute("RESET ROLE")


def downgrade() -> None:
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), BEFORE)
    op.execute("RESET ROLE")
