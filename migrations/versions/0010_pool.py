"""The pool of experts: files, dossiers, acts of regulators and keepers, sanctions, appraisals, specialties, imports.

Who qualifies and disciplines does not keep the pool and draw from it, and the reverse (founding documents A1.16). The
schema says so three times: nobody holds roles of both duties, whatever the jurisdiction; every act names an account
that holds its duty at that moment; and what regulators alone decide is refused without such an act.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl, run_script

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

GUARDED = {
    "record.pool_file": None,
    "record.pool_act": None,
    "record.pool_sanction": None,
    "record.appraisal": "procedure_id",
    "record.specialty_tree": None,
}

DUTIES = """
CREATE TABLE desk.pool_duty (
    subject TEXT NOT NULL,
    duty TEXT NOT NULL CHECK (duty IN ('qualifies', 'keeps')),
    CONSTRAINT pk_pool_duty PRIMARY KEY (subject),
    CONSTRAINT uq_pool_duty_subject_duty UNIQUE (subject, duty)
);

ALTER TABLE record.membership ADD COLUMN duty TEXT GENERATED ALWAYS AS (
    CASE WHEN status <> 'active' THEN NULL
         WHEN role = 'authority' THEN 'qualifies'
         WHEN role IN ('centre', 'desk', 'admin') THEN 'keeps' END
) STORED;

-- Memberships that were given before have their duties, too.
INSERT INTO desk.pool_duty (subject, duty)
    SELECT person, duty FROM record.membership WHERE duty IS NOT NULL
    UNION SELECT org_code, duty FROM record.membership WHERE duty IS NOT NULL;

ALTER TABLE record.membership
    ADD CONSTRAINT fk_membership_person_duty FOREIGN KEY (person, duty) REFERENCES desk.pool_duty (subject, duty),
    ADD CONSTRAINT fk_membership_org_code_duty FOREIGN KEY (org_code, duty) REFERENCES desk.pool_duty (subject, duty);

GRANT SELECT, INSERT, UPDATE, DELETE ON desk.pool_duty TO trading_web, trading_worker;
"""

# The foreign keys hold for a session that replays a replica's changes, too (as those of sides, migration 0003).
ALWAYS = """
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT t.tgname FROM pg_trigger t JOIN pg_constraint c ON c.oid = t.tgconstraint
               WHERE t.tgrelid = 'record.membership'::regclass AND c.conname LIKE 'fk_membership_%_duty' LOOP
    EXECUTE format('ALTER TABLE record.membership ENABLE ALWAYS TRIGGER %I', name);
  END LOOP;
END $$
"""

TABLES = """
CREATE TABLE record.pool_file (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    number TEXT COLLATE "C" NOT NULL,
    commit BYTEA NOT NULL,
    regime TEXT NOT NULL,
    via TEXT NOT NULL CHECK (via IN ('expert', 'unit', 'import')),
    batch TEXT,
    state TEXT NOT NULL CHECK (state IN ('asked', 'waiting', 'admitted', 'refused', 'withdrawn', 'ended')),
    rule TEXT,
    until BIGINT,
    trained_at BIGINT,
    CONSTRAINT pk_pool_file PRIMARY KEY (id),
    CONSTRAINT uq_pool_file_number UNIQUE (number),
    CONSTRAINT fk_pool_file_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE INDEX ix_pool_file_state ON record.pool_file (state, entry_id, number);

CREATE INDEX ix_pool_file_until ON record.pool_file (until, number) WHERE state = 'admitted';

CREATE TABLE record.pool_dossier (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    number TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
    body TEXT NOT NULL,
    name TEXT COLLATE "C" GENERATED ALWAYS AS (body::jsonb ->> 'name') STORED,
    identity_no TEXT COLLATE "C" GENERATED ALWAYS AS (body::jsonb ->> 'identity_no') STORED,
    account TEXT GENERATED ALWAYS AS (body::jsonb ->> 'account') STORED,
    employer TEXT GENERATED ALWAYS AS (body::jsonb ->> 'employer') STORED,
    CONSTRAINT pk_pool_dossier PRIMARY KEY (id),
    CONSTRAINT uq_pool_dossier_number UNIQUE (number),
    CONSTRAINT fk_pool_dossier_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE INDEX ix_pool_dossier_name ON record.pool_dossier (name, number);

CREATE INDEX ix_pool_dossier_identity_no ON record.pool_dossier (identity_no);

CREATE INDEX ix_pool_dossier_account ON record.pool_dossier (account) WHERE account IS NOT NULL;

CREATE INDEX ix_pool_dossier_employer ON record.pool_dossier (employer);

CREATE TABLE record.pool_act (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    duty TEXT NOT NULL CHECK (duty IN ('qualifies', 'keeps')),
    what TEXT NOT NULL,
    by_account TEXT NOT NULL,
    CONSTRAINT pk_pool_act PRIMARY KEY (id),
    CONSTRAINT uq_pool_act_entry_id UNIQUE (entry_id),
    CONSTRAINT fk_pool_act_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE TABLE record.pool_sanction (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    number TEXT COLLATE "C" NOT NULL,
    measure TEXT NOT NULL CHECK (measure IN ('warning', 'fine', 'ban')),
    rule TEXT NOT NULL,
    amount BIGINT,
    until BIGINT,
    at BIGINT NOT NULL,
    CONSTRAINT pk_pool_sanction PRIMARY KEY (id),
    CONSTRAINT uq_pool_sanction_entry_id UNIQUE (entry_id),
    CONSTRAINT fk_pool_sanction_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE INDEX ix_pool_sanction_number ON record.pool_sanction (number);

CREATE TABLE record.pool_note (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    number TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
    text TEXT NOT NULL,
    CONSTRAINT pk_pool_note PRIMARY KEY (id),
    CONSTRAINT uq_pool_note_entry_id_number UNIQUE (entry_id, number),
    CONSTRAINT fk_pool_note_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE TABLE record.appraisal (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    seat TEXT NOT NULL,
    marks TEXT NOT NULL,
    remark TEXT NOT NULL,
    late BOOLEAN NOT NULL,
    answer TEXT,
    rating INTEGER,
    CONSTRAINT pk_appraisal PRIMARY KEY (id),
    CONSTRAINT uq_appraisal_seat UNIQUE (seat),
    CONSTRAINT fk_appraisal_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_appraisal_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE INDEX ix_appraisal_procedure_id ON record.appraisal (procedure_id);

CREATE TABLE record.specialty_tree (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    version INTEGER NOT NULL,
    sha256 BYTEA NOT NULL,
    CONSTRAINT pk_specialty_tree PRIMARY KEY (id),
    CONSTRAINT uq_specialty_tree_version UNIQUE (version),
    CONSTRAINT fk_specialty_tree_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE TABLE desk.pool_import (
    batch TEXT NOT NULL,
    account_id TEXT NOT NULL,
    format TEXT NOT NULL,
    regime TEXT NOT NULL,
    mode TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    state TEXT NOT NULL,
    rows_read INTEGER NOT NULL,
    rows_good INTEGER NOT NULL,
    rows_taken INTEGER NOT NULL,
    report BYTEA,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_pool_import PRIMARY KEY (batch)
);

CREATE INDEX ix_pool_import_account_id ON desk.pool_import (account_id, created_at);

-- The pool number in an opened leaf, which is canonical JSON of ASCII; NULL if the bytes are none, since an index must
-- never keep a row from being looked at.
CREATE FUNCTION record.leaf_number(leaf bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT
    RETURN substring(encode(leaf, 'escape') from '^[{]"id":"([A-Z0-9-]{1,32})"');

CREATE INDEX ix_panel_name_expert ON record.panel_name (record.leaf_number(leaf)) WHERE leaf IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON desk.pool_import TO trading_web, trading_worker;
"""

# Dossiers and notes are personal: their owner, his employer and the regulators read them, and auditors a digest, as
# they do of sealed identities (ADR 0045). ``commit`` is TH of P4.1 over salt and text.
PERSONAL = """
CREATE TRIGGER a_guard BEFORE INSERT OR UPDATE ON record.pool_dossier
    FOR EACH ROW EXECUTE FUNCTION log.guard();
CREATE TRIGGER b_keep BEFORE DELETE OR TRUNCATE ON record.pool_dossier
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
ALTER TABLE record.pool_dossier ENABLE ALWAYS TRIGGER a_guard;
ALTER TABLE record.pool_dossier ENABLE ALWAYS TRIGGER b_keep;
CREATE TRIGGER a_guard BEFORE INSERT OR UPDATE ON record.pool_note
    FOR EACH ROW EXECUTE FUNCTION log.guard();
CREATE TRIGGER b_keep BEFORE DELETE OR TRUNCATE ON record.pool_note
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
ALTER TABLE record.pool_note ENABLE ALWAYS TRIGGER a_guard;
ALTER TABLE record.pool_note ENABLE ALWAYS TRIGGER b_keep;
GRANT SELECT, INSERT, UPDATE ON record.pool_dossier TO trading_web;
GRANT SELECT, INSERT ON record.pool_dossier TO trading_worker;
GRANT SELECT, INSERT ON record.pool_note TO trading_web;
GRANT SELECT ON record.pool_file TO trading_contact;

CREATE FUNCTION record.is_authority() RETURNS boolean LANGUAGE sql STABLE
    RETURN 'authority' = ANY (string_to_array(coalesce(current_setting('mingbiao.roles', true), ''), ','));

ALTER TABLE record.pool_dossier ENABLE ROW LEVEL SECURITY;
CREATE POLICY enter ON record.pool_dossier FOR INSERT WITH CHECK (true);
CREATE POLICY own ON record.pool_dossier FOR SELECT TO trading_web
    USING (account = nullif(current_setting('mingbiao.actor', true), ''));
CREATE POLICY employed ON record.pool_dossier FOR SELECT TO trading_web
    USING (employer = nullif(current_setting('mingbiao.organisation', true), ''));
CREATE POLICY regulator ON record.pool_dossier FOR SELECT TO trading_web USING (record.is_authority());
CREATE POLICY amend ON record.pool_dossier FOR UPDATE TO trading_web
    USING (account = nullif(current_setting('mingbiao.actor', true), '')) WITH CHECK (true);
CREATE POLICY importer ON record.pool_dossier FOR SELECT TO trading_worker USING (true);

ALTER TABLE record.pool_note ENABLE ROW LEVEL SECURITY;
CREATE POLICY enter ON record.pool_note FOR INSERT WITH CHECK (true);
CREATE POLICY regulator ON record.pool_note FOR SELECT TO trading_web USING (record.is_authority());
CREATE POLICY own ON record.pool_note FOR SELECT TO trading_web USING (number IN (
    SELECT d.number FROM record.pool_dossier d WHERE d.account = nullif(current_setting('mingbiao.actor', true), '')));

CREATE VIEW record.kept_dossier WITH (security_barrier) AS
    SELECT id, entry_id, number, sha256(
        convert_to('mingbiao/pool/dossier', 'UTF8') || decode('00', 'hex')
        || int8send(octet_length(salt)) || salt
        || int8send(octet_length(body)) || convert_to(body, 'UTF8')
    ) AS body_commit FROM record.pool_dossier;
CREATE VIEW record.kept_note WITH (security_barrier) AS
    SELECT id, entry_id, number, sha256(
        convert_to('mingbiao/pool/note', 'UTF8') || decode('00', 'hex')
        || int8send(octet_length(salt)) || salt
        || int8send(octet_length(text)) || convert_to(text, 'UTF8')
    ) AS text_commit FROM record.pool_note;
GRANT SELECT ON record.kept_dossier, record.kept_note TO trading_auditor;
"""

# Every act names who did it, and the membership that allowed it stands at that moment.
ACTS = """
CREATE FUNCTION record.require_duty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RAISE EXCEPTION 'an act of the pool is never changed' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.by_account IS DISTINCT FROM current_setting('mingbiao.actor', true) OR NOT EXISTS (
      SELECT 1 FROM record.membership m WHERE m.account_id = NEW.by_account AND m.duty = NEW.duty) THEN
    RAISE EXCEPTION 'account % does not hold the duty %', NEW.by_account, NEW.duty
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER c_duty BEFORE INSERT OR UPDATE ON record.pool_act
    FOR EACH ROW EXECUTE FUNCTION record.require_duty();
ALTER TABLE record.pool_act ENABLE ALWAYS TRIGGER c_duty;

CREATE FUNCTION record.require_regulator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM record.pool_act a WHERE a.entry_id = NEW.entry_id AND a.duty = 'qualifies') THEN
    RAISE EXCEPTION 'only a regulator decides this' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER c_admit BEFORE INSERT ON record.pool_file FOR EACH ROW
    WHEN (NEW.state IN ('admitted', 'refused')) EXECUTE FUNCTION record.require_regulator();
CREATE TRIGGER c_decide BEFORE UPDATE ON record.pool_file FOR EACH ROW
    WHEN ((NEW.state IN ('admitted', 'refused') AND OLD.state <> NEW.state)
          OR (OLD.state = 'admitted' AND NEW.until > OLD.until))
    EXECUTE FUNCTION record.require_regulator();
CREATE TRIGGER c_sanction BEFORE INSERT OR UPDATE ON record.pool_sanction
    FOR EACH ROW EXECUTE FUNCTION record.require_regulator();
ALTER TABLE record.pool_file ENABLE ALWAYS TRIGGER c_admit;
ALTER TABLE record.pool_file ENABLE ALWAYS TRIGGER c_decide;
ALTER TABLE record.pool_sanction ENABLE ALWAYS TRIGGER c_sanction;

-- Whoever keeps the pool or draws from it changes nobody's place in the register.
CREATE FUNCTION record.refuse_keepers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM record.membership m
              WHERE m.account_id = current_setting('mingbiao.actor', true) AND m.duty = 'keeps') THEN
    RAISE EXCEPTION 'who keeps the pool does not change the register' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER d_keepers AFTER INSERT OR UPDATE ON record.expert
    FOR EACH STATEMENT EXECUTE FUNCTION record.refuse_keepers();
ALTER TABLE record.expert ENABLE ALWAYS TRIGGER d_keepers;
"""


def upgrade() -> None:
    """Create the tables with their guards, policies and grants."""
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), DUTIES)
    run_script(op.get_bind(), TABLES)
    for table, column in GUARDED.items():
        for statement in guarded_ddl(table, column):
            op.execute(statement)
    run_script(op.get_bind(), PERSONAL)
    run_script(op.get_bind(), ACTS)
    op.execute("RESET ROLE")
    run_script(op.get_bind(), ALWAYS)


def downgrade() -> None:
    """Drop the tables; only an empty database may be taken down."""
    op.execute("SET ROLE trading_owner")
    op.execute("DROP TRIGGER d_keepers ON record.expert")
    op.execute("DROP VIEW record.kept_note, record.kept_dossier")
    op.execute("DROP INDEX record.ix_panel_name_expert")
    for table in ("record.pool_note", "record.pool_dossier", *reversed(GUARDED)):
        op.execute(f"DROP TABLE {table} CASCADE")
    op.execute("DROP TABLE desk.pool_import")
    for name in ("refuse_keepers()", "require_regulator()", "require_duty()", "is_authority()", "leaf_number(bytea)"):
        op.execute(f"DROP FUNCTION record.{name}")
    op.execute("ALTER TABLE record.membership DROP COLUMN duty")
    op.execute("DROP TABLE desk.pool_duty")
    op.execute("RESET ROLE")
