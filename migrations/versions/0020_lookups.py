"""What publishing a lot looks up has an index, however long the log: jobs, share keys, affiliations (SB1 S3).

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
CREATE INDEX ix_custodian_key_doc_sha256 ON record.custodian_key (doc_sha256);
CREATE INDEX audit_entry_affiliation ON log.audit_entry (id) WHERE kind = 'organisation.affiliation_stated';
"""

BEFORE = """
DROP INDEX log.audit_entry_affiliation;
DROP INDEX record.ix_custodian_key_doc_sha256;
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
