"""The supervisor's intake: what a receipt of its own log says, and by when it existed (SB1 S7.6, TE1 T7)."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.evidence import Logged
from verifier.lot import Lot
from verifier.merkle import ProofFault, verify_inclusion
from verifier.notes import KEY_ED25519, NoteFault, parse_vkey
from verifier.policy import LogPolicy, verify_checkpoint
from verifier.proofs import parse_proof

LOGGED_WITHIN_MS = 60_000
RECEIPT_FIELD = "intake_receipt_sha256"


class IntakeFault(ValueError):
    """What the intake is said to have received is not proved by its receipt."""


@dataclass(frozen=True)
class Handed:
    """An envelope as the intake's own log has it; ``upper`` is the instant (ms) by which it existed, None unproved."""

    t: int
    upper: int | None


def intake_policy(lot: Lot) -> LogPolicy:
    """Return the policy of the intake's log: its key from the schedule, the witnesses and quorum of the trust file.

    Raises:
        IntakeFault: The schedule names none, or its key is another's.
    """
    named = lot.schedule["intake"] if lot.schedule is not None else None
    if named is None:
        raise IntakeFault("the schedule names no intake")
    try:
        key = parse_vkey(named["vkey"])
    except NoteFault as error:
        raise IntakeFault(f"the intake's key in the schedule: {error}") from error
    trusted = lot.evidence.trust.policy
    others = [each.public for each in (*trusted.logs, *trusted.witnesses.values())]
    if key.name != named["origin"] or key.type != KEY_ED25519 or key.public in others:
        raise IntakeFault("the intake's key in the schedule is of another name or kind, or is that of a log or witness")
    return LogPolicy([key], trusted.witnesses, trusted.groups, trusted.quorum)


def read_receipt(lot: Lot, logged: Logged) -> Handed:
    """Check the intake's receipt of a ``bid.received`` that came through it.

    Raises:
        IntakeFault: It is not there, does not verify, or says something else than the record.
    """
    policy = intake_policy(lot)
    document = lot.evidence.document(logged.body.get(RECEIPT_FIELD), "sb1.intake-receipt")
    if document is None:
        raise IntakeFault("the intake's receipt is not in the bundle")
    try:
        proof = parse_proof(document.value["proof"].encode())
        note = verify_checkpoint(proof.checkpoint, policy, policy.logs[0].name)
        head = note.checkpoint
        verify_inclusion(proof.n, head.size, proof.leaf, proof.path, head.root)
    except (NoteFault, ProofFault) as error:
        raise IntakeFault(f"the intake's receipt: {error}") from error
    body = {name: value for name, value in logged.body.items() if name != RECEIPT_FIELD}
    said = (proof.record["kind"], proof.record["procedure"], proof.record["body"], document.value["bid"])
    if said != (logged.kind, logged.procedure, body, body["bid"]):
        raise IntakeFault("the intake's receipt says something else than this record")
    if not 0 <= proof.t - body["received_at"] <= LOGGED_WITHIN_MS:
        raise IntakeFault("the intake logged it at another time than it says to have received it")
    return Handed(proof.t, None if note.t_up is None else 1000 * note.t_up + 999)


def intake_upper(lot: Lot, logged: Logged) -> int | None:
    """Return the upper bound (ms) that an intake receipt gives; None without one, or one that proves nothing."""
    if logged.body.get("via") != "intake":
        return None
    try:
        return read_receipt(lot, logged).upper
    except IntakeFault:
        return None
