"""Read side of bids. Nothing here is served to anybody but the bid's own bidder before the opening (SUB-07)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, select

from trading.audit.queries import clock_holds, placed
from trading.audit.tables import audit_entry
from trading.bids.model import BidHead, ManifestItem
from trading.bids.rules.closing import parse_closing_confirmation
from trading.bids.rules.derivation import by_clock
from trading.bids.rules.policy import Policy, parse_policy
from trading.bids.rules.refusals import Deadline
from trading.bids.rules.schedule import Schedule, parse_schedule
from trading.bids.rules.uploads import Upload
from trading.bids.tables import bid, bid_version, part, upload, upload_piece
from trading.documents import queries as documents
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure
from trading.kernel.ids import PRACTICE
from trading.procedures.queries import LotRow
from trading.procedures.tables import lot, procedure

_NOTICED: Final = ("tender.changed", "tender.published")
_OFFERS: Final = (*_NOTICED, "practice.opened")
HEAD_COLUMNS = (
    bid.c.id,
    bid.c.procedure_id,
    procedure.c.reference.label("procedure"),
    bid.c.lot,
    bid.c.stage,
    bid.c.reference,
    bid.c.bidder_code,
    bid.c.seq,
    bid.c.head_kind,
    bid.c.head_sha256,
    bid.c.head_h,
    and_(procedure.c.published_at.is_(None), procedure.c.reference.not_like(f"{PRACTICE}%")).label("is_probe"),
)


def head_query(*columns: Any) -> Select[Any]:  # noqa: ANN401 - any column expression
    """Return a select over bids joined with their procedure and lot."""
    joined = bid.join(procedure, procedure.c.id == bid.c.procedure_id).join(
        lot, and_(lot.c.procedure_id == bid.c.procedure_id, lot.c.number == bid.c.lot, lot.c.stage == bid.c.stage)
    )
    return select(*columns).select_from(joined)


def head_of(row: Row[*tuple[Any, ...]]) -> BidHead:
    """Return the head as a value."""
    values = row._mapping
    sha, h = values["head_sha256"], values["head_h"]
    return BidHead(
        id=values["id"],
        procedure_id=values["procedure_id"],
        procedure=values["procedure"],
        lot=values["lot"],
        stage=values["stage"],
        reference=values["reference"],
        bidder=values["bidder_code"],
        seq=values["seq"],
        head_kind=values["head_kind"],
        head_sha256=None if sha is None else bytes(sha).hex(),
        head_h=None if h is None else bytes(h),
        is_probe=values["is_probe"],
    )


# Built once, like every statement that each submission runs: composing one costs more than running it.
_STORED: Final = (
    select(func.jsonb_object_agg(func.encode(part.c.sha256, "hex"), part.c.size))
    .where(part.c.bid_reference == bid.c.reference)
    .scalar_subquery()
)
TARGET: Final = head_query(
    *HEAD_COLUMNS, lot.c.policy_sha256.label("lot_policy"), lot.c.close_at, _STORED.label("parts")
).where(bid.c.reference == bindparam("reference"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BidTarget:
    """What the checks before the transaction need to know (SB1 S7.2); ``parts`` as ``parts_of`` returns them."""

    head: BidHead
    policy_sha256: str | None
    close_ms: int | None
    parts: dict[str, int]


def target(conn: Connection, reference: str) -> BidTarget | None:
    """Return the bid called ``reference`` with its lot's current policy and deadline, and its stored parts."""
    row = conn.execute(TARGET, {"reference": reference}).one_or_none()
    return None if row is None else target_of(row)


def target_of(row: Row[*tuple[Any, ...]]) -> BidTarget:
    """Return the target in a row of ``TARGET``."""
    policy = row._mapping["lot_policy"]
    return BidTarget(
        head=head_of(row),
        policy_sha256=None if policy is None else bytes(policy).hex(),
        close_ms=row._mapping["close_at"],
        parts=row._mapping["parts"] or {},
    )


_MOST_POLICIES: Final = 256
_POLICIES: Final[dict[str, Policy]] = {}


def policy(conn: Connection, digest: str) -> Policy | None:
    """Return a policy, read and parsed once for all bids of its lot: its name is its digest, it can never be stale."""
    known = _POLICIES.get(digest)
    if known is None:
        stored = documents.get(conn, bytes.fromhex(digest))
        if stored is None:
            return None
        if len(_POLICIES) >= _MOST_POLICIES:
            _POLICIES.clear()
        known = _POLICIES[digest] = parse_policy(stored.doc)
    return known


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One stored version: envelope, withdrawal or rehearsal."""

    bid: str
    seq: int
    kind: str
    doc_sha256: str
    doc: bytes
    sigs: bytes
    h: bytes
    received_at: int


_VERSION = (
    bid.c.reference,
    bid_version.c.seq,
    bid_version.c.kind,
    bid_version.c.doc_sha256,
    bid_version.c.bytes,
    bid_version.c.sigs,
    bid_version.c.h,
    bid_version.c.received_at,
)
_BY_DIGEST: Final = (
    select(*_VERSION).join(bid, bid.c.id == bid_version.c.bid_id).where(bid_version.c.doc_sha256 == bindparam("digest"))
)
_PARTS: Final = select(part.c.sha256, part.c.size).where(part.c.bid_reference == bindparam("reference"))


def _version(row: Row[*tuple[Any, ...]]) -> Version:
    return Version(
        bid=row.reference,
        seq=row.seq,
        kind=row.kind,
        doc_sha256=bytes(row.doc_sha256).hex(),
        doc=bytes(row.bytes),
        sigs=bytes(row.sigs),
        h=bytes(row.h),
        received_at=row.received_at,
    )


def version_by_digest(conn: Connection, doc_sha256: str) -> Version | None:
    """Return the version whose document has this SHA-256, or None."""
    row = conn.execute(_BY_DIGEST, {"digest": bytes.fromhex(doc_sha256)}).one_or_none()
    return None if row is None else _version(row)


def versions_of_bid(conn: Connection, bid_id: int) -> list[Version]:
    """Return every version of one bid, in order."""
    query = select(*_VERSION).join(bid, bid.c.id == bid_version.c.bid_id).where(bid.c.id == bid_id)
    return [_version(row) for row in conn.execute(query.order_by(bid_version.c.seq))]


def versions_of_lot(conn: Connection, procedure_id: int, lot_number: str, stage: str) -> list[Version]:
    """Return every version of every bid of a lot and stage, by bid and sequence."""
    query = (
        select(*_VERSION)
        .join(bid, bid.c.id == bid_version.c.bid_id)
        .where(bid.c.procedure_id == procedure_id, bid.c.lot == lot_number, bid.c.stage == stage)
        .order_by(bid.c.reference, bid_version.c.seq)
    )
    return [_version(row) for row in conn.execute(query)]


def bid_of(conn: Connection, procedure_id: int, lot_number: str, stage: str, bidder: str) -> str | None:
    """Return the bid id that a bidder has for a lot and stage, or None."""
    query = select(bid.c.reference).where(
        bid.c.procedure_id == procedure_id,
        bid.c.lot == lot_number,
        bid.c.stage == stage,
        bid.c.bidder_code == bidder,
    )
    return conn.execute(query).scalar_one_or_none()


def parts_of(conn: Connection, reference: str) -> dict[str, int]:
    """Return the stored parts of a bid: SHA-256 in hex to size in bytes."""
    return {bytes(digest).hex(): size for digest, size in conn.execute(_PARTS, {"reference": reference})}


def find_upload(conn: Connection, reference: str, *, upload_id: str = "", sha256: str = "") -> Upload | None:
    """Return the upload of a bid that has this id, or is of this part; ask with the writing role (SUB-07)."""
    is_it = upload.c.id == upload_id if upload_id else upload.c.sha256 == bytes.fromhex(sha256)
    end = select(func.coalesce(func.max(upload_piece.c.start + upload_piece.c.size), 0))
    query = select(upload, end.where(upload_piece.c.upload_id == upload.c.id).scalar_subquery().label("offset"))
    row = conn.execute(query.where(upload.c.bid_reference == reference, is_it)).one_or_none()
    if row is None:
        return None
    return Upload(
        id=row.id,
        bid=row.bid_reference,
        name=row.name,
        sha256=bytes(row.sha256).hex(),
        length=row.length,
        offset=row._mapping["offset"],
    )


def pieces_of(conn: Connection, upload_id: str) -> list[str]:
    """Return the names of the pieces of an upload, in the order of their bytes."""
    query = select(upload_piece.c.name).where(upload_piece.c.upload_id == upload_id).order_by(upload_piece.c.start)
    return list(conn.execute(query).scalars())


def uploads_of_organisation(conn: Connection, bidder: str) -> int:
    """Return how many uploads an organisation has on their way."""
    joined = upload.join(bid, bid.c.reference == upload.c.bid_reference)
    return conn.execute(select(func.count()).select_from(joined).where(bid.c.bidder_code == bidder)).scalar_one()


def upload_ids(conn: Connection, *, untouched_since: int | None = None) -> list[str]:
    """Return the ids of all uploads, or of those that nobody has touched after an instant (ms)."""
    query = select(upload.c.id)
    return list(
        conn.execute(
            query if untouched_since is None else query.where(upload.c.touched_at <= untouched_since)
        ).scalars()
    )


def part_stored_at(conn: Connection, reference: str, sha256: str) -> int | None:
    """Return when a part of a bid was stored, or supplied again after it had been lost (ms); None if it never was."""
    query = select(part.c.stored_at).where(part.c.bid_reference == reference, part.c.sha256 == bytes.fromhex(sha256))
    return conn.execute(query).scalar_one_or_none()


def manifest(conn: Connection, procedure_id: int, lot_number: str, stage: str) -> tuple[ManifestItem, ...]:
    """Return the valid heads of a lot and stage under its current policy (SB1 S8), by bid id.

    The closer calls this in a new statement after it has the procedure ``FOR UPDATE`` (AL1 L4.5 step 3).
    """
    query = (
        head_query(bid.c.reference, bid.c.head_sha256, bid.c.head_h, bid.c.seq)
        .where(
            bid.c.procedure_id == procedure_id,
            bid.c.lot == lot_number,
            bid.c.stage == stage,
            bid.c.head_kind == "envelope",
            bid.c.policy_sha256 == lot.c.policy_sha256,
        )
        .order_by(bid.c.reference)
    )
    items = [
        ManifestItem(bid=reference, envelope_sha256=bytes(digest).hex(), h=bytes(h).hex(), seq=seq)
        for reference, digest, h, seq in conn.execute(query)
    ]
    return tuple(sorted(items, key=lambda item: item.bid.encode()))


def heads_of_lot(conn: Connection, procedure_id: int, lot_number: str, stage: str) -> dict[str, BidHead]:
    """Return the heads of a lot and stage by bid id; only for use cases after the close."""
    query = head_query(*HEAD_COLUMNS).where(
        bid.c.procedure_id == procedure_id, bid.c.lot == lot_number, bid.c.stage == stage
    )
    return {head.reference: head for head in map(head_of, conn.execute(query))}


def own_bids(conn: Connection, bidder: str) -> list[BidHead]:
    """Return the bids of one organisation."""
    query = head_query(*HEAD_COLUMNS).where(bid.c.bidder_code == bidder).order_by(bid.c.reference)
    return [head_of(row) for row in conn.execute(query)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineRecord:
    """The heartbeat record of a deadline: its commitment and its instant (ms)."""

    h: bytes
    at: int


def deadline_record(
    conn: Connection, procedure_id: int, lot_number: str, stage: str, close: int | None
) -> DeadlineRecord | None:
    """Return the ``deadline.reached`` of this very deadline, or None (TE1 T5 step 2)."""
    query = (
        select(audit_entry.c.h, audit_entry.c.record)
        .where(audit_entry.c.procedure_id == procedure_id, audit_entry.c.kind == "deadline.reached")
        .order_by(audit_entry.c.id)
    )
    for row in conn.execute(query):
        record = loads_object(bytes(row.record))
        body = record["body"]
        if (body["lot"], body["stage"], body["close"]) == (lot_number, stage, close):
            return DeadlineRecord(h=bytes(row.h), at=record["at"])
    return None


def blocked_for(conn: Connection, procedure_id: int, lot_number: str, stage: str, close: int) -> tuple[str, ...]:
    """Return why the close of this very deadline is recorded as blocked, oldest reason first (TE1 T5)."""
    told = _told(conn, procedure_id, ("closing.blocked",), lot_number, stage)
    return tuple(str(record["body"]["reason"]) for record in told if record["at"] >= close)


def confirmed_for(conn: Connection, procedure_id: int, lot_number: str, stage: str, close: int) -> frozenset[str]:
    """Return for which reasons agency and supervisor have confirmed this very deadline (TE1 T5)."""
    reasons = set()
    for record in _told(conn, procedure_id, ("closing.confirmed",), lot_number, stage):
        stored = documents.get(conn, bytes.fromhex(record["body"]["doc_sha256"]))
        if stored is None:
            raise IntegrityFailure(f"document {record['body']['doc_sha256']} is missing")
        document = parse_closing_confirmation(stored.doc)
        if document.close == close:
            reasons.add(document.reason)
    return frozenset(reasons)


def _told(
    conn: Connection, procedure_id: int, kinds: Collection[str], lot_number: str, stage: str
) -> Iterator[dict[str, Any]]:
    """Yield the records of some kinds about one lot and stage, oldest first."""
    own = (audit_entry.c.procedure_id == procedure_id, audit_entry.c.kind.in_(kinds))
    for raw in conn.execute(select(audit_entry.c.record).where(*own).order_by(audit_entry.c.id)).scalars():
        record = loads_object(bytes(raw))
        if (record["body"]["lot"], record["body"]["stage"]) == (lot_number, stage):
            yield record


def schedule_chain(conn: Connection, lot: LotRow) -> list[Schedule]:
    """Return the schedules of a published lot, the one in force first, down to the first (TE1 T2).

    Raises:
        IntegrityFailure: One that the lot or a later schedule names is not stored.
    """
    chain: list[Schedule] = []
    name = lot.schedule_sha256
    while name is not None:
        stored = documents.get(conn, bytes.fromhex(name))
        if stored is None:
            raise IntegrityFailure(f"schedule {name} is missing")
        chain.append(parse_schedule(stored.doc))
        name = chain[-1].supersedes
    return chain


def deadlines(conn: Connection, lot: LotRow, chain: Collection[Schedule]) -> list[Deadline]:
    """Return since when each deadline of a lot has been in force, the first one first; ``chain`` are its schedules."""
    known = {schedule.sha256: schedule for schedule in chain}
    named = (
        (record["at"], known[record["body"]["schedule_sha256"]])
        for record in _told(conn, lot.procedure_id, _OFFERS, lot.number, lot.stage)
    )
    return [Deadline(since=at, close=schedule.close, signed=schedule.cause is None) for at, schedule in named]


def refusals(conn: Connection, lot: LotRow) -> list[dict[str, Any]]:
    """Return every ``bid.refused`` of a lot, in log order, with ``h`` and position as ``placed`` gives them."""
    own = (audit_entry.c.procedure_id == lot.procedure_id, audit_entry.c.kind == "bid.refused")
    return [record for record in placed(conn, *own) if record["subject"] == f"lot:{lot.number}"]


def notice_in_force(conn: Connection, procedure_id: int, lot_number: str, stage: str) -> str:
    """Return the SHA-256 of the notice that the newest publication or change of a lot names."""
    *_, newest = _told(conn, procedure_id, _NOTICED, lot_number, stage)
    return str(newest["body"]["notice_sha256"])


def is_void(conn: Connection, close: int) -> bool:
    """Return whether a deadline fell into a hold of some host's clock, so that it has to be moved (TE1 T3)."""
    return by_clock(list(clock_holds(conn)), close) is not None
