"""Log, guard and the two tables of the desk that the write path needs.

The statements of AL1 L3 stand here as printed there. Roles and the empty schemas exist already: ``trading.release``
creates them as superuser, everything below is created by and belongs to ``trading_owner``.
"""

from __future__ import annotations

from alembic import op

from trading.db import run_script

revision = "0001"
down_revision = None

TABLES = """
CREATE SEQUENCE log.audit_entry_id AS bigint CACHE 1;

CREATE TABLE log.audit_entry (
  id           bigint PRIMARY KEY,
  xact         xid8   NOT NULL,
  procedure_id bigint,
  kind         text   NOT NULL,
  record       bytea  NOT NULL CHECK (octet_length(record) BETWEEN 2 AND 1048576),
  nonce        bytea  NOT NULL CHECK (octet_length(nonce) = 32),
  h            bytea  NOT NULL UNIQUE
);
CREATE TABLE log.audit_queue (entry_id bigint PRIMARY KEY REFERENCES log.audit_entry);
CREATE TABLE log.log_position (
  n        bigint PRIMARY KEY CHECK (n >= 0),
  entry_id bigint NOT NULL UNIQUE REFERENCES log.audit_entry,
  p        bytea  NOT NULL CHECK (octet_length(p) = 32),
  t        bigint NOT NULL
);
CREATE TABLE log.sequencer_barrier (one boolean PRIMARY KEY DEFAULT true CHECK (one), beat bigint NOT NULL);
INSERT INTO log.sequencer_barrier (beat) VALUES (0);

-- Which log this database belongs to. A demonstration never becomes a production log, nor the reverse (P13).
CREATE TABLE log.origin (
  one    boolean PRIMARY KEY DEFAULT true CHECK (one),
  origin text    NOT NULL,
  demo   boolean NOT NULL
);

CREATE INDEX audit_entry_procedure ON log.audit_entry (procedure_id, id);
-- Few rows ever; log.on_hold() reads them at every act.
CREATE INDEX audit_entry_hold ON log.audit_entry (id) WHERE kind IN ('clock.hold', 'clock.released');
CREATE INDEX audit_entry_clock ON log.audit_entry (id) WHERE kind = 'clock.state';
CREATE INDEX audit_entry_key ON log.audit_entry (id) WHERE kind IN ('key.registered', 'key.revoked');

CREATE TABLE desk.errand (
  id         bigint PRIMARY KEY,
  name       text   NOT NULL,
  arg        jsonb  NOT NULL,
  due_at     timestamptz NOT NULL,
  done_at    timestamptz,
  rung_at    timestamptz,
  attempts   integer NOT NULL DEFAULT 0,
  last_error text
);
CREATE INDEX errand_due ON desk.errand (due_at) WHERE done_at IS NULL;
CREATE TABLE desk.cursor (name text PRIMARY KEY, n bigint NOT NULL);
"""

GUARD = """
CREATE FUNCTION log.audit_entry_stamp() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.id   := nextval('log.audit_entry_id');
  NEW.xact := pg_current_xact_id();
  NEW.h    := sha256(convert_to('mingbiao/al1/record', 'UTF8') || decode('00', 'hex') || NEW.nonce || NEW.record);
  RETURN NEW;
END $$;

CREATE FUNCTION log.audit_entry_enqueue() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO log.audit_queue VALUES (NEW.id);
  RETURN NULL;
END $$;

CREATE FUNCTION log.refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION '% on %.% is not possible', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- TG_ARGV[0], if given, names the column that holds the procedure id.
CREATE FUNCTION log.guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  pid bigint;
  old_pid bigint;
BEGIN
  IF TG_NARGS = 1 THEN
    EXECUTE format('SELECT ($1).%I', TG_ARGV[0]) INTO pid USING NEW;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF TG_NARGS = 1 THEN
      EXECUTE format('SELECT ($1).%I', TG_ARGV[0]) INTO old_pid USING OLD;
    END IF;
    IF NEW.id IS DISTINCT FROM OLD.id OR pid IS DISTINCT FROM old_pid THEN
      RAISE EXCEPTION 'identity of a row of %.% never changes', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
    END IF;
  END IF;
  PERFORM 1 FROM log.audit_entry e JOIN log.audit_queue q ON q.entry_id = e.id
    WHERE e.id = NEW.entry_id
      AND e.xact = pg_current_xact_id()
      AND e.procedure_id IS NOT DISTINCT FROM pid;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'change of %.% without its audit entry', TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER a_stamp   BEFORE INSERT ON log.audit_entry FOR EACH ROW EXECUTE FUNCTION log.audit_entry_stamp();
CREATE TRIGGER b_enqueue AFTER  INSERT ON log.audit_entry FOR EACH ROW EXECUTE FUNCTION log.audit_entry_enqueue();
CREATE TRIGGER c_frozen  BEFORE UPDATE OR DELETE OR TRUNCATE ON log.audit_entry
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
CREATE TRIGGER c_frozen  BEFORE UPDATE OR DELETE OR TRUNCATE ON log.log_position
  FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
ALTER TABLE log.audit_entry  ENABLE ALWAYS TRIGGER a_stamp;
ALTER TABLE log.audit_entry  ENABLE ALWAYS TRIGGER b_enqueue;
ALTER TABLE log.audit_entry  ENABLE ALWAYS TRIGGER c_frozen;
ALTER TABLE log.log_position ENABLE ALWAYS TRIGGER c_frozen;
"""

TIME = """
CREATE FUNCTION log.platform_time() RETURNS timestamptz LANGUAGE sql AS 'SELECT clock_timestamp()';

-- Any host whose newest clock record is a hold (TE1 T3).
CREATE FUNCTION log.on_hold() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  -- In this language the plan is kept; as LANGUAGE sql it would be made anew at every act.
  RETURN EXISTS (
    SELECT 1 FROM (
      SELECT DISTINCT ON (c.host) c.kind FROM (
        SELECT e.id, e.kind, convert_from(e.record, 'UTF8')::jsonb #>> '{body,host}' AS host
          FROM log.audit_entry e WHERE e.kind IN ('clock.hold', 'clock.released')
      ) c ORDER BY c.host, c.id DESC
    ) newest WHERE newest.kind = 'clock.hold'
  );
END $$;

-- AL1 L4.3 with the window of one lot and stage: read once without a lock, and again when the procedure row is granted.
CREATE FUNCTION log.act_begin(p bigint, l text, s text,
  OUT received_at timestamptz, OUT phase text, OUT close_at timestamptz, OUT hold boolean)
LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'act_begin needs READ COMMITTED';
  END IF;
  received_at := log.platform_time();
  SELECT w.phase, w.close_at INTO act_begin.phase, act_begin.close_at
    FROM record.lot w WHERE w.procedure_id = p AND w.number = l AND w.stage = s;
  IF act_begin.phase = 'open' AND received_at < act_begin.close_at THEN
    PERFORM 1 FROM record.procedure q WHERE q.id = p FOR SHARE;
    SELECT w.phase, w.close_at INTO act_begin.phase, act_begin.close_at
      FROM record.lot w WHERE w.procedure_id = p AND w.number = l AND w.stage = s;
  END IF;
  hold := log.on_hold();
END $$;
"""

GRANTS = """
GRANT SELECT, INSERT (procedure_id, kind, record, nonce) ON log.audit_entry
  TO trading_web, trading_worker, trading_sequencer;
GRANT SELECT ON log.log_position TO trading_web, trading_worker, trading_clock;
GRANT SELECT, DELETE ON log.audit_queue TO trading_sequencer;
GRANT SELECT, INSERT ON log.log_position TO trading_sequencer;
GRANT SELECT, UPDATE ON log.sequencer_barrier TO trading_sequencer;
GRANT SELECT ON log.audit_entry, log.log_position TO trading_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA log TO trading_auditor;
GRANT SELECT ON log.origin TO trading_web, trading_worker, trading_sequencer, trading_reader, trading_clock;
GRANT SELECT, INSERT, UPDATE, DELETE ON desk.errand, desk.cursor TO trading_web, trading_worker;
GRANT SELECT ON desk.errand, desk.cursor TO trading_reader, trading_clock, trading_auditor;
"""


def upgrade() -> None:
    op.execute("SET ROLE trading_owner")
    for script in (TABLES, GUARD, TIME, GRANTS):
        run_script(op.get_bind(), script)
    op.execute("RESET ROLE")


def downgrade() -> None:
    raise RuntimeError("the log has no way down: without it no business row could ever be justified again")
