"""Bulletins of months (ADR 0080).

Revision ID: 0022
Revises: 0021
"""

from __future__ import annotations

from alembic import op

from trading.db import run_script

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE desk.bulletin (
    month TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    sha256 BYTEA NOT NULL,
    made_at BIGINT NOT NULL,
    h BYTEA NOT NULL,
    CONSTRAINT pk_bulletin PRIMARY KEY (month)
);
GRANT SELECT ON desk.bulletin TO trading_web, trading_reader;
GRANT SELECT, INSERT ON desk.bulletin TO trading_worker;
"""


def upgrade() -> None:
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), TABLES)
    op.execute("RESET ROLE")


def downgrade() -> None:
    op.execute("SET ROLE trading_owner")
    op.execute("DROP TABLE desk.bulletin")
    op.execute("RESET ROLE")
