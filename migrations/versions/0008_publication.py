"""Publication: what was published where and when, and errands that the relay makes of entries.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

GUARDED = {"record.publication": "procedure_id"}

# One errand a subscriber and entry; an errand that failed too often is parked until the operator looks at it.
TABLES = """
ALTER TABLE desk.errand ADD COLUMN entry_id BIGINT, ADD COLUMN parked_at TIMESTAMP WITH TIME ZONE;

CREATE INDEX audit_entry_watch ON log.audit_entry (id)
    WHERE kind IN ('admin.read', 'witness.missed', 'log.delayed', 'tst.anchored');

CREATE UNIQUE INDEX uq_errand_name_entry_id ON desk.errand (name, entry_id);

CREATE INDEX audit_entry_tst ON log.audit_entry (id) WHERE kind = 'tst.anchored';

CREATE INDEX audit_entry_probe ON log.audit_entry (id) WHERE kind = 'availability.state';

CREATE INDEX audit_entry_probe_lot ON log.audit_entry (id) WHERE kind = 'probe.opened';

CREATE INDEX audit_entry_release ON log.audit_entry (id) WHERE kind = 'release.installed';

CREATE TABLE record.publication (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    channel TEXT NOT NULL,
    number BIGINT NOT NULL,
    entry_h BYTEA NOT NULL,
    sha256 BYTEA NOT NULL,
    url TEXT NOT NULL,
    content BYTEA,
    published_at BIGINT NOT NULL,
    CONSTRAINT pk_publication PRIMARY KEY (id),
    CONSTRAINT fk_publication_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_publication_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id),
    CONSTRAINT uq_publication_entry_h_channel UNIQUE (entry_h, channel),
    CONSTRAINT uq_publication_channel_number UNIQUE (channel, number)
);

CREATE INDEX ix_publication_procedure_id ON record.publication (procedure_id);
"""


def upgrade() -> None:
    """Create the table with its guard, and the columns of the relay."""
    op.execute("SET ROLE trading_owner")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table, column in GUARDED.items():
        for statement in guarded_ddl(table, column):
            op.execute(statement)
    op.execute("RESET ROLE")


def downgrade() -> None:
    """Drop them; only an empty database may be taken down."""
    op.execute("SET ROLE trading_owner")
    op.execute("DROP TABLE record.publication")
    op.execute("DROP INDEX log.audit_entry_release")
    op.execute("DROP INDEX log.audit_entry_probe_lot")
    op.execute("DROP INDEX log.audit_entry_probe")
    op.execute("DROP INDEX log.audit_entry_tst")
    op.execute("DROP INDEX log.audit_entry_watch")
    op.execute("DROP INDEX desk.uq_errand_name_entry_id")
    op.execute("ALTER TABLE desk.errand DROP COLUMN entry_id, DROP COLUMN parked_at")
    op.execute("RESET ROLE")
