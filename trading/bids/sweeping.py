"""What synthetic bidders leave behind: parts of their old versions, thrown away by a round (TE1 T6, ADR 0054).

Records, envelopes and receipts stay: they are the proof that a bidder was served, and the log refers to them. Sealed
parts prove nothing besides, and nobody can open them. Only hidden lots are looked at, which a record opened, and a part
that any other bid has as well stays.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, exists, select

from trading.audit.ledger import Ledger
from trading.audit.tables import audit_entry
from trading.bids import checks, probing, queries, store
from trading.bids.rules.envelope import Envelope, parse_envelope
from trading.bids.tables import bid, bid_fingerprint, bid_version, part
from trading.storage.objects import ObjectStore

KEEP_MS: Final = 3_600_000  # as long as whoever looks into a failure may want to see the part
MOST_PARTS: Final = 2_000  # of one round; two vantage points send 240 an hour
MOST_FINGERPRINTS: Final = 20_000  # of one lot and round; a version has six
_log = logging.getLogger("mingbiao.storage")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hidden:
    """The bid of a synthetic bidder, and the envelope that stands."""

    procedure_id: int
    reference: str
    standing: Envelope


def sweep(ledger: Ledger, objects: ObjectStore, now: int) -> int:
    """Throw away the parts of versions that stand no more, ``KEEP_MS`` after they came; return how many.

    Objects go before their rows, so whatever dies on the way is done by the next round. A store that lets nothing be
    removed keeps them, and the operator is told.
    """
    with ledger.upkeep() as conn:
        found = _hidden(conn)
        old = [digest for each in found for digest in _old_parts(conn, each, now - KEEP_MS)][:MOST_PARTS]
    for number, digest in enumerate(old):
        try:
            objects.remove(digest)
        except OSError:
            _log.warning("a store lets no old parts of synthetic bidders be removed: they stay")
            return number
        with ledger.upkeep() as conn:
            store.forget_part(conn, digest)
    for each in found:
        with ledger.upkeep() as conn:
            _forget_fingerprints(conn, each)
    return len(old)


def _hidden(conn: Connection) -> list[_Hidden]:
    query = select(bid.c.procedure_id, bid.c.reference, bid.c.head_sha256).where(
        bid.c.procedure_id.in_(_hidden_procedures()), bid.c.head_kind == "envelope"
    )
    return [_standing(conn, row.procedure_id, row.reference, bytes(row.head_sha256)) for row in conn.execute(query)]


def _standing(conn: Connection, procedure_id: int, reference: str, head: bytes) -> _Hidden:
    version = queries.version_by_digest(conn, head.hex())
    assert version is not None  # noqa: S101 - a foreign key of the record: the head is one of the versions
    return _Hidden(procedure_id=procedure_id, reference=reference, standing=parse_envelope(version.doc))


def _old_parts(conn: Connection, hidden: _Hidden, until: int) -> list[str]:
    """Return parts that came before an instant (ms), stand no more and belong to this bid alone, the oldest first."""
    standing = [bytes.fromhex(each.sha256) for each in hidden.standing.parts]
    other = part.alias()
    elsewhere = exists().where(other.c.sha256 == part.c.sha256, other.c.bid_reference != hidden.reference)
    query = (
        select(part.c.sha256)
        .where(part.c.bid_reference == hidden.reference, part.c.stored_at <= until)
        .where(part.c.sha256.not_in(standing), ~elsewhere)
        .order_by(part.c.stored_at)
        .limit(MOST_PARTS)
    )
    return [bytes(digest).hex() for digest in conn.execute(query).scalars()]


def _forget_fingerprints(conn: Connection, hidden: _Hidden) -> None:
    """Forget what no envelope of the lot might repeat: one bidder has it to itself, and old versions conflict anyway.

    What is listed was there before the standing version was read again, so those of a newer one stay.
    """
    own, key = bid_fingerprint.c.procedure_id == hidden.procedure_id, (bid_fingerprint.c.kind, bid_fingerprint.c.sha256)
    listed = {(row.kind, bytes(row.sha256)) for row in conn.execute(select(*key).where(own).limit(MOST_FINGERPRINTS))}
    (now,) = (each for each in _hidden(conn) if each.reference == hidden.reference)
    if gone := listed.difference(checks.fingerprints(now.standing)):
        store.forget_fingerprints(conn, hidden.procedure_id, gone)


def _hidden_procedures() -> Select[Any]:
    """Return the select of the ids of the procedures whose lot is a synthetic bidder's: a record opened it (TE1 T6)."""
    return select(audit_entry.c.procedure_id).where(probing.IS_LOT)


def envelope_documents(conn: Connection) -> Iterator[tuple[bytes, bool]]:
    """Yield the documents of all envelopes that were ever received, and whether their parts must still be there.

    Those of synthetic bidders are thrown away when another version stands.
    """
    may_be_gone = and_(bid.c.procedure_id.in_(_hidden_procedures()), bid.c.head_sha256 != bid_version.c.doc_sha256)
    query = (
        select(bid_version.c.bytes, may_be_gone.label("may_be_gone"))
        .join(bid, bid.c.id == bid_version.c.bid_id)
        .where(bid_version.c.kind == "envelope")
        .order_by(bid_version.c.id)
    )
    for row in conn.execute(query):
        yield bytes(row.bytes), not row.may_be_gone
