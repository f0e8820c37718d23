"""What a committee finds of quantified deviations, beside its votes and findings (MET-05).

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET ROLE trading_owner")
    for table in ("examination", "examination_vote"):
        op.execute(f"ALTER TABLE record.{table} ADD COLUMN deviations BYTEA")
    op.execute("RESET ROLE")


def downgrade() -> None:
    op.execute("SET ROLE trading_owner")
    for table in ("examination", "examination_vote"):
        op.execute(f"ALTER TABLE record.{table} DROP COLUMN deviations")
    op.execute("RESET ROLE")
