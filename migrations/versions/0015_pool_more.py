"""What experts declare keeps them out of draws: who is bound to some organisations, and who is away on a day.

Processes that prepare draws learn pool numbers and nothing of a dossier: a function tells them, acting as the owner. A
role that may not call it is refused; rows that it may not read would be missing without a word.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

from alembic import op

from trading.db import run_script

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BOUND = """
CREATE INDEX ix_pool_dossier_bound ON record.pool_dossier
    USING gin (((body::jsonb -> 'employers') || (body::jsonb -> 'relatives')));

CREATE INDEX ix_pool_dossier_away ON record.pool_dossier (number)
    WHERE (body::jsonb ->> 'available') = 'false' OR (body::jsonb ->> 'away_until') IS NOT NULL;

CREATE FUNCTION record.bound_experts(organisations text[], evaluation_on text) RETURNS TABLE (number text, why text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT d.number, 'conflict' FROM record.pool_dossier d
   WHERE ((d.body::jsonb -> 'employers') || (d.body::jsonb -> 'relatives')) ?| organisations
  UNION ALL
  SELECT d.number, 'unavailable' FROM record.pool_dossier d
   WHERE ((d.body::jsonb ->> 'available') = 'false' OR (d.body::jsonb ->> 'away_until') IS NOT NULL)
     AND ((d.body::jsonb ->> 'available') = 'false'
          OR evaluation_on COLLATE "C" BETWEEN d.body::jsonb ->> 'away_from' AND d.body::jsonb ->> 'away_until')
$$;
REVOKE ALL ON FUNCTION record.bound_experts(text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION record.bound_experts(text[], text) TO trading_worker, trading_contact;

-- A call names the specialty in words.
GRANT SELECT ON record.specialty_tree TO trading_contact;
"""


def upgrade() -> None:
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), BOUND)
    op.execute("RESET ROLE")


def downgrade() -> None:
    op.execute("SET ROLE trading_owner")
    op.execute("REVOKE SELECT ON record.specialty_tree FROM trading_contact")
    op.execute("DROP FUNCTION record.bound_experts(text[], text)")
    op.execute("DROP INDEX record.ix_pool_dossier_away, record.ix_pool_dossier_bound")
    op.execute("RESET ROLE")
