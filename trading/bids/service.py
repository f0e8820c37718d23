"""Use cases of bidders: get a bid id, store parts, submit, replace, withdraw (SB1 S7).

Order of every submission: checks without a lock (S7.2), then one transaction (S7.3): capture, procedure, key, head,
fingerprints, entry, rows. A refusal rolls back and is recorded in its own transaction.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.bids import checks, model, queries, store, submissions
from trading.bids.model import BidHead, Received
from trading.bids.queries import BidTarget, Version
from trading.bids.rules.envelope import (
    Envelope,
    Withdrawal,
    parse_envelope,
    parse_withdrawal,
    require_withdrawal_policy,
)
from trading.bids.rules.policy import Policy
from trading.bids.rules.uploads import part_limit
from trading.bids.turns import Turns
from trading.crypto.signatures import SignedDocument, sig_sha256
from trading.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted, RuleBroken
from trading.kernel.ids import new_bid_reference
from trading.kernel.roles import Actor
from trading.parties import store as keys
from trading.parties.model import SigningKey
from trading.procedures import queries as procedures
from trading.procedures.queries import ProcedureRow
from trading.storage.objects import MAX_PART, ObjectStore, stored_size
from trading.storage.streams import expecting

# Two processors have enough to do with four, whatever waits for the database; a lock is waited for twice as long.
_TURNS: Final = Turns(4, patience_s=2.0)
# What refuses by what stands now; whoever was taken before gets the first answer again (SB1 S7.1).
_MAY_BE_REPEATED: Final = {"bid.late", "bid.closed", "clock.hold", "bid.version_conflict", "policy.superseded"}


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
    """Return the bid id of this bidder for the lot and stage: a new random one, or the one it already has.

    Raises:
        NotFound: No such lot, or not published yet; whoever has a bid id in a tender that never is may go on.
        RuleBroken: ``bid.late``, ``bid.closed``, ``clock.hold``.
    """
    if actor.organisation is None:
        raise NotPermitted("an account of an organisation is needed")
    try:
        return _start(ledger, actor, actor.organisation, (reference, lot, stage))
    except Conflict:
        # The same bidder asked twice at once; by now the other transaction has the id.
        return _start(ledger, actor, actor.organisation, (reference, lot, stage))


def _start(ledger: Ledger, actor: Actor, organisation: str, place: tuple[str, str, str]) -> str:
    reference, lot, stage = place
    with ledger.read() as conn:
        found = procedures.find(conn, reference)
        if found.published_at is None and queries.bid_of(conn, found.id, lot, stage, organisation) is None:
            raise NotFound(reference)
        procedures.find_lot(conn, found.id, lot, stage)
    with ledger.begin(actor) as uow:
        act = uow.act_begin(found.id, lot, stage)
        existing = queries.bid_of(uow.connection, found.id, lot, stage, organisation)
        if existing is not None:
            return existing
        model.require_in_time(received_at=act.received_at, close=act.close_at, phase=act.phase, hold=act.hold)
        return begin(uow, found, lot, stage, organisation)


def begin(uow: UnitOfWork, row: ProcedureRow, lot: str, stage: str, bidder: str) -> str:
    """Record a new bid id of an organisation inside an act, which has asked whether it may have one; return it."""
    bid = new_bid_reference()
    event = model.start(bid=bid, bidder=bidder, lot=lot, stage=stage, procedure=row.reference, procedure_id=row.id)
    recorded = uow.record(event)
    store.add_head(uow, recorded, procedure_id=row.id, lot_number=lot, stage=stage, reference=bid, bidder=bidder)
    return bid


def store_part(
    ledger: Ledger, objects: ObjectStore, actor: Actor, bid: str, body: BinaryIO, expected: str
) -> tuple[str, int]:
    """Store the ciphertext of one part under its digest; return (SHA-256, size). See ``part_target``, ``keep_part``."""
    return keep_part(ledger, objects, part_target(ledger, actor, bid, expected), body, expected)


def part_target(ledger: Ledger, actor: Actor, bid: str, expected: str) -> BidTarget:
    """Return the bid for which a part with this SHA-256 may be stored now.

    Any time before the deadline; afterwards only the very parts of the standing envelope, which a bidder may supply
    again when they were lost (SB1 S9.7).

    Raises:
        NotFound: Not a bid of this organisation.
        RuleBroken: ``bid.late``.
    """
    with ledger.read() as conn:
        target = own_target(conn, actor, bid)
        now = ledger.platform_time(conn)
        if target.close_ms is not None and now >= target.close_ms and expected not in _parts_of_head(conn, target):
            raise RuleBroken("bid.late", "SUB-01", close=target.close_ms, received_at=now)
    return target


def keep_part(
    ledger: Ledger, objects: ObjectStore, target: BidTarget, source: BinaryIO, expected: str
) -> tuple[str, int]:
    """Store what ``source`` yields as a part of the bid; return (SHA-256, size).

    Raises:
        InvalidInput: ``bid.part_mismatch``: it does not hash to ``expected``; ``bid.part_too_large``. Nothing is kept.
    """
    was_lost = stored_size(objects, expected) is None
    limit = part_limit(target.head.procedure, target.parts, expected, most=MAX_PART)
    digest, size = objects.put_stream(expecting(source, expected), limit=limit)
    if digest not in target.parts or was_lost:
        with ledger.upkeep() as conn:
            store.add_part(conn, target.head.reference, digest, size)
    return digest, size


def _parts_of_head(conn: Connection, target: BidTarget) -> set[str]:
    version = queries.version_by_digest(conn, target.head.head_sha256 or "")
    if version is None or version.kind != "envelope":
        return set()
    return {part.sha256 for part in parse_envelope(version.doc).parts}


def own_target(conn: Connection, actor: Actor, bid: str) -> BidTarget:
    """Return a bid of the actor's organisation; anything else is ``NotFound``."""
    found = queries.target(conn, bid)
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
    with _TURNS.turn():
        return _submit(ledger, objects, actor, arrival)


def _submit(ledger: Ledger, objects: ObjectStore, actor: Actor, arrival: Arrival) -> Accepted:
    known = _known(ledger, actor, arrival)
    if known.before is not None:
        return _repeated(known.before, known.target)
    with _recording_refusal(ledger, actor, known.target, arrival):
        key, policy = known.signer(arrival.signed, actor), known.current_policy()
        envelope = checks.checked_envelope(arrival.signed, known.target, key, policy)
        try:
            checks.require_parts(objects, envelope, policy, known.target.parts)
        except OSError as error:  # the store is away: the platform's doing, which can move the deadline
            raise RuleBroken("busy", "TE1 T4.3") from error
        return _commit(ledger, actor, known.target, arrival, envelope, checks.fingerprints(envelope))


def withdraw(ledger: Ledger, actor: Actor, arrival: Arrival) -> Accepted:
    """Record a withdrawal before the deadline (SB1 S7.5); the bidder may submit again.

    Raises:
        Refused: The protocol or the law refuses it; the refusal is recorded.
        NotFound: Not a bid of this organisation.
    """
    with _TURNS.turn():
        return _withdraw(ledger, actor, arrival)


def _withdraw(ledger: Ledger, actor: Actor, arrival: Arrival) -> Accepted:
    known = _known(ledger, actor, arrival)
    if known.before is not None:
        return _repeated(known.before, known.target)
    with _recording_refusal(ledger, actor, known.target, arrival):
        key, policy = known.signer(arrival.signed, actor), known.current_policy()
        withdrawal = parse_withdrawal(arrival.signed.doc)
        checks.require_own(withdrawal, known.target, key)
        require_withdrawal_policy(withdrawal, policy)
        return _commit(ledger, actor, known.target, arrival, withdrawal, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the checks without a lock need, read in one go so that no connection is held while they run."""

    target: BidTarget
    before: Version | None
    key: SigningKey | None
    policy: Policy | None

    def signer(self, signed: SignedDocument, actor: Actor) -> SigningKey:
        """Return the key that signed, if it is one of the actor's organisation."""
        return checks.signer(signed, self.key, actor.organisation)

    def current_policy(self) -> Policy:
        """Return the policy in force for the lot."""
        if self.policy is None:
            raise RuleBroken("bid.closed", "SUB-01")
        return self.policy


def _known(ledger: Ledger, actor: Actor, arrival: Arrival) -> _Known:
    sigs = arrival.signed.sigs
    with ledger.glance() as conn:
        found = submissions.known_before(
            conn, arrival.bid, digest=arrival.signed.sha256, kid=sigs[0]["kid"] if len(sigs) == 1 else None
        )
        if found is None or found.target.head.bidder != actor.organisation:
            raise NotFound("bid")
        target = found.target
        return _Known(
            target=target,
            before=queries.version_by_digest(conn, arrival.signed.sha256) if found.is_known else None,
            key=found.key,
            policy=None if target.policy_sha256 is None else queries.policy(conn, target.policy_sha256),
        )


def _repeated(before: Version, target: BidTarget) -> Accepted:
    if before.bid != target.head.reference:
        raise NotFound("bid")
    return Accepted(h=before.h, doc_sha256=before.doc_sha256, received_at=before.received_at, repeated=True)


def _commit(
    ledger: Ledger,
    actor: Actor,
    target: BidTarget,
    arrival: Arrival,
    document: Envelope | Withdrawal,
    fingerprints: tuple[tuple[str, bytes], ...],
) -> Accepted:
    """The transaction of S7.3; the order of its steps is normative."""
    head = target.head
    with ledger.begin(actor) as uow:
        queue_ms = arrival.queue_ms()
        act = uow.act_begin(head.procedure_id, head.lot, head.stage)
        try:
            model.require_in_time(received_at=act.received_at, close=act.close_at, phase=act.phase, hold=act.hold)
            checks.require_active(arrival.signed.sigs[0]["kid"], keys.lock_key(uow, arrival.signed.sigs[0]["kid"]))
            return _store(uow, arrival, document, fingerprints, head.id, queue_ms)
        except RuleBroken as reason:
            # Since the reader was asked, the same bytes may have been taken, and replaced, and the lot closed.
            is_open = reason.code in _MAY_BE_REPEATED
            before = queries.version_by_digest(uow.connection, arrival.signed.sha256) if is_open else None
            if before is not None:
                return _repeated(before, target)
            # What the refusal records was captured here, not when it is written (TE1 T4.2).
            reason.facts |= {"queue_ms": queue_ms, "received_at": act.received_at}
            raise


def _store(
    uow: UnitOfWork,
    arrival: Arrival,
    document: Envelope | Withdrawal,
    fingerprints: tuple[tuple[str, bytes], ...],
    bid_id: int,
    queue_ms: int,
) -> Accepted:
    """Steps 4 to 6: head, fingerprints, entry, version row, head row."""
    signed, locked = arrival.signed, store.lock_head(uow, bid_id)
    if locked.head.head_sha256 == signed.sha256:
        before = queries.version_by_digest(uow.connection, signed.sha256)
        if before is not None:
            return Accepted(h=before.h, doc_sha256=signed.sha256, received_at=before.received_at, repeated=True)
    if locked.current_policy != document.policy_sha256:
        raise RuleBroken("policy.superseded", "SB1 S3.4")
    received = Received(
        doc_sha256=signed.sha256,
        sig_sha256=sig_sha256(signed.sigs[0]),
        seq=document.seq,
        supersedes=document.supersedes,
        received_at=uow.at,
        queue_ms=queue_ms,
    )
    kind = "envelope" if isinstance(document, Envelope) else "withdrawal"
    event = model.receive(locked.head, received) if kind == "envelope" else model.withdraw(locked.head, received)
    store.add_fingerprints(uow, locked.head, fingerprints)
    recorded = uow.record(event)
    version = store.NewVersion(kind=kind, doc=signed.doc, sigs=signed.sigs_bytes, policy_sha256=document.policy_sha256)
    store.add_version(uow, recorded, locked.head, received, version)
    return Accepted(h=recorded.h, doc_sha256=received.doc_sha256, received_at=received.received_at)


@contextmanager
def _recording_refusal(ledger: Ledger, actor: Actor, target: BidTarget, arrival: Arrival) -> Iterator[None]:
    """Turn a refusal into a recorded one: its entry is written after the refused transaction has rolled back (P11)."""
    try:
        yield
    except (RuleBroken, InvalidInput) as reason:
        raise _refused(ledger, actor, target.head, arrival, reason) from reason


def _refused(
    ledger: Ledger, actor: Actor, head: BidHead, arrival: Arrival, reason: RuleBroken | InvalidInput
) -> Refused:
    captured, queued = reason.facts.get("received_at"), reason.facts.get("queue_ms")
    if not isinstance(captured, int) or not isinstance(queued, int):
        # Refused before any capture, or the transaction that captured is gone (busy): both are taken anew (TE1 T4.3).
        queued = arrival.queue_ms()
        with ledger.read() as conn:
            captured = ledger.platform_time(conn)
    event = model.refuse(
        code=reason.code,
        envelope_sha256=arrival.signed.sha256,
        queue_ms=queued,
        received_at=captured,
        lot=head.lot,
        procedure=head.procedure,
        procedure_id=head.procedure_id,
    )
    recorded = ledger.refuse(actor, event)
    return Refused(reason, h=recorded.h, doc_sha256=arrival.signed.sha256, received_at=captured)
