"""The closer's part of the supervisor's intake: its list is obtained, then entered together with the close (S7.6).

``obtain`` asks and checks everything that needs the network or no lock, and stores parts that the platform lacks; it
leaves nothing in the record, so it may run any number of times. ``enter`` writes: every lock comes before the first
entry (AL1 L4.2), and the close entry follows in the same transaction, so that nothing is half entered.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from trading.audit import service as log
from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.audit.rules.policy import Policy as LogPolicy
from trading.audit.runtime import Runtime
from trading.bids import checks, model, queries, store
from trading.bids.model import BidHead, Received
from trading.bids.queries import BidTarget
from trading.bids.rules.envelope import Envelope, Part
from trading.bids.rules.intake import (
    INTAKE_RECEIPT,
    MAX_ANSWER,
    Handed,
    Obtained,
    Taken,
    intake_policy,
    read_receipt,
    require_list,
)
from trading.bids.rules.schedule import Intake, Schedule
from trading.bids.service import keep_part
from trading.crypto.notes import verify_note_signature
from trading.crypto.signatures import verify_es256
from trading.documents import queries as document_queries
from trading.documents import store as documents
from trading.kernel.canonical import dumps
from trading.kernel.errors import IntegrityFailure, InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.parties import store as keys
from trading.procedures.queries import LotRow, ProcedureRow
from trading.storage.intake import IntakeAway, IntakeCarrier, IntakeLacks

_log = logging.getLogger("mingbiao.intake")
_UNKNOWN: Final = "policy.mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One listed envelope with what its receipt proves, and why it cannot be received, if that shows already."""

    handed: Handed
    taken: Taken
    envelope: Envelope
    target: BidTarget | None
    refusal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The intake's list for one deadline, judged; ``schedule_sha256`` is the schedule that it was asked for."""

    signed: SignedDocument
    schedule_sha256: str
    judged: tuple[Judged, ...]


def obtain(runtime: Runtime, row: ProcedureRow, lot: LotRow) -> Listed | None:
    """Return the list of the intake that the schedule of a lot names; None while it cannot be had.

    An answer that does not verify is no answer: the supervisor has to see to its intake.
    """
    with runtime.ledger.read() as conn:
        chain = queries.schedule_chain(conn, lot)
        signed = _signed_schedules(conn, chain)
    service, named = runtime.intake, chain[0].intake
    if named is None or service is None or service.carrier is None or service.vkey != named.vkey:
        _log.error("lot %s of %s names an intake that this platform cannot ask", lot.number, row.reference)
        return None
    try:
        return _ask(runtime, service.carrier, row, lot, chain[0], signed)
    except (IntakeAway, InvalidInput) as error:
        _log.error("no list of the intake for lot %s of %s: %s", lot.number, row.reference, error)
        return None


def _signed_schedules(conn: Connection, chain: Sequence[Schedule]) -> list[SignedDocument]:
    """Return the schedules as signed, the first one first."""
    found = []
    for schedule in reversed(chain):
        stored = document_queries.get(conn, bytes.fromhex(schedule.sha256))
        if stored is None:
            raise IntegrityFailure(f"schedule {schedule.sha256} is missing")
        found.append(SignedDocument.from_parts(stored.doc, stored.sigs))
    return found


def _ask(
    runtime: Runtime,
    carrier: IntakeCarrier,
    row: ProcedureRow,
    lot: LotRow,
    schedule: Schedule,
    signed: Sequence[SignedDocument],
) -> Listed:
    policy_sha256 = lot.policy_sha256 or ""
    question = {"lot": lot.number, "policy_sha256": policy_sha256, "schedules": [each.wire() for each in signed]}
    answer = carrier.list_of(policy_sha256, dumps({**question, "stage": lot.stage}), MAX_ANSWER)
    obtained = Obtained.read(answer)
    place = {"lot": lot.number, "stage": lot.stage, "policy_sha256": policy_sha256}
    require_list(obtained, **place, close=schedule.close)
    with runtime.ledger.read() as conn:
        _require_supervisor(conn, row, obtained.signed)
    policy = _log_policy(runtime, schedule.intake)
    judged = [_judge(runtime, carrier, row, each, policy, schedule.close) for each in obtained.handed]
    return Listed(signed=obtained.signed, schedule_sha256=schedule.sha256, judged=tuple(judged))


def _log_policy(runtime: Runtime, named: Intake | None) -> LogPolicy:
    if named is None:
        raise InvalidInput("intake.bad_key", "the schedule names no intake")
    return intake_policy(named, log.known_policy(runtime.witness_policy))


def _require_supervisor(conn: Connection, row: ProcedureRow, signed: SignedDocument) -> None:
    """Require one signature: by an active key of the procedure's supervisor."""
    if len(signed.sigs) != 1:
        raise InvalidInput("sig.missing", "the list has not one signature")
    key = keys.key_by_kid(conn, signed.sigs[0]["kid"])
    if key is None or not key.active or (key.org_code, key.role) != (row.supervisor_code, "supervisor"):
        raise InvalidInput("sig.key_unknown", "the list is not signed by the supervisor")
    verify_es256(key.spki, signed.doc, signed.sigs[0])


def _judge(
    runtime: Runtime, carrier: IntakeCarrier, row: ProcedureRow, handed: Handed, policy: LogPolicy, close: int
) -> Judged:
    """Check one envelope as S7.2 asks, after fetching the parts that the platform lacks.

    Raises:
        InvalidInput: The receipt does not prove what the intake says.
    """
    envelope = handed.envelope
    taken = read_receipt(handed.proof, handed.signed, row.reference, policy, verify_note_signature)
    with runtime.ledger.read() as conn:
        target = queries.target(conn, envelope.bid)
    refusal = "bid.late" if taken.received_at >= close else None
    if target is None:
        refusal = refusal or _UNKNOWN
    elif refusal is None:
        refusal = _fault(runtime, carrier, handed, envelope, target, taken)
    return Judged(handed=handed, taken=taken, envelope=envelope, target=target, refusal=refusal)


def _fault(
    runtime: Runtime, carrier: IntakeCarrier, handed: Handed, envelope: Envelope, target: BidTarget, taken: Taken
) -> str | None:
    """Return the code of what is wrong with an envelope, or None."""
    with runtime.ledger.read() as conn:
        kid = handed.signed.sigs[0]["kid"] if len(handed.signed.sigs) == 1 else ""
        key, policy = keys.key_by_kid(conn, kid), queries.policy(conn, target.policy_sha256 or "")
    try:
        signer = checks.signer(handed.signed, key, target.head.bidder)
        if policy is None or taken.body != _said(envelope, handed, taken):
            return _UNKNOWN
        checks.checked_envelope(handed.signed, target, signer, policy)
        stored = dict(target.parts)
        for part in envelope.parts:
            _fetch(runtime, carrier, target, part, stored)
        checks.require_parts(runtime.objects, envelope, policy, stored)
    except (RuleBroken, InvalidInput) as reason:
        return reason.code
    return None


def _said(envelope: Envelope, handed: Handed, taken: Taken) -> dict[str, object]:
    """Return the body that the intake's record must have, so that the platform's own can say the same."""
    fields = ("bid", "bidder", "lot", "seq", "stage")
    kept = {name: taken.body.get(name) for name in ("queue_ms", "received_at", "sig_sha256")}
    told = {name: getattr(envelope, name) for name in fields}
    return {**told, **kept, "envelope_sha256": handed.signed.sha256, "via": "intake"}


def _fetch(runtime: Runtime, carrier: IntakeCarrier, target: BidTarget, part: Part, stored: dict[str, int]) -> None:
    """Store a part that the platform lacks, if the intake has it; ``require_parts`` tells if it has not.

    Raises:
        IntakeAway: It cannot be had now, or other bytes came: the intake keeps none that do not hash to their name.
    """
    if part.sha256 in stored and runtime.objects.stat(part.sha256) is not None:
        return
    try:
        with carrier.part(part.sha256) as source:
            digest, size = keep_part(runtime.ledger, runtime.objects, target, source, part.sha256)
    except IntakeLacks:
        _log.warning("the part %s of an envelope that the intake lists is nowhere", part.sha256)
        return
    except InvalidInput as error:
        raise IntakeAway(f"the part {part.sha256} came damaged") from error
    stored[digest] = size


def enter(uow: UnitOfWork, row: ProcedureRow, lot: LotRow, listed: Listed) -> None:
    """Receive each listed envelope that continues its bid, and refuse the others, before the close entry.

    The procedure is held ``FOR UPDATE``, so nobody else moves a head. Envelopes are taken by bid and version; one that
    the platform has received itself is passed over.

    Raises:
        RuleBroken: ``closing.void``: the schedule has changed since the list was asked for.
    """
    if listed.schedule_sha256 != lot.schedule_sha256:
        raise RuleBroken("closing.void", "SB1 S7.6", close=lot.close_at)
    ordered = sorted(listed.judged, key=lambda each: (each.envelope.bid, each.envelope.seq, each.handed.signed.sha256))
    fresh = [each for each in ordered if queries.version_by_digest(uow.connection, each.handed.signed.sha256) is None]
    able = [each for each in fresh if each.refusal is None and each.target is not None]
    active = _lock_keys(uow, able)
    heads = {each.head.reference: each.head for each in _lock_heads(uow, able)}
    for each in fresh:
        code = each.refusal or _receive(uow, row, each, heads, active)
        if code is not None:
            _refuse(uow, row, lot, each, code)


def _lock_keys(uow: UnitOfWork, able: Sequence[Judged]) -> set[str]:
    """Lock the keys that signed, and return the ids of those that are active."""
    kids = sorted({each.handed.signed.sigs[0]["kid"] for each in able})
    return {kid for kid in kids if (key := keys.lock_key(uow, kid)) is not None and key.active}


def _lock_heads(uow: UnitOfWork, able: Sequence[Judged]) -> list[store.LockedHead]:
    ids = sorted({each.target.head.id for each in able if each.target is not None})
    return [store.lock_head(uow, bid_id) for bid_id in ids]


def _receive(
    uow: UnitOfWork, row: ProcedureRow, each: Judged, heads: dict[str, BidHead], active: set[str]
) -> str | None:
    """Record one envelope and move its head; return the code of a refusal instead, with nothing written."""
    head, signed = heads[each.envelope.bid], each.handed.signed
    receipt = SignedDocument(INTAKE_RECEIPT.write({"bid": head.reference, "proof": each.handed.proof.decode()}))
    received = Received(
        doc_sha256=signed.sha256,
        sig_sha256=str(each.taken.body["sig_sha256"]),
        seq=each.envelope.seq,
        supersedes=each.envelope.supersedes,
        received_at=each.taken.received_at,
        queue_ms=int(each.taken.body["queue_ms"]),
        via="intake",
        intake_receipt_sha256=receipt.sha256,
    )
    if signed.sigs[0]["kid"] not in active:
        return "sig.key_revoked"
    try:
        event = model.receive(head, received)
        with uow.connection.begin_nested():  # a copy breaks the unique key, not the close
            store.add_fingerprints(uow, head, checks.fingerprints(each.envelope))
    except RuleBroken as reason:
        return reason.code
    recorded = uow.record(event)
    version = store.NewVersion(
        kind="envelope", doc=signed.doc, sigs=signed.sigs_bytes, policy_sha256=each.envelope.policy_sha256
    )
    store.add_version(uow, recorded, head, received, version)
    documents.add(uow, recorded, row.id, receipt)
    heads[head.reference] = _moved(head, received, recorded)
    return None


def _moved(head: BidHead, received: Received, recorded: Recorded) -> BidHead:
    return replace(head, seq=received.seq, head_kind="envelope", head_sha256=received.doc_sha256, head_h=recorded.h)


def _refuse(uow: UnitOfWork, row: ProcedureRow, lot: LotRow, each: Judged, code: str) -> None:
    """Record a refusal; of one for its place in the chain the envelope is kept, so that others can judge it."""
    event = model.refuse(
        code=code,
        envelope_sha256=each.handed.signed.sha256,
        queue_ms=0,
        received_at=each.taken.received_at,
        lot=lot.number,
        procedure=row.reference,
        procedure_id=row.id,
    )
    recorded = uow.record(event)
    if code == "bid.version_conflict":
        documents.add(uow, recorded, row.id, each.handed.signed)
