"""Evaluation: sitting, findings, votes, score sheets under row-level security, reports.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl, run_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

GUARDED = {
    "record.sitting": "procedure_id",
    "record.examination": "procedure_id",
    "record.examination_vote": "procedure_id",
    "record.explanation": "procedure_id",
    "record.sheet_signature": "procedure_id",
    "record.score_sheet": "procedure_id",
    "record.scoring": "procedure_id",
    "record.recheck_explanation": "procedure_id",
    "record.evaluation_report": "procedure_id",
    "record.report_signature": "procedure_id",
}
DESK = ("opened_file",)

TABLES = """
CREATE TABLE desk.opened_file (
    bid_reference TEXT NOT NULL,
    path TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    size BIGINT NOT NULL,
    kind TEXT NOT NULL,
    findings TEXT[] NOT NULL,
    preview TEXT NOT NULL,
    CONSTRAINT pk_opened_file PRIMARY KEY (bid_reference, path)
);

CREATE TABLE record.sitting (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    seats TEXT[] NOT NULL,
    started_at BIGINT NOT NULL,
    report_number INTEGER NOT NULL,
    reported_at BIGINT,
    sealed_at BIGINT,
    extensions INTEGER NOT NULL,
    CONSTRAINT pk_sitting PRIMARY KEY (id),
    CONSTRAINT uq_sitting_procedure_id UNIQUE (procedure_id),
    CONSTRAINT fk_sitting_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_sitting_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.examination (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    bid_reference TEXT NOT NULL,
    step TEXT NOT NULL,
    outcome TEXT NOT NULL,
    preference TEXT,
    reason TEXT,
    void BOOLEAN NOT NULL,
    CONSTRAINT pk_examination PRIMARY KEY (id),
    CONSTRAINT uq_examination_procedure_id_lot_stage_bid_reference_step
        UNIQUE (procedure_id, lot, stage, bid_reference, step),
    CONSTRAINT fk_examination_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_examination_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.examination_vote (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    bid_reference TEXT NOT NULL,
    step TEXT NOT NULL,
    seat TEXT NOT NULL,
    outcome TEXT NOT NULL,
    grants BOOLEAN NOT NULL,
    reason TEXT,
    void BOOLEAN NOT NULL,
    CONSTRAINT pk_examination_vote PRIMARY KEY (id),
    CONSTRAINT uq_examination_vote_procedure_id_lot_stage_bid_referenc_4a2c
        UNIQUE (procedure_id, lot, stage, bid_reference, step, seat),
    CONSTRAINT fk_examination_vote_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_examination_vote_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.explanation (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    bid_reference TEXT NOT NULL,
    triggers TEXT[] NOT NULL,
    due_at BIGINT NOT NULL,
    text TEXT,
    CONSTRAINT pk_explanation PRIMARY KEY (id),
    CONSTRAINT uq_explanation_procedure_id_lot_stage_bid_reference UNIQUE (procedure_id, lot, stage, bid_reference),
    CONSTRAINT fk_explanation_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_explanation_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.sheet_signature (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    seat TEXT NOT NULL,
    version INTEGER NOT NULL,
    sheet_commit BYTEA NOT NULL,
    handed_in BOOLEAN NOT NULL,
    void BOOLEAN NOT NULL,
    CONSTRAINT pk_sheet_signature PRIMARY KEY (id),
    CONSTRAINT uq_sheet_signature_procedure_id_lot_stage_seat_version
        UNIQUE (procedure_id, lot, stage, seat, version),
    CONSTRAINT fk_sheet_signature_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_sheet_signature_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.score_sheet (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    seat TEXT NOT NULL,
    version INTEGER NOT NULL,
    bytes BYTEA NOT NULL,
    CONSTRAINT pk_score_sheet PRIMARY KEY (id),
    CONSTRAINT uq_score_sheet_procedure_id_lot_stage_seat_version UNIQUE (procedure_id, lot, stage, seat, version),
    CONSTRAINT fk_score_sheet_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_score_sheet_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.scoring (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    opened BOOLEAN NOT NULL,
    sheets TEXT[] NOT NULL,
    CONSTRAINT pk_scoring PRIMARY KEY (id),
    CONSTRAINT uq_scoring_procedure_id_lot_stage UNIQUE (procedure_id, lot, stage),
    CONSTRAINT fk_scoring_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_scoring_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.recheck_explanation (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    lot TEXT NOT NULL,
    stage TEXT NOT NULL,
    bid_reference TEXT NOT NULL,
    criterion TEXT NOT NULL,
    seat TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_recheck_explanation PRIMARY KEY (id),
    CONSTRAINT uq_recheck_explanation_procedure_id_lot_stage_bid_refer_c098
        UNIQUE (procedure_id, lot, stage, bid_reference, criterion, seat),
    CONSTRAINT fk_recheck_explanation_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_recheck_explanation_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.evaluation_report (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    sha256 BYTEA NOT NULL,
    CONSTRAINT pk_evaluation_report PRIMARY KEY (id),
    CONSTRAINT uq_evaluation_report_procedure_id_number UNIQUE (procedure_id, number),
    CONSTRAINT fk_evaluation_report_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_evaluation_report_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.report_signature (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    seat TEXT NOT NULL,
    dissent TEXT,
    CONSTRAINT pk_report_signature PRIMARY KEY (id),
    CONSTRAINT uq_report_signature_procedure_id_number_seat UNIQUE (procedure_id, number, seat),
    CONSTRAINT fk_report_signature_entry_id FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_report_signature_procedure_id FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);
"""

# Nobody reads a sheet of another seat before all have signed: no role, not the owner of the table either (EXP-22). The
# actor of a member's act is ``expert:<seat>``; a transaction that names nobody sees nothing.
SECRECY = """
ALTER TABLE record.score_sheet ENABLE ROW LEVEL SECURITY;
ALTER TABLE record.score_sheet FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON record.score_sheet
    USING (current_setting('mingbiao.actor', true) = 'expert:' || seat)
    WITH CHECK (current_setting('mingbiao.actor', true) = 'expert:' || seat);
CREATE POLICY opened ON record.score_sheet FOR SELECT
    USING (EXISTS (SELECT 1 FROM record.scoring s WHERE s.procedure_id = score_sheet.procedure_id
        AND s.lot = score_sheet.lot AND s.stage = score_sheet.stage AND s.opened));
CREATE POLICY digest ON record.score_sheet FOR SELECT TO trading_owner
    USING (current_setting('mingbiao.digest', true) = 'on');
GRANT SELECT, INSERT ON desk.opened_file TO trading_web, trading_worker;
GRANT SELECT ON desk.opened_file TO trading_reader;
GRANT SELECT (sha256, size, kind, findings) ON desk.opened_file TO trading_auditor;
"""

# An auditor compares closed sheets too, by the digest that their signature commits to: what this function tells, acting
# as the owner, is all that he can learn (ADR 0045).
DIGESTS = """
CREATE FUNCTION log.sheet_digests() RETURNS TABLE (id bigint, entry_id bigint, procedure_id bigint, lot text,
        stage text, seat text, version integer, sheet_sha256 bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('mingbiao.digest', 'on', true);
    RETURN QUERY SELECT s.id, s.entry_id, s.procedure_id, s.lot, s.stage, s.seat, s.version, sha256(s.bytes)
        FROM record.score_sheet s;
    PERFORM set_config('mingbiao.digest', '', true);
END $$;
REVOKE ALL ON FUNCTION log.sheet_digests() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log.sheet_digests() TO trading_auditor;
CREATE VIEW record.signed_sheet AS SELECT * FROM log.sheet_digests();
GRANT SELECT ON record.signed_sheet TO trading_auditor;
"""


def upgrade() -> None:
    """Create the tables with their guards, grants and policies."""
    op.execute("SET ROLE trading_owner")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table, column in GUARDED.items():
        for statement in guarded_ddl(table, column):
            op.execute(statement)
    for script in (SECRECY, DIGESTS):
        run_script(op.get_bind(), script)
    op.execute("RESET ROLE")


def downgrade() -> None:
    """Drop the tables; only an empty database may be taken down."""
    op.execute("SET ROLE trading_owner")
    op.execute("DROP VIEW record.signed_sheet")
    op.execute("DROP FUNCTION log.sheet_digests()")
    for table in reversed(GUARDED):
        op.execute(f"DROP TABLE {table} CASCADE")
    for table in DESK:
        op.execute(f"DROP TABLE desk.{table}")
    op.execute("RESET ROLE")
