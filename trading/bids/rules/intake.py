"""What the supervisor's intake gives the closer: its list, and each envelope with the receipt of its log (SB1 S7.6).

Nothing of it is believed. The list is the supervisor's by its signature; what the intake received, and when, is said by
receipts of its own log, whose key the schedule names and whose growth the witnesses of the trust file cosign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from trading.audit.rules.note import ED25519, Verify, parse_vkey
from trading.audit.rules.policy import KnownLog, Policy
from trading.audit.rules.proof import VerifiedReceipt, verify_receipt
from trading.bids.rules.closing import IntakeList, parse_intake_list
from trading.bids.rules.envelope import Envelope, parse_envelope
from trading.bids.rules.fields import bid_id
from trading.bids.rules.schedule import Intake
from trading.kernel.canonical import loads_object
from trading.kernel.errors import InvalidInput
from trading.kernel.fields import Table, text
from trading.kernel.signed import SignedDocument, sig_sha256

REASON: Final = "intake"  # why a close waits: ``closing.blocked``, ``mb.closing-confirmation``
MAX_ANSWER: Final = 512 * 1024 * 1024  # the list of a lot, with every envelope and receipt on it
MOST_LISTED: Final = 4_096
LOGGED_WITHIN_MS: Final = 60_000  # between receipt and entry, as TE-06 asks of every log

#: A receipt of the intake's log as the record names it: ``proof`` is the text of the tlog-proof (ADR 0059).
INTAKE_RECEIPT: Final = Table("sb1.intake-receipt", {"bid": bid_id, "proof": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """One envelope that was handed over, with the intake's receipt of it (tlog-proof)."""

    signed: SignedDocument
    proof: bytes

    @property
    def envelope(self) -> Envelope:
        """Return the parsed envelope."""
        return parse_envelope(self.signed.doc)

    def wire(self) -> dict[str, Any]:
        """Return it as it travels."""
        return {"envelope": self.signed.wire(), "receipt": self.proof.decode()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """What the closer has obtained: the signed list, and what is on it in the order of its envelopes."""

    signed: SignedDocument
    listed: IntakeList
    handed: tuple[Handed, ...]

    @classmethod
    def read(cls, raw: bytes) -> Obtained:
        """Read an answer of the intake, or the file that stands for one: exactly the envelopes of the list.

        Raises:
            InvalidInput: ``doc.…``, ``intake.malformed``.
        """
        body = loads_object(raw, MAX_ANSWER)
        rows = body.get("handed")
        if set(body) != {"handed", "list"} or not isinstance(rows, list) or len(rows) > MOST_LISTED:
            raise InvalidInput("intake.malformed", "not the answer of an intake")
        signed = SignedDocument.from_wire(body["list"])
        return cls.of(signed, tuple(_handed(row) for row in rows))

    @classmethod
    def of(cls, signed: SignedDocument, handed: tuple[Handed, ...]) -> Obtained:
        """Join a signed list and what is on it.

        Raises:
            InvalidInput: ``doc.…``, ``intake.malformed``.
        """
        listed = parse_intake_list(signed.doc)
        if tuple(each.signed.sha256 for each in handed) != listed.envelopes:
            raise InvalidInput("intake.malformed", "what was handed over is not what is on the list")
        return cls(signed=signed, listed=listed, handed=handed)

    def wire(self) -> dict[str, Any]:
        """Return it as it travels."""
        return {"handed": [each.wire() for each in self.handed], "list": self.signed.wire()}


def _handed(row: object) -> Handed:
    if not isinstance(row, Mapping) or set(row) != {"envelope", "receipt"} or not isinstance(row["receipt"], str):
        raise InvalidInput("intake.malformed", "not an envelope with its receipt")
    return Handed(signed=SignedDocument.from_wire(row["envelope"]), proof=row["receipt"].encode())


def require_list(obtained: Obtained, *, lot: str, stage: str, policy_sha256: str, close: int) -> None:
    """Require that a list is about this lot and was made when its deadline had passed.

    Raises:
        InvalidInput: ``intake.other_lot``, ``intake.too_early``.
    """
    listed = obtained.listed
    if (listed.lot, listed.stage, listed.policy_sha256) != (lot, stage, policy_sha256):
        raise InvalidInput("intake.other_lot", "the list is of another lot, stage or policy")
    if listed.created < close:
        raise InvalidInput("intake.too_early", "the list was made before the deadline")


def intake_policy(intake: Intake, trusted: Policy) -> Policy:
    """Return the policy of the intake's log: its key from the schedule, witnesses and quorum of the trust file.

    Raises:
        InvalidInput: ``note.bad_key``; ``intake.bad_key``: it is not an Ed25519 key of this name, or is another's.
    """
    key = parse_vkey(intake.vkey)
    others = {each.public_key for each in (*(log.key for log in trusted.logs), *trusted.witness_keys)}
    if key.name != intake.origin or key.kind != ED25519 or key.public_key in others:
        raise InvalidInput("intake.bad_key", "the intake's key is of another name or kind, or another's")
    return replace(trusted, logs=(KnownLog(key=key),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a receipt of the intake proves: the record's body, and how far its log has got."""

    body: Mapping[str, Any]
    verified: VerifiedReceipt

    @property
    def received_at(self) -> int:
        """Return the intake's instant of receipt (ms)."""
        return int(self.body["received_at"])


def read_receipt(proof: bytes, signed: SignedDocument, tender: str, policy: Policy, verify: Verify) -> Taken:
    """Verify the intake's receipt of a signed envelope.

    Raises:
        InvalidInput: What ``verify_receipt`` finds; ``intake.mismatch``: it is about something else.
    """
    verified = verify_receipt(proof, origin=policy.logs[0].key.name, policy=policy, verify=verify)
    record, entry = verified.record, verified.receipt.entry
    body, sigs = record["body"], [sig_sha256(each) for each in signed.sigs]
    told = (record["kind"], record["procedure"], body.get("envelope_sha256"), body.get("via"), [body.get("sig_sha256")])
    at, queue_ms = body.get("received_at"), body.get("queue_ms")
    if (
        told != ("bid.received", tender, signed.sha256, "intake", sigs)
        or type(at) is not int
        or type(queue_ms) is not int
    ):
        raise InvalidInput("intake.mismatch", "the receipt is about another envelope")
    if not 0 <= entry.t - at <= LOGGED_WITHIN_MS:
        raise InvalidInput("intake.mismatch", "the intake logged it at another time than it says to have received it")
    return Taken(body=body, verified=verified)
