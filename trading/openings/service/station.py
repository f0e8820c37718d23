"""What the opening station, the agency and the supervisor are shown of a ceremony (docs/opening-api.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from trading.audit.evidence import LogPart, continuation_proofs, log_parts
from trading.audit.queries import LoggedRecord, records_of, records_of_keys
from trading.audit.runtime import Runtime
from trading.audit.service import WitnessedNote, platform_ms, reader, witnessed
from trading.bids import queries as bids
from trading.bids.rules.envelope import parse_envelope
from trading.documents import queries as stored
from trading.kernel.encoding import b64u
from trading.kernel.errors import IntegrityFailure
from trading.kernel.signed import SignedDocument
from trading.openings import queries
from trading.openings.model import NotYet
from trading.openings.rules.decisions import parse_objection_decision
from trading.openings.service import session as sessions
from trading.openings.service.session import Session
from trading.parties.queries import keys_by_kid


@dataclass(frozen=True, kw_only=True)
class Ceremony:
    """The logged records of one lot and stage, and how they are shown."""

    conn: Connection
    session: Session
    note: WitnessedNote
    parts: Sequence[LogPart]

    @cached_property
    def records(self) -> tuple[LoggedRecord, ...]:
        """Return every logged record of the procedure, in log order."""
        return tuple(records_of(self.conn, self.session.place.procedure_id))

    def of(self, *kinds: str) -> list[LoggedRecord]:
        """Return the records of these kinds about the lot and stage, in log order."""
        here = (self.session.place.lot, self.session.place.stage)
        found = [record for record in self.records if record.kind in kinds]
        return [record for record in found if (record.data["body"]["lot"], record.data["body"]["stage"]) == here]

    def last(self, kind: str) -> LoggedRecord | None:
        """Return the newest record of a kind, or None."""
        found = self.of(kind)
        return found[-1] if found else None

    def closed(self) -> LoggedRecord:
        """Return the close entry.

        Raises:
            NotYet: It is not in a witnessed checkpoint yet (TE1 T5 step 6).
        """
        record = self.last("tender.closed")
        if record is None or record.n >= self.note.size:
            raise NotYet("the close entry is not witnessed yet")
        return record

    def document(self, sha256: str) -> SignedDocument:
        """Return a stored document."""
        found = stored.get(self.conn, bytes.fromhex(sha256))
        if found is None:
            raise IntegrityFailure(f"document {sha256} is missing")
        return SignedDocument.from_parts(found.doc, found.sigs)

    def documents(self, kind: str, name: str) -> list[dict[str, Any]]:
        """Return the signed documents that records of a kind name in the body field ``name``, with ``at`` and ``n``."""
        rows = []
        for record in self.of(kind):
            data = record.data
            rows.append({**self.document(data["body"][name]).wire(), "at": data["at"], "n": record.n})
        return rows


def load(runtime: Runtime, conn: Connection, where: tuple[str, str, str]) -> Ceremony:
    """Return the ceremony of a closed lot.

    Raises:
        NotYet: The close entry is not witnessed yet.
        NotFound: No such lot.
    """
    log = reader(runtime.log_dir)
    note = witnessed(runtime, log)
    session = sessions.read(conn, *where)
    if note is None or session.lot.phase in {"draft", "open"}:
        raise NotYet("the lot is not closed yet")
    ceremony = Ceremony(conn=conn, session=session, note=note, parts=log_parts(conn, log, note))
    ceremony.closed()
    return ceremony


def show(ceremony: Ceremony) -> dict[str, Any]:
    """Return everything that is needed to make an order and to watch the ceremony."""
    closed, listed = ceremony.closed(), ceremony.last("factor.closed")
    rows = _bids(ceremony, closed)
    lot = ceremony.session.lot
    return {
        "adjudications": [
            _without(row, "at") for row in ceremony.documents("share.adjudicated", "adjudication_sha256")
        ],
        "bidder_keys": _bidder_keys(ceremony, rows),
        "bids": rows,
        "checkpoint": ceremony.note.note.decode(),
        "continued": [proof.decode() for proof in continuation_proofs(ceremony.conn, ceremony.parts)],
        "closed": {"body": closed.data["body"], "h": closed.h.hex(), "n": closed.n},
        "custodians": _custodians(ceremony),
        "factor_list": None if listed is None else ceremony.document(_body(listed)["factor_list_sha256"]).wire(),
        "omitted": [],
        "orders": _orders(ceremony),
        "policy": ceremony.document(str(lot.policy_sha256)).wire(),
        "schedule": ceremony.document(str(lot.schedule_sha256)).wire(),
        "share_checks": ceremony.documents("share.checked", "check_sha256"),
        "steps": _steps(ceremony),
        "time": platform_ms(ceremony.conn),
    }


def _body(record: LoggedRecord) -> dict[str, Any]:
    body: dict[str, Any] = record.data["body"]
    return body


def _without(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def _bids(ceremony: Ceremony, closed: LoggedRecord) -> list[dict[str, Any]]:
    """Return the heads of the manifest and the bids added by objection, by bid id."""
    place = ceremony.session.place
    by_h = {record.h.hex(): record for record in ceremony.of("bid.received") if record.n < closed.n}
    heads = {item.h: None for item in bids.manifest(ceremony.conn, place.procedure_id, place.lot, place.stage)}
    return sorted(
        (_bid(ceremony, by_h[h], objection_h) for h, objection_h in (heads | _added(ceremony, by_h)).items()),
        key=lambda row: row["bid"],
    )


def _bid(ceremony: Ceremony, record: LoggedRecord, objection_h: str | None) -> dict[str, Any]:
    body = _body(record)
    version = bids.version_by_digest(ceremony.conn, body["envelope_sha256"])
    if version is None:
        raise IntegrityFailure(f"envelope {body['envelope_sha256']} is missing")
    told = {name: body[name] for name in ("bid", "bidder", "envelope_sha256", "received_at", "seq")}
    envelope = SignedDocument.from_parts(version.doc, version.sigs).wire()
    return {**told, "envelope": envelope, "h": record.h.hex(), "n": record.n, "objection_h": objection_h}


def _added(ceremony: Ceremony, by_h: Mapping[str, LoggedRecord]) -> dict[str, str]:
    """Return, by commitment of its record, the ``objection_h`` of each bid that a decision added (S9.2)."""
    by_envelope = {_body(record)["envelope_sha256"]: h for h, record in by_h.items()}
    added = {}
    for record in ceremony.of("objection.decided"):
        decision = parse_objection_decision(ceremony.document(_body(record)["decision_sha256"]).doc)
        if decision.decision == "add" and decision.envelope_sha256 in by_envelope:
            added[by_envelope[decision.envelope_sha256]] = record.h.hex()
    return added


def _custodians(ceremony: Ceremony) -> list[dict[str, Any]]:
    rows = ceremony.session.policy["custodians"]
    keys = keys_by_kid(ceremony.conn, [row["kid"] for row in rows])
    return [{"i": row["i"], "key": b64u(keys[row["kid"]].spki), "kid": row["kid"]} for row in rows]


def _bidder_keys(ceremony: Ceremony, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every ``bidder_kid`` of the lot with the positions between which it was valid (P6.2)."""
    envelopes = (SignedDocument.from_wire(row["envelope"]).doc for row in rows)
    kids = sorted({parse_envelope(doc).bidder_kid for doc in envelopes})
    keys = keys_by_kid(ceremony.conn, kids)
    found: dict[str, dict[str, Any]] = {}
    for record in records_of_keys(ceremony.conn, kids):
        kid = _body(record)["kid"]
        if record.kind == "key.registered":
            key = {"key": b64u(keys[kid].spki), "kid": kid, "org": keys[kid].org_code}
            found.setdefault(kid, {**key, "registered_n": record.n, "revoked_n": None})
        elif found[kid]["revoked_n"] is None:
            found[kid]["revoked_n"] = record.n
    return [found[kid] for kid in kids if kid in found]


def _orders(ceremony: Ceremony) -> list[dict[str, Any]]:
    rows = ceremony.documents("open.ordered", "order_sha256")
    return [{**row, "h": record.h.hex()} for row, record in zip(rows, ceremony.of("open.ordered"), strict=True)]


def _steps(ceremony: Ceremony) -> dict[str, Any]:
    closings = ceremony.of("factor.closed")
    opened, gaps = ceremony.last("factor.opened"), ceremony.last("release.gaps")
    combined, completed = ceremony.last("opening.combined"), ceremony.last("opening.completed")
    return {
        "combined": None if combined is None else {"items": _body(combined)["items"], "n": combined.n},
        "completed": None if completed is None else {"n": completed.n},
        "factor_closed": _instant(closings[-1]) if closings else None,
        "factor_opened": None if opened is None else {"ends_at": _body(opened)["ends_at"], "n": opened.n},
        "first_factor_closed": _instant(closings[0]) if closings else None,
        "gaps": None if gaps is None else {**_instant(gaps), "bids": _body(gaps)["bids"]},
        "release_closed": _maybe_instant(ceremony.last("release.closed")),
    }


def _instant(record: LoggedRecord) -> dict[str, int]:
    return {"at": record.data["at"], "n": record.n}


def _maybe_instant(record: LoggedRecord | None) -> dict[str, int] | None:
    return None if record is None else _instant(record)


def releases(ceremony: Ceremony) -> list[dict[str, Any]]:
    """Return the releases so far, by log position."""
    rows = ceremony.documents("share.released", "release_sha256")
    records = ceremony.of("share.released")
    return [
        {**row, "custodian": _body(record)["custodian"], "h": record.h.hex()}
        for row, record in zip(rows, records, strict=True)
    ]


def factors(ceremony: Ceremony) -> dict[str, list[dict[str, Any]]]:
    """Return the revealed factors and the rescues: secrets, so only after ``release.closed`` (S9.7).

    Raises:
        NotYet: Before it is logged.
    """
    if ceremony.last("release.closed") is None:
        raise NotYet("the release is not closed yet")
    closings = ceremony.of("factor.closed")
    first = closings[0].n if closings else 0
    known = queries.factors(ceremony.conn, ceremony.session.place)
    revealed, rescues = [], []
    for record in ceremony.records:
        factor = known.get(record.data["body"].get("bid", ""))
        if factor is None or record.kind not in {"factor.revealed", "rescue.accepted"}:
            continue
        told = {"bid": factor.bid, "envelope_sha256": _body(record)["envelope_sha256"], "s_b": factor.s_b.hex()}
        if record.kind == "factor.revealed":
            revealed.append({**told, "first_list": record.n < first})
        elif factor.s_c is not None:
            rescues.append({**told, "s_c": factor.s_c.hex()})
    return {"factors": revealed, "rescues": rescues}


def is_used_part(ceremony: Ceremony, sha256: str) -> bool:
    """Return whether the part belongs to a bid to be opened and was stored before ``release.closed`` (S9.7)."""
    closed = ceremony.last("release.closed")
    for row in _bids(ceremony, ceremony.closed()):
        envelope = parse_envelope(SignedDocument.from_wire(row["envelope"]).doc)
        if sha256 in {part.sha256 for part in envelope.parts}:
            stored_at = bids.part_stored_at(ceremony.conn, envelope.bid, sha256)
            return stored_at is not None and (closed is None or stored_at < closed.data["at"])
    return False
