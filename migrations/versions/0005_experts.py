"""Experts: register, draws, committee, messages.

Who may see what is decided here: identities are readable by ``trading_contact`` alone, and which account sits on which
seat only by that account and ``trading_contact`` (security 12). Tables of draws carry no ``procedure_id``: their
records name no procedure until the result (ED1 D5), and the guard compares the two.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from alembic import op

from trading.db import guarded_ddl, run_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

GUARDED = {
    "record.expert": None,
    "record.pool_snapshot": None,
    "record.draw": None,
    "record.draw_answer": None,
    "record.draw_contest": None,
    "record.draw_share_key": None,
    "record.draw_step": None,
    "record.committee": "procedure_id",
    "record.committee_member": "procedure_id",
    "record.seat_holder": "procedure_id",
    "record.panel_name": "procedure_id",
}

DESK = (
    "contact_mail",
    "draw_call",
    "draw_key",
    "draw_paper",
    "draw_reason",
    "draw_statement",
    "draw_told",
    "expert_account",
    "pool_key",
    "seat_code",
)

TABLES = """
CREATE INDEX audit_entry_draw ON log.audit_entry (id) WHERE kind LIKE 'draw.%';

CREATE TABLE desk.contact_mail (
    id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    attempts INTEGER NOT NULL,
    due_at BIGINT NOT NULL,
    last_error TEXT,
    CONSTRAINT pk_contact_mail PRIMARY KEY (id)
);

CREATE INDEX ix_contact_mail_due_at ON desk.contact_mail (due_at) WHERE sent_at IS NULL;

CREATE TABLE desk.draw_call (
    code_sha256 BYTEA NOT NULL,
    draw TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    index_no BIGINT NOT NULL,
    stratum TEXT NOT NULL,
    seat TEXT NOT NULL,
    called_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    meeting BYTEA NOT NULL,
    CONSTRAINT pk_draw_call PRIMARY KEY (code_sha256),
    CONSTRAINT uq_draw_call_draw_attempt_index_no UNIQUE (draw, attempt, index_no)
);

CREATE TABLE desk.draw_key (
    draw TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    sealed BYTEA NOT NULL,
    CONSTRAINT pk_draw_key PRIMARY KEY (draw, attempt)
);

CREATE TABLE desk.draw_paper (
    sha256 BYTEA NOT NULL,
    draw TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    typ TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    sigs BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    h BYTEA,
    CONSTRAINT pk_draw_paper PRIMARY KEY (sha256)
);

CREATE INDEX ix_draw_paper_draw ON desk.draw_paper (draw);

CREATE TABLE desk.draw_reason (
    draw TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    index_no BIGINT NOT NULL,
    state TEXT NOT NULL,
    salt BYTEA NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_draw_reason PRIMARY KEY (draw, attempt, index_no, state)
);

CREATE TABLE desk.draw_statement (
    statement_commit BYTEA NOT NULL,
    step_h BYTEA NOT NULL,
    salt BYTEA NOT NULL,
    statement TEXT NOT NULL,
    CONSTRAINT pk_draw_statement PRIMARY KEY (statement_commit),
    CONSTRAINT uq_draw_statement_step_h UNIQUE (step_h)
);

CREATE TABLE desk.draw_told (
    h BYTEA NOT NULL,
    code_sha256 BYTEA NOT NULL,
    CONSTRAINT pk_draw_told PRIMARY KEY (h),
    CONSTRAINT uq_draw_told_code_sha256 UNIQUE (code_sha256)
);

CREATE TABLE desk.expert_account (
    account_id TEXT NOT NULL,
    link BYTEA NOT NULL,
    CONSTRAINT pk_expert_account PRIMARY KEY (account_id),
    CONSTRAINT uq_expert_account_link UNIQUE (link)
);

CREATE TABLE desk.pool_key (
    seq INTEGER NOT NULL,
    key BYTEA NOT NULL,
    CONSTRAINT pk_pool_key PRIMARY KEY (seq)
);

CREATE TABLE desk.seat_code (
    code_sha256 BYTEA NOT NULL,
    seat TEXT NOT NULL,
    binding BYTEA,
    CONSTRAINT pk_seat_code PRIMARY KEY (code_sha256),
    CONSTRAINT uq_seat_code_seat UNIQUE (seat)
);

CREATE TABLE record.expert (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    expert_id TEXT NOT NULL,
    strata TEXT[] NOT NULL,
    unit TEXT NOT NULL,
    state TEXT NOT NULL,
    CONSTRAINT pk_expert PRIMARY KEY (id),
    CONSTRAINT fk_expert_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_expert_expert_id UNIQUE (expert_id)
);

CREATE TABLE record.expert_identity (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    expert_id TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    CONSTRAINT pk_expert_identity PRIMARY KEY (id),
    CONSTRAINT fk_expert_identity_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE INDEX ix_expert_identity_expert_id ON record.expert_identity (expert_id);

CREATE TABLE record.pool_snapshot (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    register_size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    size BIGINT NOT NULL,
    key_commit BYTEA NOT NULL,
    CONSTRAINT pk_pool_snapshot PRIMARY KEY (id),
    CONSTRAINT fk_pool_snapshot_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT uq_pool_snapshot_seq UNIQUE (seq)
);

CREATE TABLE record.draw (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    draw TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    tender_id BIGINT NOT NULL,
    state TEXT NOT NULL,
    salt BYTEA NOT NULL,
    policy_sha256 BYTEA NOT NULL,
    spec_sha256 BYTEA,
    specified_at BIGINT,
    sealed_h BYTEA,
    sealed_at BIGINT,
    seed BYTEA,
    seeded_at BIGINT,
    result_sha256 BYTEA,
    result_seq INTEGER NOT NULL,
    CONSTRAINT pk_draw PRIMARY KEY (id),
    CONSTRAINT uq_draw_draw_attempt UNIQUE (draw, attempt),
    CONSTRAINT fk_draw_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE INDEX ix_draw_tender_id ON record.draw (tender_id);

CREATE TABLE record.draw_answer (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    draw TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    kind TEXT NOT NULL,
    party TEXT NOT NULL,
    custodian INTEGER NOT NULL,
    sha256 BYTEA NOT NULL,
    via TEXT NOT NULL,
    CONSTRAINT pk_draw_answer PRIMARY KEY (id),
    CONSTRAINT fk_draw_answer_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE INDEX ix_draw_answer_draw_attempt ON record.draw_answer (draw, attempt);

CREATE TABLE record.draw_share_key (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    draw TEXT NOT NULL,
    kid TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    doc_sha256 BYTEA NOT NULL,
    challenge_sha256 BYTEA NOT NULL,
    state TEXT NOT NULL,
    CONSTRAINT pk_draw_share_key PRIMARY KEY (id),
    CONSTRAINT uq_draw_share_key_draw_kid UNIQUE (draw, kid),
    CONSTRAINT uq_draw_share_key_doc_sha256 UNIQUE (doc_sha256),
    CONSTRAINT fk_draw_share_key_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE TABLE record.draw_contest (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    draw TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    index_no BIGINT NOT NULL,
    stratum TEXT NOT NULL,
    statement_commit BYTEA NOT NULL,
    state TEXT NOT NULL,
    CONSTRAINT pk_draw_contest PRIMARY KEY (id),
    CONSTRAINT uq_draw_contest_statement_commit UNIQUE (statement_commit),
    CONSTRAINT fk_draw_contest_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE TABLE record.draw_step (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    draw TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    index_no BIGINT NOT NULL,
    stratum TEXT NOT NULL,
    state TEXT NOT NULL,
    reason_commit BYTEA,
    at BIGINT NOT NULL,
    h BYTEA NOT NULL,
    CONSTRAINT pk_draw_step PRIMARY KEY (id),
    CONSTRAINT uq_draw_step_h UNIQUE (h),
    CONSTRAINT fk_draw_step_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE INDEX ix_draw_step_draw_attempt ON record.draw_step (draw, attempt);

CREATE TABLE record.committee (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    plan_sha256 BYTEA NOT NULL,
    state TEXT NOT NULL,
    draw TEXT,
    CONSTRAINT pk_committee PRIMARY KEY (id),
    CONSTRAINT uq_committee_procedure_id UNIQUE (procedure_id),
    CONSTRAINT fk_committee_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_committee_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE TABLE record.committee_member (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    seat TEXT NOT NULL,
    kind TEXT NOT NULL,
    stratum TEXT,
    state TEXT NOT NULL,
    attempt INTEGER,
    index_no BIGINT,
    CONSTRAINT pk_committee_member PRIMARY KEY (id),
    CONSTRAINT uq_committee_member_seat UNIQUE (seat),
    CONSTRAINT fk_committee_member_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id),
    CONSTRAINT fk_committee_member_procedure_id_procedure FOREIGN KEY(procedure_id) REFERENCES record.procedure (id)
);

CREATE INDEX ix_committee_member_procedure_id ON record.committee_member (procedure_id);

CREATE TABLE record.seat_holder (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    seat TEXT NOT NULL,
    account TEXT NOT NULL,
    salt BYTEA NOT NULL,
    CONSTRAINT pk_seat_holder PRIMARY KEY (id),
    CONSTRAINT uq_seat_holder_seat UNIQUE (seat),
    CONSTRAINT uq_seat_holder_procedure_id_account UNIQUE (procedure_id, account),
    CONSTRAINT fk_seat_holder_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);

CREATE TABLE record.panel_name (
    id BIGINT NOT NULL,
    entry_id BIGINT NOT NULL,
    procedure_id BIGINT NOT NULL,
    seat TEXT NOT NULL,
    name TEXT NOT NULL,
    employer TEXT NOT NULL,
    leaf BYTEA,
    CONSTRAINT pk_panel_name PRIMARY KEY (id),
    CONSTRAINT uq_panel_name_seat UNIQUE (seat),
    CONSTRAINT fk_panel_name_entry_id_audit_entry FOREIGN KEY(entry_id) REFERENCES log.audit_entry (id)
);
"""

# Identities: whoever registers may add one, only the contact service may read it.
IDENTITIES = """
CREATE TRIGGER a_guard BEFORE INSERT OR UPDATE ON record.expert_identity
    FOR EACH ROW EXECUTE FUNCTION log.guard();
CREATE TRIGGER b_keep BEFORE DELETE OR TRUNCATE ON record.expert_identity
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse();
ALTER TABLE record.expert_identity ENABLE ALWAYS TRIGGER a_guard;
ALTER TABLE record.expert_identity ENABLE ALWAYS TRIGGER b_keep;
GRANT INSERT ON record.expert_identity TO trading_web, trading_worker;
GRANT SELECT ON record.expert_identity TO trading_contact;
"""

SEATS = """
ALTER TABLE record.seat_holder ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_seat ON record.seat_holder
    USING (account = current_setting('mingbiao.person', true))
    WITH CHECK (account = current_setting('mingbiao.person', true));
CREATE POLICY contact ON record.seat_holder TO trading_contact USING (true) WITH CHECK (true);
"""

# An auditor compares both tables with the records without reading them: views of their owner, for auditors alone, show
# a digest of what is stored. ``holder_commit`` is TH of P4.1 over salt, seat and account (ADR 0045).
DIGESTS = """
CREATE VIEW record.kept_identity WITH (security_barrier) AS
    SELECT id, entry_id, expert_id, sha256(sealed) AS sealed_sha256 FROM record.expert_identity;
CREATE VIEW record.held_seat WITH (security_barrier) AS
    SELECT id, entry_id, procedure_id, seat, sha256(
        convert_to('mingbiao/experts/holder', 'UTF8') || decode('00', 'hex')
        || int8send(octet_length(salt)) || salt
        || int8send(octet_length(seat)) || convert_to(seat, 'UTF8')
        || int8send(octet_length(account)) || convert_to(account, 'UTF8')
    ) AS holder_commit FROM record.seat_holder;
GRANT SELECT ON record.kept_identity, record.held_seat TO trading_auditor;
"""

# The contact service reads what the walk needs and writes its steps; bids, openings and scores are not its business.
CONTACT = """
GRANT SELECT, INSERT (procedure_id, kind, record, nonce) ON log.audit_entry TO trading_contact;
GRANT SELECT ON log.log_position, log.origin TO trading_contact;
GRANT SELECT ON record.document, record.expert, record.organisation, record.procedure, record.signing_key,
    record.draw_answer, record.draw_share_key, record.seat_holder TO trading_contact;
GRANT SELECT, INSERT, UPDATE ON record.draw, record.draw_step, record.committee, record.committee_member,
    record.panel_name TO trading_contact;
GRANT SELECT, INSERT ON desk.errand TO trading_contact;
GRANT SELECT, INSERT ON desk.draw_reason TO trading_contact;
GRANT SELECT, INSERT, UPDATE, DELETE ON desk.contact_mail, desk.draw_call, desk.draw_told, desk.expert_account,
    desk.seat_code TO trading_contact;
GRANT SELECT, INSERT, DELETE ON desk.draw_key, desk.draw_paper TO trading_contact;
GRANT SELECT, INSERT, DELETE ON desk.draw_call, desk.draw_key, desk.draw_paper, desk.draw_reason, desk.pool_key,
    desk.seat_code TO trading_web, trading_worker;
GRANT UPDATE ON desk.draw_paper TO trading_web, trading_worker;
GRANT SELECT ON desk.draw_statement, desk.draw_told TO trading_web, trading_reader;
GRANT INSERT ON desk.draw_statement TO trading_web;
GRANT SELECT ON desk.draw_statement TO trading_auditor;
GRANT INSERT ON desk.contact_mail TO trading_web, trading_worker;
GRANT SELECT ON desk.expert_account TO trading_web, trading_worker;
GRANT SELECT ON desk.draw_call, desk.draw_paper, desk.draw_reason, desk.pool_key TO trading_reader;
GRANT SELECT ON desk.draw_reason TO trading_auditor;
"""


def upgrade() -> None:
    """Create the tables with their guards and grants."""
    op.execute("SET ROLE trading_owner")
    run_script(op.get_bind(), TABLES)
    for table, column in GUARDED.items():
        for statement in guarded_ddl(table, column):
            op.execute(statement)
    for script in (IDENTITIES, SEATS, DIGESTS, CONTACT):
        run_script(op.get_bind(), script)
    op.execute("RESET ROLE")


def downgrade() -> None:
    """Drop the tables; only an empty database may be taken down."""
    op.execute("SET ROLE trading_owner")
    op.execute("DROP VIEW record.kept_identity, record.held_seat")
    for table in ("record.expert_identity", *reversed(GUARDED)):
        op.execute(f"DROP TABLE {table} CASCADE")
    for table in DESK:
        op.execute(f"DROP TABLE desk.{table}")
    op.execute("DROP INDEX log.audit_entry_draw")
    op.execute("RESET ROLE")
