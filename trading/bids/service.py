"""Use cases of bidders: get a bid id, store parts, submit, replace, withdraw (SB1 S7).

Order of every submission: checks without a lock (S7.2), then one transaction (S7.3): capture, procedure, key, head,
fingerprints, entry, rows. A refusal rolls back and is recorded in its own transaction.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.bids import model, queries, store
from trading.bids.model import BidHead, Received
from trading.bids.queries import BidTarget, Version
from trading.bids.rules.envelope import (
    Envelope,
    Withdrawal,
    parse_envelope,
    parse_withdrawal,
    require_policy,
    require_withdrawal_policy,
)
from trading.bids.rules.policy import Policy, parse_policy
from trading.crypto.envelope import require_part_shape
from trading.crypto.signatures import SignedDocument, sig_sha256, verify_es256
from trading.documents import queries as documents
from trading.kernel.digests import sha256
from trading.kernel.errors import InvalidInput, NotFound, NotPermitted, RuleBroken
from trading.kernel.ids import new_bid_reference
from trading.kernel.roles import Actor
from trading.parties import store as keys
from trading.parties.model import SigningKey
from trading.procedures import queries as procedures
from trading.storage.objects import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted submission: the commitment of its record, and whether it had been accepted before."""

    h: bytes
    doc_sha256: str
    received_at: int
    repeated: bool = False


class Refused(Exception):
    """A refused submission, already recorded; carries what the signed acknowledgement needs (AL1 L8.4)."""

    def __init__(self, reason: RuleBroken | InvalidInput, *, h: bytes, doc_sha256: str, received_at: int) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.h = h
        self.doc_sha256 = doc_sha256
        self.received_at = received_at


def start_bid(ledger: Ledger, actor: Actor, *, reference: str, lot: str, stage: str) -> str:
    """Return the bid id of this bidder for the lot and stage: a new random one, or the one it already has."""
    if actor.organisation is None:
        raise NotPermitted("an account of an organisation is needed")
    with ledger.begin(actor) as uow:
        found = procedures.find(uow.connection, reference)
        act = uow.act_begin(found.id, lot, stage)
        model.require_in_time(received_at=act.received_at, close=act.close_at, phase=act.phase, hold=act.hold)
        existing = store.lock_existing(uow, found.id, lot, stage, actor.organisation)
        if existing is not None:
            return existing
        bid = new_bid_reference()
        event = model.start(
            bid=bid, bidder=actor.organisation, lot=lot, stage=stage, procedure=reference, procedure_id=found.id
        )
        recorded = uow.record(event)
        store.add_head(
            uow,
            recorded,
            procedure_id=found.id,
            lot_number=lot,
            stage=stage,
            reference=bid,
            bidder=actor.organisation,
        )
    return bid


def store_part(ledger: Ledger, objects: ObjectStore, actor: Actor, bid: str, body: BinaryIO) -> tuple[str, int]:
    """Store the ciphertext of one part under its digest, at any time before the deadline; return (SHA-256, size)."""
    with ledger.read() as conn:
        _own(queries.target(conn, bid), actor)
    digest, size = objects.put_stream(body)
    with ledger.upkeep() as conn:
        known = queries.parts_of(conn, bid)
        if digest not in known:
            store.add_part(conn, bid, digest, size)
    return digest, size


def _own(found: BidTarget | None, actor: Actor) -> BidTarget:
    if found is None or found.head.bidder != actor.organisation:
        raise NotFound("bid")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A submission as it arrived: the document, and the monotonic instant of its last byte (TE1 T4.1)."""

    bid: str
    signed: SignedDocument
    last_byte: float

    def queue_ms(self) -> int:
        """Return how long it has waited inside the platform, in ms (TE1 T4.2)."""
        return max(0, round((time.monotonic() - self.last_byte) * 1000))


def submit(ledger: Ledger, objects: ObjectStore, actor: Actor, arrival: Arrival) -> Accepted:
    """Record one sealed bid or its replacement; the same bytes again return the first answer.

    Raises:
        Refused: The protocol or the law refuses it; the refusal is recorded.
        NotFound: Not a bid of this organisation.
    """
    with ledger.read() as conn:
        target = _own(queries.target(conn, arrival.bid), actor)
        before = queries.version_by_digest(conn, arrival.signed.sha256)
        if before is not None:
            return _repeated(before, target)
        stored = queries.parts_of(conn, arrival.bid)
        with _recording_refusal(ledger, actor, target, arrival):
            key, policy = _signer(conn, actor, arrival.signed), _policy(conn, target)
            envelope = _checked_envelope(arrival.signed, target, key, policy)
    with _recording_refusal(ledger, actor, target, arrival):
        _require_parts(objects, envelope, policy, stored)
        return _commit(ledger, actor, target, arrival, envelope, _fingerprints(envelope))


def withdraw(ledger: Ledger, actor: Actor, arrival: Arrival) -> Accepted:
    """Record a withdrawal before the deadline (SB1 S7.5); the bidder may submit again."""
    with ledger.read() as conn:
        target = _own(queries.target(conn, arrival.bid), actor)
        before = queries.version_by_digest(conn, arrival.signed.sha256)
        if before is not None:
            return _repeated(before, target)
        with _recording_refusal(ledger, actor, target, arrival):
            key, policy = _signer(conn, actor, arrival.signed), _policy(conn, target)
            withdrawal = parse_withdrawal(arrival.signed.doc)
            _require_own(withdrawal, target, key)
            require_withdrawal_policy(withdrawal, policy)
    with _recording_refusal(ledger, actor, target, arrival):
        return _commit(ledger, actor, target, arrival, withdrawal, ())


def _repeated(before: Version, target: BidTarget) -> Accepted:
    if before.bid != target.head.reference:
        raise NotFound("bid")
    return Accepted(h=before.h, doc_sha256=before.doc_sha256, received_at=before.received_at, repeated=True)


def _signer(conn: Connection, actor: Actor, signed: SignedDocument) -> SigningKey:
    """S7.2 item 3: one signature, by a registered bidder key of the organisation; it verifies."""
    if len(signed.sigs) != 1:
        raise RuleBroken("sig.missing", "SB1 S7.2")
    key = keys.key_by_kid(conn, signed.sigs[0]["kid"])
    if key is None or key.org_code != actor.organisation or key.role != "bidder":
        raise RuleBroken("sig.key_unknown", "SB1 S7.2", kid=signed.sigs[0]["kid"])
    verify_es256(key.spki, signed.doc, signed.sigs[0])
    return key


def _policy(conn: Connection, target: BidTarget) -> Policy:
    if target.policy_sha256 is None:
        raise RuleBroken("bid.closed", "SUB-01")
    stored = documents.get(conn, bytes.fromhex(target.policy_sha256))
    if stored is None:
        raise NotFound("policy")
    return _parsed_policy(stored.doc)


# The same policy is parsed once for all bids of its lot; its bytes are the key, so it can never be stale.
_parsed_policy = lru_cache(maxsize=256)(parse_policy)


def _checked_envelope(signed: SignedDocument, target: BidTarget, key: SigningKey, policy: Policy) -> Envelope:
    envelope = parse_envelope(signed.doc)
    _require_own(envelope, target, key)
    require_policy(envelope, policy)
    return envelope


def _require_own(document: Envelope | Withdrawal, target: BidTarget, key: SigningKey) -> None:
    head = target.head
    told = (document.bid, document.bidder, document.tender, document.lot, document.stage)
    if told != (head.reference, head.bidder, head.procedure, head.lot, head.stage):
        raise InvalidInput("policy.mismatch", "the document names another bid, bidder, tender, lot or stage")
    if document.bidder_kid != key.kid:
        raise RuleBroken("sig.invalid", "SB1 S7.2", kid=key.kid)


def _require_parts(objects: ObjectStore, envelope: Envelope, policy: Policy, stored: dict[str, int]) -> None:
    """S7.2 item 5: every part is stored, its size as stated, its age header and price body of the right shape."""
    for part in envelope.parts:
        if part.sha256 not in stored:
            raise RuleBroken("bid.part_missing", "SB1 S7.2", part=part.name)
        if stored[part.sha256] != part.size:
            raise RuleBroken("bid.part_mismatch", "SB1 S7.2", part=part.name)
        head = next(objects.chunks(part.sha256), b"")
        price_bytes = policy.price_bytes if part.name == "price" else None
        try:
            require_part_shape(head, part.size, price_bytes)
        except InvalidInput as error:
            raise RuleBroken("bid.part_shape", "SB1 S7.2", part=part.name) from error


def _fingerprints(envelope: Envelope) -> tuple[tuple[str, bytes], ...]:
    """S7.3 step 5: what no other envelope of the lot may repeat."""
    found = [("seed_commit", envelope.seed_commit)]
    if envelope.factor_commit is not None:
        found.append(("factor_commit", envelope.factor_commit))
    found.extend(("part", bytes.fromhex(part.sha256)) for part in envelope.parts)
    found.extend(("ct", sha256(share.ct)) for share in envelope.shares)
    return tuple(found)


def _commit(
    ledger: Ledger,
    actor: Actor,
    target: BidTarget,
    arrival: Arrival,
    document: Envelope | Withdrawal,
    fingerprints: tuple[tuple[str, bytes], ...],
) -> Accepted:
    """The transaction of S7.3; the order of its steps is normative."""
    head, signature = target.head, arrival.signed.sigs[0]
    with ledger.begin(actor) as uow:
        queue_ms = arrival.queue_ms()
        act = uow.act_begin(head.procedure_id, head.lot, head.stage)
        model.require_in_time(received_at=act.received_at, close=act.close_at, phase=act.phase, hold=act.hold)
        _require_active(uow, signature["kid"])
        locked = store.lock_head(uow, head.id)
        if locked.head.head_sha256 == arrival.signed.sha256 and locked.head.head_h is not None:
            return Accepted(
                h=locked.head.head_h,
                doc_sha256=arrival.signed.sha256,
                received_at=act.received_at,
                repeated=True,
            )
        if locked.current_policy != document.policy_sha256:
            raise RuleBroken("policy.superseded", "SB1 S3.4")
        received = Received(
            doc_sha256=arrival.signed.sha256,
            sig_sha256=sig_sha256(signature),
            seq=document.seq,
            supersedes=document.supersedes,
            received_at=act.received_at,
            queue_ms=queue_ms,
        )
        kind = "envelope" if isinstance(document, Envelope) else "withdrawal"
        event = model.receive(locked.head, received) if kind == "envelope" else model.withdraw(locked.head, received)
        store.add_fingerprints(uow, locked.head, fingerprints)
        recorded = uow.record(event)
        store.add_version(
            uow, recorded, locked.head, received, kind=kind, doc=arrival.signed.doc, sigs=arrival.signed.sigs_bytes
        )
        store.move_head(uow, recorded, locked.head, received, kind=kind, policy_sha256=document.policy_sha256)
    return Accepted(h=recorded.h, doc_sha256=received.doc_sha256, received_at=received.received_at)


def _require_active(uow: UnitOfWork, kid: str) -> None:
    key = keys.lock_key(uow, kid)
    if key is None or not key.active:
        raise RuleBroken("sig.key_revoked", "P6.2", kid=kid)


@contextmanager
def _recording_refusal(ledger: Ledger, actor: Actor, target: BidTarget, arrival: Arrival) -> Iterator[None]:
    """Turn a refusal into a recorded one: its entry is written after the refused transaction has rolled back (P11)."""
    try:
        yield
    except (RuleBroken, InvalidInput) as reason:
        received_at = reason.facts.get("received_at")
        head: BidHead = target.head
        with ledger.begin(actor) as uow:
            at = received_at if isinstance(received_at, int) else uow.at
            event = model.refuse(
                code=reason.code,
                envelope_sha256=arrival.signed.sha256,
                queue_ms=arrival.queue_ms(),
                received_at=at,
                lot=head.lot,
                procedure=head.procedure,
                procedure_id=head.procedure_id,
            )
            recorded = uow.record(event)
        raise Refused(reason, h=recorded.h, doc_sha256=arrival.signed.sha256, received_at=at) from reason
