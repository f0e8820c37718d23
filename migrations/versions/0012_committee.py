"""Votes of a committee about its own time (EXP-19).

Revision ID: 0012
Revises: 0010
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME_VOTE = """
CREATE TABLE record.time_vote (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    round INTEGER NOT NULL,
    seat TEXT NOT NULL,
    CONSTRAINT pk_time_vote PRIMARY KEY (id),
    CONSTRAINT uq_time_vote_procedure_id_round_seat UNIQUE (procedure_id, round, seat),
    CONSTRAINT fk_time_vote_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_time_vote_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
)
"""


def upgrade() -> None:
    """Create the table with its guard."""
    op.execute("SET ROLE trading_owner")
    op.execute(TIME_VOTE)
    for statement in guarded_ddl("record.time_vote", "procedure_id"):
        op.execute(statement)
    op.execute("RESET ROLE")


def downgrade() -> None:
    """Drop the table; only an empty database may be taken down."""
    op.execute("SET ROLE trading_owner")
    op.execute("DROP TABLE record.time_vote CASCADE")
    op.execute("RESET ROLE")
