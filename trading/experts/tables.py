"""Register of experts, draws, committees and seats. Identities are written here and read by the contact service alone.

Tables of draws have no column ``procedure_id``: their records name no procedure until the result (ED1 D5), and the
guard would refuse the row. ``tender_id`` is the row id of the procedure, known to the platform and shown to nobody.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    column,
    table,
)

from trading.db import entry_column, metadata

expert = Table(
    "expert",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("expert_id", Text, nullable=False, unique=True),  # pool number, one per person
    Column("strata", ARRAY(Text), nullable=False),
    Column("unit", Text, nullable=False),  # employer's organisation code, empty if none
    Column("state", Text, nullable=False),  # active, suspended, removed
    schema="record",
)

#: What an auditor sees of identities: a view that hashes the stored bytes, which he never reads.
kept_identity = table("kept_identity", *map(column, ("id", "entry_id", "expert_id", "sealed_sha256")), schema="record")

expert_identity = Table(
    "expert_identity",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("expert_id", Text, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),  # to the contact service's key; a newer row replaces an older one
    schema="record",
    info={"shown": kept_identity},
)

pool_snapshot = Table(
    "pool_snapshot",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("seq", Integer, nullable=False, unique=True),
    Column("register_size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("key_commit", LargeBinary, nullable=False),
    schema="record",
)

draw = Table(
    "draw",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("draw", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("tender_id", BigInteger, nullable=False, index=True),
    # policy_fixed, specified, sealed, seeded, resulted, cancelled, disclosed
    Column("state", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),  # opens procedure_commit
    Column("policy_sha256", LargeBinary, nullable=False),
    Column("spec_sha256", LargeBinary, nullable=True),
    Column("specified_at", BigInteger, nullable=True),
    Column("sealed_h", LargeBinary, nullable=True),
    Column("sealed_at", BigInteger, nullable=True),
    Column("seed", LargeBinary, nullable=True),
    Column("seeded_at", BigInteger, nullable=True),
    Column("result_sha256", LargeBinary, nullable=True),
    Column("result_seq", Integer, nullable=False),
    UniqueConstraint("draw", "attempt"),
    schema="record",
)

draw_answer = Table(
    "draw_answer",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("draw", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    # escrow, contribution, check, adjudication, waiver, reveal, recovery, key_order, key_release, cancel, result
    Column("kind", Text, nullable=False),
    Column("party", Text, nullable=False),  # party id, or the use of an escrow; empty if none
    Column("custodian", Integer, nullable=False),  # 0 if none
    Column("sha256", LargeBinary, nullable=False),
    Column("via", Text, nullable=False),
    Index("ix_draw_answer_draw_attempt", "draw", "attempt"),
    schema="record",
)

draw_share_key = Table(
    "draw_share_key",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("draw", Text, nullable=False),
    Column("kid", Text, nullable=False),  # of the institution's signing key
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("doc_sha256", LargeBinary, nullable=False, unique=True),
    Column("challenge_sha256", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),  # challenged, proved
    UniqueConstraint("draw", "kid"),
    schema="record",
)

draw_contest = Table(
    "draw_contest",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("draw", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("index_no", BigInteger, nullable=False),
    Column("stratum", Text, nullable=False),
    Column("statement_commit", LargeBinary, nullable=False, unique=True),
    Column("state", Text, nullable=False),  # open, upheld, dismissed
    schema="record",
)

draw_step = Table(
    "draw_step",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("draw", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("index_no", BigInteger, nullable=False),
    Column("stratum", Text, nullable=False),
    Column("state", Text, nullable=False),  # CALLED, or a disposition of D10
    Column("reason_commit", LargeBinary, nullable=True),
    Column("at", BigInteger, nullable=False),
    Column("h", LargeBinary, nullable=False, unique=True),
    Index("ix_draw_step_draw_attempt", "draw", "attempt"),
    schema="record",
)

committee = Table(
    "committee",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False, unique=True),
    Column("plan_sha256", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),  # planned, drawing, drawn, seated
    Column("draw", Text, nullable=True),
    schema="record",
)

committee_member = Table(
    "committee_member",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False, index=True),
    Column("seat", Text, nullable=False, unique=True),  # the only name of a member before the result
    Column("kind", Text, nullable=False),  # expert, representative
    Column("stratum", Text, nullable=True),
    Column("state", Text, nullable=False),  # expected, present, recused, replaced
    Column("attempt", Integer, nullable=True),
    Column("index_no", BigInteger, nullable=True),
    schema="record",
)

#: What an auditor sees of who sits: a view that computes the commitment of the record from salt, seat and account.
held_seat = table(
    "held_seat", *map(column, ("id", "entry_id", "procedure_id", "seat", "holder_commit")), schema="record"
)

seat_holder = Table(
    "seat_holder",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, nullable=False),
    Column("seat", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False),  # row-level security: the account itself and the contact service
    Column("salt", LargeBinary, nullable=False),  # opens the commitment of the record (ADR 0045)
    UniqueConstraint("procedure_id", "account"),
    schema="record",
    info={"shown": held_seat},
)

panel_name = Table(
    "panel_name",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, nullable=False),
    Column("seat", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("employer", Text, nullable=False),
    Column("leaf", LargeBinary, nullable=True),  # canonical JSON: the opened leaf of D11; null for a representative
    schema="record",
)

draw_key = Table(
    "draw_key",
    metadata,
    Column("draw", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),  # K_draw ‖ K_x, to the contact service's key
    schema="desk",
)

draw_paper = Table(
    "draw_paper",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("draw", Text, nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("typ", Text, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("sigs", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("h", LargeBinary, nullable=True),  # commitment of the record, once complete
    schema="desk",
)

draw_call = Table(
    "draw_call",
    metadata,
    Column("code_sha256", LargeBinary, primary_key=True),
    Column("draw", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("index_no", BigInteger, nullable=False),
    Column("stratum", Text, nullable=False),
    Column("seat", Text, nullable=False),  # the seat that an acceptance gives
    Column("called_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("meeting", LargeBinary, nullable=False),  # canonical JSON: time and place, nothing of the project
    UniqueConstraint("draw", "attempt", "index_no"),
    schema="desk",
)

draw_reason = Table(
    "draw_reason",
    metadata,
    Column("draw", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("index_no", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, primary_key=True),
    Column("salt", LargeBinary, nullable=False),  # opens reason_commit, for auditors
    Column("reason", Text, nullable=False),
    schema="desk",
)

draw_told = Table(
    "draw_told",
    metadata,
    Column("h", LargeBinary, primary_key=True),  # of the step about which its person has been told (D10 b)
    Column("code_sha256", LargeBinary, nullable=False, unique=True),  # of the code with which he contests it
    schema="desk",
)

draw_statement = Table(
    "draw_statement",
    metadata,
    Column("statement_commit", LargeBinary, primary_key=True),
    Column("step_h", LargeBinary, nullable=False, unique=True),  # of the step that is contested, once
    Column("salt", LargeBinary, nullable=False),
    Column("statement", Text, nullable=False),  # for the supervisor and auditors; records carry the commitment
    schema="desk",
)

seat_code = Table(
    "seat_code",
    metadata,
    Column("code_sha256", LargeBinary, primary_key=True),
    Column("seat", Text, nullable=False, unique=True),
    # HMAC under the code itself of the person's account link: without the code it ties nothing to anybody.
    Column("binding", LargeBinary, nullable=True),
    schema="desk",
)

expert_account = Table(
    "expert_account",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("link", LargeBinary, nullable=False, unique=True),  # keyed hash of the pool number; the contact's key
    schema="desk",
)

pool_key = Table(
    "pool_key",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False),  # of a nightly snapshot, for the supervisor
    schema="desk",
)
