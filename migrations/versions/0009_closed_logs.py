"""Closed logs: the one that a database belongs to may be closed and continued in a new one (AL1 L13).

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

from alembic import op

from trading.db import run_script

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# log_position.n counts on through all logs of a database; base is the place of the first entry of a log.
TABLES = """
ALTER TABLE log.origin ADD COLUMN base bigint NOT NULL DEFAULT 0 CHECK (base >= 0);

CREATE TABLE log.closed_log (
  base       bigint PRIMARY KEY CHECK (base >= 0),
  origin     text   NOT NULL UNIQUE,
  size       bigint NOT NULL CHECK (size > 0),
  checkpoint bytea  NOT NULL,
  reason     text   NOT NULL CHECK (reason <> ''),
  closed_at  timestamptz NOT NULL
);

-- What stood behind the final checkpoint of a closed log. No quorum has seen it there; its entries are queued again.
CREATE TABLE log.dropped_position (
  origin   text   NOT NULL REFERENCES log.closed_log (origin),
  n        bigint NOT NULL CHECK (n >= 0),
  entry_id bigint NOT NULL REFERENCES log.audit_entry,
  p        bytea  NOT NULL CHECK (octet_length(p) = 32),
  t        bigint NOT NULL,
  PRIMARY KEY (origin, n)
);

CREATE TRIGGER c_frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON log.closed_log
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
CREATE TRIGGER c_frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON log.dropped_position
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
ALTER TABLE log.closed_log       ENABLE ALWAYS TRIGGER c_frozen;
ALTER TABLE log.dropped_position ENABLE ALWAYS TRIGGER c_frozen;

GRANT SELECT ON log.closed_log
  TO trading_web, trading_worker, trading_sequencer, trading_reader, trading_clock, trading_auditor;
GRANT SELECT ON log.dropped_position TO trading_auditor;
"""


def upgrade() -> None:
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), TABLES)
    op.execute("RESET ROLE")


def downgrade() -> None:
    raise RuntimeError("a closed log stays closed: without this table its receipts would have no log")
