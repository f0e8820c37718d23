"""What is sent to an intake: an envelope by its bidder, the question of a closer; both checked without the platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.bids.rules.envelope import Envelope, parse_envelope, require_policy
from trading.bids.rules.policy import CheckedPackage, PolicyPackage, check_package, require_signature
from trading.bids.rules.schedule import Intake, Schedule, parse_schedule, require_chain
from trading.bids.rules.trust import TrustFile
from trading.crypto.signatures import SignedDocument, verify_es256, verify_signature
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import InvalidInput

MAX_REQUEST: Final = 1024 * 1024
_MOST_SCHEDULES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """A signed envelope with the package it was sealed for; ``held`` are the parts that the platform has stored."""

    signed: SignedDocument
    envelope: Envelope
    package: CheckedPackage
    held: frozenset[str]


def read_hand_over(raw: bytes, trust: TrustFile, own: Intake) -> HandOver:
    """Read what a bidder hands over: the checks of S7.2 that need no state of the platform.

    Raises:
        InvalidInput: ``doc.…``, ``sig.…``, ``policy.…``; ``intake.not_named``: the schedule names another intake.
        RuleBroken: The policy is not admissible.
    """
    body = loads_object(raw, MAX_REQUEST)
    if set(body) != {"envelope", "held", "key", "package"} or not _are_texts(body["held"]):
        raise InvalidInput("intake.malformed", "not a handed-over envelope")
    package = check_package(PolicyPackage.from_wire(_object(body["package"])), trust, verify_signature)
    if package.schedule.intake != own:
        raise InvalidInput("intake.not_named", "the schedule of this tender does not name this intake")
    signed = SignedDocument.from_wire(_object(body["envelope"]))
    envelope = parse_envelope(signed.doc)
    _require_signer(signed, envelope, body["key"])
    require_policy(envelope, package.policy)
    return HandOver(signed=signed, envelope=envelope, package=package, held=frozenset(body["held"]))


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput("intake.malformed", "a member is not an object")
    return value


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _require_signer(signed: SignedDocument, envelope: Envelope, key: object) -> None:
    """Require one signature, by the key that the envelope names; whose key it is, the platform knows."""
    if len(signed.sigs) != 1 or not isinstance(key, str):
        raise InvalidInput("sig.missing", "an envelope has one signature, and its key comes with it")
    try:
        spki = b64u_decode(key)
    except ValueError as error:
        raise InvalidInput("intake.malformed", "the key is not base64url") from error
    if envelope.bidder_kid != signed.sigs[0]["kid"]:
        raise InvalidInput("sig.invalid", "signed by another key than the envelope names")
    verify_es256(spki, signed.doc, signed.sigs[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A closer's question: which lot, and the schedule that is in force."""

    lot: str
    stage: str
    policy_sha256: str
    schedule: Schedule


def read_question(raw: bytes, policy_sha256: str, trust: TrustFile, own: Intake) -> Question:
    """Read a question with the whole chain of schedules, of which the agency signed what no rule derived (TE1 T2).

    Raises:
        InvalidInput: ``doc.…``, ``sig.…``, ``intake.malformed``, ``intake.not_named``.
        RuleBroken: The chain is broken.
    """
    body = loads_object(raw, MAX_REQUEST)
    rows = body.get("schedules")
    if set(body) != {"lot", "policy_sha256", "schedules", "stage"} or not isinstance(rows, list):
        raise InvalidInput("intake.malformed", "not a closer's question")
    if body["policy_sha256"] != policy_sha256 or not 0 < len(rows) <= _MOST_SCHEDULES:
        raise InvalidInput("intake.malformed", "asked for another lot, or without its schedules")
    chain = tuple(_schedule(SignedDocument.from_wire(_object(row)), trust) for row in rows)
    newest = require_chain(chain)
    if newest.intake != own:
        raise InvalidInput("intake.not_named", "the schedule of this tender does not name this intake")
    if (newest.lot, newest.stage) != (body["lot"], body["stage"]):
        raise InvalidInput("intake.malformed", "the schedules are of another lot")
    return Question(lot=newest.lot, stage=newest.stage, policy_sha256=policy_sha256, schedule=newest)


def _schedule(signed: SignedDocument, trust: TrustFile) -> Schedule:
    schedule = parse_schedule(signed.doc)
    if schedule.cause is None:
        require_signature(signed, trust, "agency", verify_signature)
    return schedule
