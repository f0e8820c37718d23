"""The scoring desk: pages of opened files as images, with their text (ADR 0067).

Tables of the desk: everything in them is made from files whose list is committed to, and can be made again.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

from alembic import op

from trading.db import run_script

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE desk.opened_drawing (
    bid_reference TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    pages INTEGER NOT NULL,
    finished BOOLEAN NOT NULL,
    CONSTRAINT pk_opened_drawing PRIMARY KEY (bid_reference, sha256)
);

CREATE TABLE desk.opened_page (
    bid_reference TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    number INTEGER NOT NULL,
    large BYTEA,
    small BYTEA,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    text TEXT NOT NULL,
    CONSTRAINT pk_opened_page PRIMARY KEY (bid_reference, sha256, number)
);

GRANT SELECT, INSERT, UPDATE ON desk.opened_drawing TO trading_web, trading_worker;
GRANT SELECT, INSERT ON desk.opened_page TO trading_web, trading_worker;
GRANT SELECT ON desk.opened_drawing, desk.opened_page TO trading_reader;
GRANT SELECT (large, small) ON desk.opened_page TO trading_auditor;
"""


def upgrade() -> None:
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), TABLES)
    op.execute("RESET ROLE")


def downgrade() -> None:
    op.execute("SET ROLE trading_owner")
    op.execute("DROP TABLE desk.opened_page, desk.opened_drawing")
    op.execute("RESET ROLE")
