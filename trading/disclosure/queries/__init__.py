"""What a bundle of one procedure is made of, read from the record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.queries import LoggedRecord, logged, records_of, records_of_draw
from trading.audit.tables import audit_entry
from trading.bids import queries as bids
from trading.bids.queries import Version, versions_of_lot
from trading.documents.queries import of_procedure
from trading.documents.tables import document
from trading.experts import queries as experts
from trading.experts.model import REGISTER_KINDS
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound
from trading.kernel.events import Registry
from trading.kernel.ids import PRACTICE
from trading.kernel.roles import Actor, Role
from trading.kernel.signed import SignedDocument
from trading.notices.tables import notice
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.openings.rules.factors import make_rescue
from trading.openings.rules.transcripts import make_audit_item, parse_transcript
from trading.procedures import queries as procedures
from trading.procedures.tables import procedure

_LEAVES: Final = frozenset({"mb.draw-leaves"})
_KEYS: Final = frozenset({"mb.draw-exclusions", "mb.draw-keys"})


@dataclass(slots=True)
class Contents:
    """Records in log order, documents by SHA-256, and the parts (SHA-256 to name) that envelopes name."""

    records: list[LoggedRecord] = field(default_factory=list)
    documents: dict[str, SignedDocument] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    key_records: list[LoggedRecord] = field(default_factory=list)
    enrolments: list[SignedDocument] = field(default_factory=list)

    def add(self, signed: SignedDocument) -> None:
        """Add one document."""
        self.documents[signed.sha256] = signed


def of_one(conn: Connection, reference: str) -> Contents:
    """Return everything that belongs to one procedure, with the keys that its documents were signed with."""
    row = procedures.find(conn, reference)
    contents = Contents(records=records_of(conn, row.id))
    for stored in of_procedure(conn, row.id):
        contents.add(SignedDocument.from_parts(stored.doc, stored.sigs))
    _add_notices(conn, row.id, contents)
    for lot in procedures.lots_of(conn, row.id):
        for version in versions_of_lot(conn, row.id, lot.number, lot.stage):
            _add_version(version, contents)
        _add_unrecorded(
            conn, Place(procedure=reference, procedure_id=row.id, lot=lot.number, stage=lot.stage), contents
        )
    contents.enrolments = _enrolments(conn)
    contents.key_records = [
        record for record in records_of(conn, None) if record.kind in {"key.registered", "key.revoked"}
    ]
    return contents


def evidence_of(conn: Connection, contents: Contents) -> list[LoggedRecord]:
    """Return the records of no procedure from which deadlines of the contents moved by rule (TE1 T6)."""
    named = {
        bytes.fromhex(h)
        for record in contents.records
        if record.kind == "tender.changed"
        for h in record.data["body"]["evidence"]
    }
    if not named:
        return []
    return logged(conn, audit_entry.c.h.in_(named) & audit_entry.c.procedure_id.is_(None))


def of_draw(conn: Connection, draw: str, *, audit: bool) -> tuple[Contents, str | None]:
    """Return everything of a draw, and the procedure that it served once that is disclosed (docs/bundle-format.md).

    Raises:
        NotFound: Not disclosed yet; for auditors, without a result.
    """
    row = experts.find_draw(conn, draw)
    if row.state != "disclosed" and not (audit and row.result_sha256 is not None):
        raise NotFound(draw)
    contents = Contents(records=records_of_draw(conn, draw))
    rest = records_of(conn, None)
    keys = {key.doc_sha256 for key in experts.share_keys(conn, draw)}
    contents.records += [record for record in rest if _is_of_draw(record, keys, audit=audit)]
    contents.records.sort(key=lambda record: record.n)
    for digest in {*keys, *_named(contents.records)}:
        contents.add(experts.signed_document(conn, digest))
    _add_opened(conn, draw, _LEAVES | _KEYS if audit else _LEAVES, contents)
    contents.enrolments = _enrolments(conn)
    contents.key_records = [record for record in rest if record.kind in {"key.registered", "key.revoked"}]
    disclosed = [record.data["body"]["procedure"] for record in contents.records if record.kind == "draw.disclosed"]
    return contents, disclosed[0] if disclosed else None


def _add_opened(conn: Connection, draw: str, types: Collection[str], contents: Contents) -> None:
    """Add what the contact service opened of a draw: leaves of those who sit, for auditors the keys of the pool."""
    for paper in experts.papers(conn, draw):
        if paper.typ in types:
            contents.add(paper.signed)


def _is_of_draw(record: LoggedRecord, keys: Collection[str], *, audit: bool) -> bool:
    if record.kind in {"custodian.challenged", "custodian.proved"}:
        return record.data["body"]["custodian_key_sha256"] in keys
    return audit and (record.kind in REGISTER_KINDS or record.kind == "pool.snapshot")


def _named(records: Iterable[LoggedRecord]) -> Iterator[str]:
    """Yield the documents that records of a draw or of the register name."""
    for record in records:
        if record.kind.startswith("draw.") or record.kind in REGISTER_KINDS:
            for field, value in record.data["body"].items():
                if field.endswith("_sha256"):
                    yield value


def of_all(conn: Connection) -> Contents:
    """Return the documents and parts of every procedure, and the documents outside any; the log brings the records.

    Of practice tenders there is nothing: nothing came of them, and no trust file knows who signed there (ADR 0061).
    """
    contents = Contents()
    real = procedure.c.reference.not_like(f"{PRACTICE}%")
    for reference in conn.execute(select(procedure.c.reference).where(real).order_by(procedure.c.reference)).scalars():
        one = of_one(conn, reference)
        contents.documents.update(one.documents)
        contents.parts.update(one.parts)
    outside = select(document.c.bytes, document.c.sigs).where(document.c.procedure_id.is_(None))
    for row in conn.execute(outside):
        contents.add(SignedDocument.from_parts(bytes(row.bytes), bytes(row.sigs)))
    for drawn in experts.draws_in(conn, "resulted", "disclosed"):
        _add_opened(conn, drawn.draw, _LEAVES | _KEYS, contents)
    return contents


def _add_notices(conn: Connection, procedure_id: int, contents: Contents) -> None:
    query = select(notice.c.bytes, notice.c.sigs).where(notice.c.procedure_id == procedure_id)
    for row in conn.execute(query.order_by(notice.c.number)):
        contents.add(SignedDocument.from_parts(bytes(row.bytes), bytes(row.sigs)))


def _add_version(version: Version, contents: Contents) -> None:
    contents.add(SignedDocument.from_parts(version.doc, version.sigs))
    if version.kind == "envelope":
        for part in loads_object(version.doc)["parts"]:
            contents.parts[part["sha256"]] = part["name"]


def _add_unrecorded(conn: Connection, place: Place, contents: Contents) -> None:
    """Add what proves itself and stands in no record: statements of non-release and, once all is open, rescues."""
    for draft in openings.drafts(conn, place, "sb1.non-release"):
        contents.add(SignedDocument.from_parts(draft.doc, draft.sigs))
    row = openings.opening_row(conn, place)
    if row is None or row.step != "completed":
        return  # the secrets of a rescue are for auditors only after the opening (SB1 S11)
    for factor in openings.factors(conn, place).values():
        if factor.s_c is not None:
            contents.add(SignedDocument(_rescue(contents, factor.bid, factor.s_b, factor.s_c)))


def _rescue(contents: Contents, bid: str, s_b: bytes, s_c: bytes) -> bytes:
    """Return the ``sb1.rescue`` as it was received: its values are kept, and its form has no choice."""
    bodies = [record.data["body"] for record in contents.records if record.kind == "rescue.accepted"]
    named = next(body["envelope_sha256"] for body in bodies if body["bid"] == bid)
    return make_rescue(bid, named, s_b=s_b, s_c=s_c)


def _enrolments(conn: Connection) -> list[SignedDocument]:
    query = select(document.c.bytes, document.c.sigs).where(document.c.typ == "mb.key-enrol")
    return [SignedDocument.from_parts(bytes(row.bytes), bytes(row.sigs)) for row in conn.execute(query)]


def readable_bid(conn: Connection, actor: Actor, bid: str) -> tuple[str, bool]:
    """Return the procedure of a bid whose evidence an actor may have, and whether the bid is the actor's own.

    Raises:
        NotFound: No such bid, or the actor is neither its bidder nor the supervisor of its procedure nor an auditor.
    """
    target = bids.target(conn, bid)
    if target is None:
        raise NotFound(bid)
    head, own = target.head, actor.organisation
    is_own = Role.BIDDER in actor.roles and head.bidder == own
    supervises = Role.SUPERVISOR in actor.roles and procedures.find(conn, head.procedure).supervisor_code == own
    if not is_own and not supervises and Role.AUDITOR not in actor.roles:
        raise NotFound(bid)
    return head.procedure, is_own


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnItems:
    """What proves the result of one bid beyond what everybody gets: its row of the audit transcript, rescue, parts."""

    items: tuple[SignedDocument, ...]
    parts: dict[str, str]

    def add_to(self, contents: Contents) -> None:
        """Add both to a bundle that was restricted to a lower tier."""
        for item in self.items:
            contents.add(item)
        contents.parts.update(self.parts)


def own_items(contents: Contents, bid: str) -> OwnItems:
    """Return the items of one bid, for its bidder (SB1 S11); of everything else nothing.

    Raises:
        NotFound: No completed opening lists the bid.
    """
    named = {digest for record in contents.records for digest in _transcripts_of(record)}
    transcripts = [parse_transcript(contents.documents[digest].doc) for digest in named & contents.documents.keys()]
    made = [make_audit_item(each, bid) for each in transcripts if each.tier == "audit"]
    items = [SignedDocument(raw) for raw in made if raw is not None]
    if not items:
        raise NotFound(bid)
    items += [signed for signed in contents.documents.values() if _is_rescue_of(signed, bid)]
    envelopes = {ordered["envelope_sha256"] for ordered in _ordered_bids(contents) if ordered["bid"] == bid}
    parts = {
        part["sha256"]: part["name"]
        for digest in envelopes & contents.documents.keys()
        for part in loads_object(contents.documents[digest].doc)["parts"]
    }
    return OwnItems(items=tuple(items), parts=parts)


def _is_rescue_of(signed: SignedDocument, bid: str) -> bool:
    document = loads_object(signed.doc)
    return (document["typ"], document.get("bid")) == ("sb1.rescue", bid)


def _transcripts_of(record: LoggedRecord) -> list[str]:
    found: list[str] = record.data["body"]["transcript_sha256s"] if record.kind == "opening.completed" else []
    return found


def with_keys(contents: Contents) -> None:
    """Add registration, revocation and enrolment of every key that signed a document of the bundle."""
    kids = {sig["kid"] for signed in contents.documents.values() for sig in signed.sigs}
    contents.records += [record for record in contents.key_records if record.data["body"]["kid"] in kids]
    contents.records.sort(key=lambda record: record.n)
    for signed in contents.enrolments:
        if any(sig["kid"] in kids for sig in signed.sigs):
            contents.add(signed)


def is_completed(contents: Contents) -> bool:
    """Say whether every lot that was ordered to open has been opened to its end."""
    kinds = [record.kind for record in contents.records]
    return kinds.count("opening.completed") >= len(ordered_places(contents)) > 0


def evaluated_entries(contents: Contents) -> set[int]:
    """Return the positions of records whose evaluation is over.

    Those of every lot once one is ranked, as the committee has signed its one report by then; those of a lot that
    failed from its failure on.
    """
    failed = {
        (record.data["procedure"], _place(record.data["body"]))
        for record in contents.records
        if record.kind == "lot.failed"
    }
    ranked = {record.data["procedure"] for record in contents.records if record.kind == "bids.ranked"}
    return {
        record.n
        for record in contents.records
        if record.data["procedure"] in ranked or (record.data["procedure"], _of(record.data["body"])) in failed
    }


def _of(body: dict[str, Any]) -> tuple[str | None, str | None]:
    return body.get("lot"), body.get("stage")


def ordered_places(contents: Contents) -> set[tuple[str, str]]:
    """Return lot and stage of every open order."""
    return {_place(record.data["body"]) for record in contents.records if record.kind == "open.ordered"}


def _place(body: dict[str, Any]) -> tuple[str, str]:
    return body["lot"], body["stage"]


def listed_bids(contents: Contents) -> set[str]:
    """Return the bids of the newest order of every lot; before an order, none."""
    return {bid["bid"] for bid in _ordered_bids(contents)}


def ordered_envelopes(contents: Contents) -> set[str]:
    """Return the SHA-256 of the envelopes that the newest orders open: the standing versions."""
    return {bid["envelope_sha256"] for bid in _ordered_bids(contents)}


def _ordered_bids(contents: Contents) -> list[dict[str, Any]]:
    newest: dict[tuple[str, str], str] = {}
    for record in contents.records:
        if record.kind == "open.ordered":
            newest[_place(record.data["body"])] = record.data["body"]["order_sha256"]
    orders = [contents.documents[digest] for digest in newest.values() if digest in contents.documents]
    return [bid for order in orders for bid in loads_object(order.doc)["bids"]]


def public_kinds(registry: Registry) -> frozenset[str]:
    """Return the names of the kinds that are published with their nonce, (P) in AL1 L2."""
    return frozenset(kind.name for kind in registry if kind.public)
