"""Rows of the register, of draws and of committees as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from trading.kernel.signed import SignedDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRow:
    """One attempt of one draw; digests in hex, instants in ms. ``tender_id`` is shown to nobody before the result."""

    id: int
    draw: str
    attempt: int
    tender_id: int
    state: str
    salt: bytes
    policy_sha256: str
    spec_sha256: str | None
    specified_at: int | None
    sealed_h: str | None
    sealed_at: int | None
    seed: bytes | None
    seeded_at: int | None
    result_sha256: str | None
    result_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """What a party, custodian or signer gave in an attempt, by the document's hash."""

    kind: str
    party: str
    custodian: int
    sha256: str
    via: str
    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One record of the trail; ``state`` is ``CALLED`` or a disposition."""

    index: int
    stratum: str
    state: str
    reason_commit: bytes | None
    at: int
    h: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """A document that waits for signatures; ``h`` once it is recorded."""

    sha256: str
    draw: str
    attempt: int
    typ: str
    doc: bytes
    sigs: bytes
    created_at: int
    h: bytes | None

    @property
    def signed(self) -> SignedDocument:
        """Return the document with the signatures so far."""
        return SignedDocument.from_parts(self.doc, self.sigs)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One open or past call; ``meeting`` is canonical JSON."""

    draw: str
    attempt: int
    index: int
    stratum: str
    seat: str
    called_at: int
    ends_at: int
    meeting: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitteeRow:
    """The committee of a procedure."""

    id: int
    procedure_id: int
    plan_sha256: str
    state: str
    draw: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """One seat with its place in the draw, which no page shows before the result."""

    id: int
    seat: str
    kind: str
    stratum: str | None
    state: str
    attempt: int | None
    index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareKeyRow:
    """A custodian's share key for one draw."""

    id: int
    draw: str
    kid: str
    name: str
    role: str
    doc_sha256: str
    challenge_sha256: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRow:
    """What opens the commitment to a reason; ``n`` is the log index of its disposition, None until it is logged."""

    n: int | None
    reason: str
    salt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelName:
    """A member's name, published with the result (EXP-14); ``leaf`` opens his place in the pool, as JSON bytes."""

    seat: str
    name: str
    employer: str
    kind: str
    stratum: str | None
    index: int | None
    leaf: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumCount:
    """How many experts stand in a stratum; all that anybody but the contact service sees of the pool."""

    stratum: str
    active: int
    suspended: int


def draw_of(row: Row[*tuple[Any, ...]]) -> DrawRow:
    """Return a full row of the draw table as a value."""
    values = dict(row._mapping)
    del values["entry_id"]
    for name in ("policy_sha256", "spec_sha256", "sealed_h", "result_sha256"):
        values[name] = None if values[name] is None else bytes(values[name]).hex()
    values["salt"] = bytes(values["salt"])
    values["seed"] = None if values["seed"] is None else bytes(values["seed"])
    return DrawRow(**values)


def paper_of(row: Row[*tuple[Any, ...]]) -> PaperRow:
    """Return a full row of the papers as a value."""
    return PaperRow(
        sha256=bytes(row.sha256).hex(),
        draw=row.draw,
        attempt=row.attempt,
        typ=row.typ,
        doc=bytes(row.bytes),
        sigs=bytes(row.sigs),
        created_at=row.created_at,
        h=None if row.h is None else bytes(row.h),
    )


def call_of(row: Row[*tuple[Any, ...]]) -> CallRow:
    """Return a row of the calls as a value."""
    return CallRow(
        draw=row.draw,
        attempt=row.attempt,
        index=row.index_no,
        stratum=row.stratum,
        seat=row.seat,
        called_at=row.called_at,
        ends_at=row.ends_at,
        meeting=bytes(row.meeting),
    )


def share_key_of(row: Row[*tuple[Any, ...]]) -> ShareKeyRow:
    """Return a row of the share keys as a value."""
    return ShareKeyRow(
        id=row.id,
        draw=row.draw,
        kid=row.kid,
        name=row.name,
        role=row.role,
        doc_sha256=bytes(row.doc_sha256).hex(),
        challenge_sha256=bytes(row.challenge_sha256).hex(),
        state=row.state,
    )


def committee_row_of(row: Row[*tuple[Any, ...]]) -> CommitteeRow:
    """Return a row of the committees as a value."""
    return CommitteeRow(
        id=row.id,
        procedure_id=row.procedure_id,
        plan_sha256=bytes(row.plan_sha256).hex(),
        state=row.state,
        draw=row.draw,
    )
