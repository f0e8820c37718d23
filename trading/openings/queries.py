"""Read side of the ceremony."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select

from trading.audit.tables import audit_entry
from trading.bids.tables import bid
from trading.documents import queries as documents
from trading.kernel.canonical import Json, loads, loads_object
from trading.kernel.errors import IntegrityFailure
from trading.openings.model import Place
from trading.openings.rules.decisions import parse_adjudication
from trading.openings.rules.verdicts import Finding
from trading.openings.tables import bid_factor, custodian_answer, draft, opened_bid, opening
from trading.procedures import queries as procedures
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.tables import lot, procedure


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningRow:
    """The stored state of one ceremony; instants in ms, digests in hex."""

    id: int
    step: str
    order_sha256: str
    order_seq: int
    first_ordered_at: int
    ordered_at: int
    factor_ends_at: int | None
    factor_list_sha256: str | None
    factor_closed_at: int | None
    gaps_at: int | None
    gaps: tuple[str, ...]
    release_closed_at: int | None


def opening_query(place: Place) -> Select[Any]:
    """Return the select of one ceremony's row."""
    return select(opening).where(
        opening.c.procedure_id == place.procedure_id, opening.c.lot == place.lot, opening.c.stage == place.stage
    )


def opening_of(row: Row[*tuple[Any, ...]]) -> OpeningRow:
    """Return the row as a value."""
    values = row._mapping
    listed = values["factor_list_sha256"]
    return OpeningRow(
        id=values["id"],
        step=values["step"],
        order_sha256=bytes(values["order_sha256"]).hex(),
        order_seq=values["order_seq"],
        first_ordered_at=values["first_ordered_at"],
        ordered_at=values["ordered_at"],
        factor_ends_at=values["factor_ends_at"],
        factor_list_sha256=None if listed is None else bytes(listed).hex(),
        factor_closed_at=values["factor_closed_at"],
        gaps_at=values["gaps_at"],
        gaps=tuple(values["gaps"] or ()),
        release_closed_at=values["release_closed_at"],
    )


def opening_row(conn: Connection, place: Place) -> OpeningRow | None:
    """Return the state of the ceremony, or None before the first order."""
    row = conn.execute(opening_query(place)).one_or_none()
    return None if row is None else opening_of(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One stored answer of a custodian; ``doc_sha256`` names the document."""

    kind: str
    custodian: int
    order_sha256: str
    doc_sha256: str
    entry_id: int


def answers(conn: Connection, place: Place, *kinds: str) -> list[Answer]:
    """Return the answers of these kinds, by custodian and entry."""
    query = (
        select(
            custodian_answer.c.kind,
            custodian_answer.c.custodian,
            custodian_answer.c.order_sha256,
            custodian_answer.c.doc_sha256,
            custodian_answer.c.entry_id,
        )
        .where(
            custodian_answer.c.procedure_id == place.procedure_id,
            custodian_answer.c.lot == place.lot,
            custodian_answer.c.stage == place.stage,
            custodian_answer.c.kind.in_(kinds),
        )
        .order_by(custodian_answer.c.custodian, custodian_answer.c.entry_id)
    )
    return [
        Answer(
            kind=row.kind,
            custodian=row.custodian,
            order_sha256=bytes(row.order_sha256).hex(),
            doc_sha256=bytes(row.doc_sha256).hex(),
            entry_id=row.entry_id,
        )
        for row in conn.execute(query)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A revealed factor, and the secret of a rescue if there was one."""

    bid: str
    s_b: bytes
    s_c: bytes | None
    received_at: int
    entry_id: int


def factors(conn: Connection, place: Place) -> dict[str, Factor]:
    """Return the revealed factors by bid id; only for use cases of the ceremony."""
    query = (
        select(bid.c.reference, bid_factor.c.s_b, bid_factor.c.s_c, bid_factor.c.received_at, bid_factor.c.entry_id)
        .join(bid, bid.c.id == bid_factor.c.bid_id)
        .where(bid.c.procedure_id == place.procedure_id, bid.c.lot == place.lot, bid.c.stage == place.stage)
    )
    return {
        row.reference: Factor(
            bid=row.reference,
            s_b=bytes(row.s_b),
            s_c=None if row.s_c is None else bytes(row.s_c),
            received_at=row.received_at,
            entry_id=row.entry_id,
        )
        for row in conn.execute(query)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of one bid; ``price`` is the canonical ``sb1.price`` or None if it did not open."""

    bid: str
    bidder: str
    envelope_sha256: str
    verdict: str
    faults: Json
    manifest_sha256: str | None
    price: bytes | None
    price_sha256: str | None


def results(conn: Connection, place: Place) -> dict[str, Result]:
    """Return the results of a lot and stage by bid id."""
    query = (
        select(bid.c.reference, bid.c.bidder_code, bid.c.head_sha256, opened_bid)
        .join(bid, bid.c.id == opened_bid.c.bid_id)
        .where(bid.c.procedure_id == place.procedure_id, bid.c.lot == place.lot, bid.c.stage == place.stage)
        .order_by(bid.c.reference)
    )
    return {row.reference: _result(row) for row in conn.execute(query)}


def _result(row: Row[*tuple[Any, ...]]) -> Result:
    return Result(
        bid=row.reference,
        bidder=row.bidder_code,
        envelope_sha256=bytes(row.head_sha256).hex(),
        verdict=row.verdict,
        faults=loads(bytes(row.faults)),
        manifest_sha256=None if row.manifest_sha256 is None else bytes(row.manifest_sha256).hex(),
        price=None if row.price is None else bytes(row.price),
        price_sha256=None if row.price_sha256 is None else bytes(row.price_sha256).hex(),
    )


def findings(conn: Connection, place: Place) -> dict[str, dict[int, Finding]]:
    """Return what the adjudications so far found, by bid and custodian (SB1 S9.4)."""
    found: dict[str, dict[int, Finding]] = {}
    for answer in sorted(answers(conn, place, "adjudication"), key=lambda each: each.entry_id):
        stored = documents.get(conn, bytes.fromhex(answer.doc_sha256))
        if stored is None:
            raise IntegrityFailure(f"adjudication {answer.doc_sha256} is missing")
        for item in parse_adjudication(stored.doc).items:
            found.setdefault(item.bid, {})[answer.custodian] = item.finding
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document that still waits for signatures, or did."""

    sha256: str
    typ: str
    doc: bytes
    sigs: bytes
    h: bytes | None


def drafts(conn: Connection, place: Place, typ: str | None = None) -> list[Draft]:
    """Return the draft documents of a lot and stage, oldest first."""
    query = select(draft).where(
        draft.c.procedure_id == place.procedure_id, draft.c.lot == place.lot, draft.c.stage == place.stage
    )
    if typ is not None:
        query = query.where(draft.c.typ == typ)
    return [_draft(row) for row in conn.execute(query.order_by(draft.c.created_at, draft.c.sha256))]


def draft_by_digest(conn: Connection, sha256: str) -> Draft | None:
    """Return one draft document, or None."""
    row = conn.execute(select(draft).where(draft.c.sha256 == bytes.fromhex(sha256))).one_or_none()
    return None if row is None else _draft(row)


def _draft(row: Row[*tuple[Any, ...]]) -> Draft:
    return Draft(
        sha256=bytes(row.sha256).hex(),
        typ=row.typ,
        doc=bytes(row.bytes),
        sigs=bytes(row.sigs),
        h=None if row.h is None else bytes(row.h),
    )


def entries(conn: Connection, place: Place, kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the records of these kinds about the procedure, in order of their entries, each with its ``h`` in hex.

    Entries of the running transaction are included; positions in the log are not asked for.
    """
    query = (
        select(audit_entry.c.id, audit_entry.c.record, audit_entry.c.h)
        .where(audit_entry.c.procedure_id == place.procedure_id, audit_entry.c.kind.in_(kinds))
        .order_by(audit_entry.c.id)
    )
    return [{**loads_object(bytes(row.record)), "h": bytes(row.h).hex(), "id": row.id} for row in conn.execute(query)]


def open_objections(conn: Connection, place: Place) -> int:
    """Return how many objections about the lot wait for their decision (SB1 S9.2)."""
    records = [
        record["kind"]
        for record in entries(conn, place, ("objection.raised", "objection.decided"))
        if record["body"]["lot"] == place.lot and record["body"]["stage"] == place.stage
    ]
    return records.count("objection.raised") - records.count("objection.decided")


def read_out_at(conn: Connection, place: Place, bids: Collection[str]) -> int | None:
    """Return the instant (ms) at which the last of ``bids`` got its first result; None while one has none.

    A bid that is PENDING was read out as such: what an adjudication says of it later does not move this instant.
    """
    first: dict[str, int] = {}
    for record in entries(conn, place, ("bid.opened", "bid.verdict")):
        first.setdefault(record["body"]["bid"], record["at"])
    found = [first.get(each) for each in bids]
    known = [each for each in found if each is not None]
    return max(known) if known and len(known) == len(found) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The agency's answer on the spot: its words, when (ms), commitment and entry of its record."""

    text: str
    at: int
    h: str
    entry_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """An objection to the opening: whose (code), its words, when (ms), commitment and entry of its record."""

    bidder: str
    text: str
    at: int
    h: str
    entry_id: int
    answer: Reply | None


def spoken(conn: Connection, place: Place) -> tuple[Spoken, ...]:
    """Return the objections made on the spot and their answers, oldest first (OPN-11)."""
    told = [
        record
        for record in entries(conn, place, ("opening.answered", "opening.objected"))
        if (record["body"]["lot"], record["body"]["stage"]) == (place.lot, place.stage)
    ]
    answers_to = {
        record["body"]["objected_h"]: Reply(
            text=record["body"]["text"], at=record["at"], h=record["h"], entry_id=record["id"]
        )
        for record in told
        if record["kind"] == "opening.answered"
    }
    return tuple(
        Spoken(
            bidder=str(record["on_behalf_of"]),
            text=record["body"]["text"],
            at=record["at"],
            h=record["h"],
            entry_id=record["id"],
            answer=answers_to.get(record["h"]),
        )
        for record in told
        if record["kind"] == "opening.objected"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyRow:
    """One lot that is to be opened, is being opened or was; ``opening`` is None before the first order."""

    place: Place
    title_zh: str
    title_en: str
    lot_zh: str
    lot_en: str
    phase: str
    close_at: int | None
    policy_sha256: str | None
    opening: OpeningRow | None


def ceremony_row(conn: Connection, reference: str, number: str, stage: str = "all") -> CeremonyRow:
    """Return one lot with its ceremony.

    Raises:
        NotFound: There is none.
    """
    found = procedures.find(conn, reference)
    return _ceremony(conn, found, procedures.find_lot(conn, found.id, number, stage))


def ceremonies_of(conn: Connection, organisation: str) -> list[CeremonyRow]:
    """Return the closed and opening lots that an organisation conducts or supervises, the newest deadline first.

    Lots of procedures in which a close was blocked are among them while they are open.
    """
    theirs = organisation_of(organisation)
    blocked = select(audit_entry.c.id).where(
        audit_entry.c.procedure_id == procedure.c.id, audit_entry.c.kind == "closing.blocked"
    )
    own = or_(lot.c.phase.in_(("closed", "opening")), and_(lot.c.phase == "open", blocked.exists()))
    query = (
        select(procedure.c.reference, lot.c.number, lot.c.stage)
        .join(lot, lot.c.procedure_id == procedure.c.id)
        .where(theirs, procedure.c.published_at.is_not(None), own)
        .order_by(lot.c.close_at.desc(), procedure.c.reference, lot.c.number)
    )
    return [ceremony_row(conn, row.reference, row.number, row.stage) for row in conn.execute(query)]


def organisation_of(organisation: str) -> ColumnElement[bool]:
    """Return the condition that an organisation conducts or supervises a procedure."""
    codes = (procedure.c.agency_code, procedure.c.buyer_code, procedure.c.supervisor_code)
    return or_(*(code == organisation for code in codes))


def _ceremony(conn: Connection, found: ProcedureRow, row: LotRow) -> CeremonyRow:
    place = Place(procedure=found.reference, procedure_id=found.id, lot=row.number, stage=row.stage)
    return CeremonyRow(
        place=place,
        title_zh=found.title_zh,
        title_en=found.title_en,
        lot_zh=row.title_zh,
        lot_en=row.title_en,
        phase=row.phase,
        close_at=row.close_at,
        policy_sha256=row.policy_sha256,
        opening=opening_row(conn, place),
    )
