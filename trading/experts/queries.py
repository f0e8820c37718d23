"""Read side of the register, of draws and of committees: rows as values. Nothing here can name a drawn person.

The committee for other packages: ``committee_of`` and ``seat_of``; the names after the result: ``panel_of``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select, text

from trading.audit.tables import log_position
from trading.documents import queries as documents
from trading.documents.tables import document
from trading.experts.rules.composition import Committee, Member
from trading.experts.rules.plan import Plan, parse_plan
from trading.experts.rules.register import Item, Register, RegisterChange, parse_register_change
from trading.experts.tables import (
    committee,
    committee_member,
    draw,
    draw_answer,
    draw_call,
    draw_paper,
    draw_reason,
    draw_share_key,
    draw_step,
    expert,
    panel_name,
    pool_snapshot,
    seat_holder,
)
from trading.kernel.errors import IntegrityFailure, NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.parties.tables import signing_key
from trading.procedures.tables import procedure

CONTACT_ROLE = "contact"

__all__ = ["Committee", "Member", "committee_of", "panel_of", "seat_of"]


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


def contact_public(conn: Connection) -> bytes:
    """Return the public key of the contact service.

    Raises:
        RuleBroken: ``contact.no_key``: none is registered.
    """
    query = select(signing_key.c.spki).where(signing_key.c.role == CONTACT_ROLE, signing_key.c.status == "active")
    found = conn.execute(query.order_by(signing_key.c.entry_id.desc()).limit(1)).scalar()
    if found is None:
        raise RuleBroken("contact.no_key", "ED1 D1")
    return bytes(found)


def register(conn: Connection, ids: Collection[str] | None = None) -> Register:
    """Return the register as the rows have it, or the named experts of it, with the newest change."""
    query = select(expert.c.expert_id, expert.c.strata, expert.c.unit, expert.c.state).where(
        expert.c.state != "removed"
    )
    if ids is not None:
        query = query.where(expert.c.expert_id.in_(list(ids)))
    rows = conn.execute(query).all()
    return Register(
        experts={row.expert_id: Item(id=row.expert_id, strata=tuple(row.strata), unit=row.unit) for row in rows},
        suspended=frozenset(row.expert_id for row in rows if row.state == "suspended"),
        last=newest_change(conn),
    )


def register_entry(conn: Connection) -> int | None:
    """Return the newest entry that changed the register."""
    newest: int | None = conn.execute(select(func.max(expert.c.entry_id))).scalar()
    return newest


def newest_change(conn: Connection) -> RegisterChange | None:
    """Return the newest signed change of the register."""
    query = select(document.c.bytes).where(document.c.procedure_id.is_(None), document.c.typ == "ed1.register-change")
    found = conn.execute(query.order_by(document.c.entry_id.desc()).limit(1)).scalar()
    return None if found is None else parse_register_change(bytes(found))


_CHANGES = text(
    "SELECT convert_from(e.record, 'UTF8')::jsonb #>> '{body,change_sha256}' AS sha256"
    "  FROM log.audit_entry e JOIN log.log_position p ON p.entry_id = e.id"
    " WHERE e.kind = ANY(:kinds) AND p.n < :size ORDER BY p.n"
)


def changes_before(conn: Connection, size: int, kinds: Iterable[str]) -> list[RegisterChange]:
    """Return the register changes with index below ``size``, in log order: what the register at that size is made of.

    Raises:
        IntegrityFailure: A change that a record names is not stored.
    """
    found = []
    for digest in conn.execute(_CHANGES, {"kinds": list(kinds), "size": size}).scalars():
        stored = documents.get(conn, bytes.fromhex(digest))
        if stored is None:
            raise IntegrityFailure(f"register change {digest} is missing")
        found.append(parse_register_change(stored.doc))
    return found


def counts(conn: Connection) -> list[StratumCount]:
    """Return the number of experts of each stratum, by id."""
    stratum = func.unnest(expert.c.strata).label("stratum")
    rows = select(stratum, expert.c.state).where(expert.c.state != "removed").subquery()
    active, suspended = (func.count().filter(rows.c.state == state).label(state) for state in ("active", "suspended"))
    query = select(rows.c.stratum, active, suspended).group_by(rows.c.stratum).order_by(rows.c.stratum)
    return [StratumCount(stratum=row[0], active=row[1], suspended=row[2]) for row in conn.execute(query)]


def newest_snapshot(conn: Connection) -> tuple[int, int] | None:
    """Return (seq, register_size) of the newest nightly snapshot."""
    query = select(pool_snapshot.c.seq, pool_snapshot.c.register_size).order_by(pool_snapshot.c.seq.desc()).limit(1)
    row = conn.execute(query).one_or_none()
    return None if row is None else (row.seq, row.register_size)


def draw_of(row: Row[*tuple[Any, ...]]) -> DrawRow:
    """Return a full row of the draw table as a value."""
    values = dict(row._mapping)
    del values["entry_id"]
    for name in ("policy_sha256", "spec_sha256", "sealed_h", "result_sha256"):
        values[name] = None if values[name] is None else bytes(values[name]).hex()
    values["salt"] = bytes(values["salt"])
    values["seed"] = None if values["seed"] is None else bytes(values["seed"])
    return DrawRow(**values)


def find_draw(conn: Connection, name: str, attempt: int | None = None) -> DrawRow:
    """Return an attempt of a draw, the newest one by default.

    Raises:
        NotFound: There is none.
    """
    query = select(draw).where(draw.c.draw == name).order_by(draw.c.attempt.desc()).limit(1)
    if attempt is not None:
        query = query.where(draw.c.attempt == attempt)
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFound(name)
    return draw_of(row)


def draws_in(conn: Connection, *states: str) -> list[DrawRow]:
    """Return the attempts in these states, oldest row first."""
    return [
        draw_of(row) for row in conn.execute(select(draw).where(draw.c.state.in_(states)).order_by(draw.c.entry_id))
    ]


def draws_of(conn: Connection, procedure_id: int) -> list[DrawRow]:
    """Return every attempt of every draw of a procedure, oldest first."""
    query = select(draw).where(draw.c.tender_id == procedure_id).order_by(draw.c.specified_at, draw.c.attempt)
    return [draw_of(row) for row in conn.execute(query)]


def answers(conn: Connection, name: str, attempt: int, *kinds: str) -> list[AnswerRow]:
    """Return what was given in an attempt, in the order of the entries."""
    query = select(draw_answer).where(draw_answer.c.draw == name, draw_answer.c.attempt == attempt)
    if kinds:
        query = query.where(draw_answer.c.kind.in_(kinds))
    return [
        AnswerRow(
            kind=row.kind,
            party=row.party,
            custodian=row.custodian,
            sha256=bytes(row.sha256).hex(),
            via=row.via,
            entry_id=row.entry_id,
        )
        for row in conn.execute(query.order_by(draw_answer.c.entry_id, draw_answer.c.sha256))
    ]


def steps(conn: Connection, name: str, attempt: int) -> list[StepRow]:
    """Return the trail of an attempt, in the order of its entries."""
    query = select(draw_step).where(draw_step.c.draw == name, draw_step.c.attempt == attempt)
    return [
        StepRow(
            index=row.index_no,
            stratum=row.stratum,
            state=row.state,
            reason_commit=None if row.reason_commit is None else bytes(row.reason_commit),
            at=row.at,
            h=bytes(row.h),
        )
        for row in conn.execute(query.order_by(draw_step.c.entry_id))
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRow:
    """What opens the commitment to a reason; ``n`` is the log index of its disposition, None until it is logged."""

    n: int | None
    reason: str
    salt: bytes


def opened_reasons(conn: Connection, name: str, attempt: int) -> list[ReasonRow]:
    """Return the reasons of an attempt with their log indices, for auditors."""
    same = (
        (draw_step.c.draw == draw_reason.c.draw)
        & (draw_step.c.attempt == draw_reason.c.attempt)
        & (draw_step.c.index_no == draw_reason.c.index_no)
        & (draw_step.c.state == draw_reason.c.state)
    )
    query = (
        select(log_position.c.n, draw_reason.c.reason, draw_reason.c.salt)
        .select_from(draw_reason.join(draw_step, same))
        .outerjoin(log_position, log_position.c.entry_id == draw_step.c.entry_id)
        .where(draw_reason.c.draw == name, draw_reason.c.attempt == attempt)
    )
    return [ReasonRow(n=row.n, reason=row.reason, salt=bytes(row.salt)) for row in conn.execute(query)]


def signed_document(conn: Connection, sha256: str) -> SignedDocument:
    """Return a stored document.

    Raises:
        IntegrityFailure: It is not stored.
    """
    found = documents.get(conn, bytes.fromhex(sha256))
    if found is None:
        raise IntegrityFailure(f"document {sha256} is missing")
    return SignedDocument.from_parts(found.doc, found.sigs)


def documents_of_type(conn: Connection, procedure_id: int | None, typ: str) -> list[bytes]:
    """Return the stored documents of one type of a procedure, or of none, oldest entry first."""
    query = select(document.c.bytes).where(
        document.c.procedure_id.is_not_distinct_from(procedure_id), document.c.typ == typ
    )
    return [bytes(doc) for doc in conn.execute(query.order_by(document.c.entry_id)).scalars()]


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


def papers(conn: Connection, name: str) -> list[PaperRow]:
    """Return the documents of a draw that are or were collected signatures for, oldest first."""
    query = select(draw_paper).where(draw_paper.c.draw == name).order_by(draw_paper.c.created_at, draw_paper.c.sha256)
    return [paper_of(row) for row in conn.execute(query)]


def call_by_code(conn: Connection, digest: bytes) -> CallRow | None:
    """Return the call behind the hash of a code."""
    row = conn.execute(select(draw_call).where(draw_call.c.code_sha256 == digest)).one_or_none()
    return None if row is None else call_of(row)


def calls(conn: Connection, name: str, attempt: int) -> list[CallRow]:
    """Return the calls of an attempt."""
    query = select(draw_call).where(draw_call.c.draw == name, draw_call.c.attempt == attempt)
    return [call_of(row) for row in conn.execute(query.order_by(draw_call.c.called_at))]


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


def share_keys(conn: Connection, name: str) -> list[ShareKeyRow]:
    """Return the custodians' share keys of a draw, by role and name."""
    query = select(draw_share_key).where(draw_share_key.c.draw == name)
    return [share_key_of(row) for row in conn.execute(query.order_by(draw_share_key.c.role, draw_share_key.c.name))]


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


def committee_row(conn: Connection, procedure_id: int) -> CommitteeRow | None:
    """Return the committee's row, or None before it was planned."""
    row = conn.execute(select(committee).where(committee.c.procedure_id == procedure_id)).one_or_none()
    return None if row is None else committee_row_of(row)


def committee_of_draw(conn: Connection, name: str) -> CommitteeRow:
    """Return the committee that a draw serves.

    Raises:
        NotFound: None.
    """
    row = conn.execute(select(committee).where(committee.c.draw == name)).one_or_none()
    if row is None:
        raise NotFound(name)
    return committee_row_of(row)


def committee_row_of(row: Row[*tuple[Any, ...]]) -> CommitteeRow:
    """Return a row of the committees as a value."""
    return CommitteeRow(
        id=row.id,
        procedure_id=row.procedure_id,
        plan_sha256=bytes(row.plan_sha256).hex(),
        state=row.state,
        draw=row.draw,
    )


def plan_of(conn: Connection, row: CommitteeRow) -> Plan:
    """Return the plan of a committee."""
    return parse_plan(signed_document(conn, row.plan_sha256).doc)


def members(conn: Connection, procedure_id: int) -> list[MemberRow]:
    """Return the seats of a procedure's committee, by name of the seat."""
    query = select(committee_member).where(committee_member.c.procedure_id == procedure_id)
    return [
        MemberRow(
            id=row.id,
            seat=row.seat,
            kind=row.kind,
            stratum=row.stratum,
            state=row.state,
            attempt=row.attempt,
            index=row.index_no,
        )
        for row in conn.execute(query.order_by(committee_member.c.seat))
    ]


def member_by_seat(conn: Connection, seat: str) -> tuple[int, MemberRow] | None:
    """Return (procedure row id, member) of a seat."""
    query = select(committee_member.c.procedure_id).where(committee_member.c.seat == seat)
    procedure_id = conn.execute(query).scalar_one_or_none()
    if procedure_id is None:
        return None
    return procedure_id, next(row for row in members(conn, procedure_id) if row.seat == seat)


def committee_of(conn: Connection, procedure_id: int) -> Committee | None:
    """Return the committee of a procedure; None before it was planned."""
    row = committee_row(conn, procedure_id)
    if row is None:
        return None
    return Committee(
        draw=row.draw,
        members=tuple(_member(each) for each in members(conn, procedure_id)),
        state=row.state,  # type: ignore[arg-type]  # the column holds only these
        large=plan_of(conn, row).large,
    )


def _member(row: MemberRow) -> Member:
    return Member(
        seat=row.seat,
        kind=row.kind,  # type: ignore[arg-type]  # the column holds only these
        stratum=row.stratum,
        state=row.state,  # type: ignore[arg-type]
    )


def as_person(conn: Connection, account: str) -> None:
    """Tell row-level security whose own seats this transaction may see."""
    conn.execute(select(func.set_config("mingbiao.person", account, True)))  # noqa: FBT003 - for this transaction alone


def seat_of(conn: Connection, procedure_id: int, actor: Actor) -> Member | None:
    """Return the own seat of a signed-in person; nobody else's can be asked for."""
    as_person(conn, actor.account)
    query = select(seat_holder.c.seat).where(
        seat_holder.c.procedure_id == procedure_id, seat_holder.c.account == actor.account
    )
    seat = conn.execute(query).scalar_one_or_none()
    if seat is None:
        return None
    return next((_member(row) for row in members(conn, procedure_id) if row.seat == seat), None)


def own_seats(conn: Connection, actor: Actor) -> list[tuple[int, str]]:
    """Return (procedure row id, seat) of every seat of a signed-in person."""
    as_person(conn, actor.account)
    query = select(seat_holder.c.procedure_id, seat_holder.c.seat).where(seat_holder.c.account == actor.account)
    return [(row.procedure_id, row.seat) for row in conn.execute(query.order_by(seat_holder.c.entry_id))]


def published_leaves(conn: Connection, agency_code: str, since: int) -> list[bytes]:
    """Return the opened leaves of experts whose panels of an agency's procedures were published, from an instant on."""
    query = (
        select(panel_name.c.leaf)
        .join(procedure, procedure.c.id == panel_name.c.procedure_id)
        .where(
            procedure.c.agency_code == agency_code, procedure.c.published_at >= since, panel_name.c.leaf.is_not(None)
        )
    )
    return [bytes(leaf) for leaf in conn.execute(query).scalars()]


def panel_of(conn: Connection, procedure_id: int) -> list[PanelName]:
    """Return the members' names after their disclosure, by stratum and seat; empty before it."""
    query = (
        select(panel_name, committee_member.c.kind, committee_member.c.stratum, committee_member.c.index_no)
        .join(committee_member, committee_member.c.seat == panel_name.c.seat)
        .where(panel_name.c.procedure_id == procedure_id)
        .order_by(committee_member.c.kind, committee_member.c.stratum, panel_name.c.seat)
    )
    return [
        PanelName(
            seat=row.seat,
            name=row.name,
            employer=row.employer,
            kind=row.kind,
            stratum=row.stratum,
            index=row.index_no,
            leaf=None if row.leaf is None else bytes(row.leaf),
        )
        for row in conn.execute(query)
    ]


def committees(conn: Connection) -> list[CommitteeRow]:
    """Return every committee."""
    return [committee_row_of(row) for row in conn.execute(select(committee).order_by(committee.c.entry_id))]
