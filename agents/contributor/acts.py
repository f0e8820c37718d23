"""What a contributor does: commit, reveal, confirm (ED1 D6.2, D7). All is stored before it leaves the machine."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from agents.contributor import words as spoken
from agents.contributor.desk import Desk
from agents.contributor.package import Package
from agents.contributor.state import Answered, Attempt, Committed
from agents.history import position_of, verify_logged
from agents.seals import WitnessedSeal, read_witnessed_seal
from trading.audit.rules.proof import ReceiptState
from trading.crypto import shares as shamir
from trading.crypto.keys import hpke_seal, share_info
from trading.experts.rules.contributions import is_valid, make_contribution, parse_contribution
from trading.experts.rules.fields import KEY_BYTES
from trading.experts.rules.finals import parse_final
from trading.experts.rules.policy import parse_policy
from trading.experts.rules.reveals import make_reveal
from trading.experts.rules.spec import Spec, parse_spec
from trading.kernel import canonical
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument

#: Told the words before a signature; raises to stop it.
Confirm: TypeAlias = Callable[[str], None]
_SEEDED: Final = "draw.seeded"


def seal_share(public_key: bytes, i: int, ctx: bytes, share: bytes) -> bytes:
    """Encrypt a share to its custodian."""
    return hpke_seal(public_key, share_info(i, ctx), share)


def contribute(desk: Desk, package: Package, confirm: Confirm, *, again: bool = False) -> SignedDocument:
    """Return this contributor's signed contribution for an attempt; a repetition returns the same one.

    Args:
        desk: The contributor.
        package: The checked package of the attempt.
        confirm: Told what will be signed.
        again: Draw a new random number, e.g. after a share was adjudicated bad; the last accepted one counts.

    Raises:
        RuleBroken: ``draw.spec_fork``: another spec was answered for this attempt; both are kept as evidence.
            ``draw.answered``: a seal of the attempt was answered; nothing new is committed.
    """
    spec, place = package.spec, (package.spec.draw, package.spec.attempt)
    _require_same_spec(desk, package)
    made = desk.state.contributions(*place)
    if made and not again:
        return SignedDocument.from_wire(made[-1].wire)
    confirm(spoken.of_commit(package))
    r = secrets.token_bytes(KEY_BYTES)
    document = make_contribution(spec, package.policy, package.party.id, r, deal=shamir.deal, seal=seal_share)
    signed = desk.sign(document)
    sealed = desk.vault.seal(f"r:{signed.sha256}", r)
    with desk.state.transaction():
        if desk.state.answered(*place) is not None:
            raise RuleBroken("draw.answered", "ED1 D7")
        if desk.state.attempt(*place) is None:
            kept = Attempt(spec=package.spec_wire, policy=package.policy_wire, party=package.party.id)
            desk.state.add_attempt(*place, kept)
        committed = Committed(sha256=signed.sha256, wire=signed.wire_bytes(), sealed_r=sealed, answer=None)
        desk.state.add_contribution(*place, committed)
    return signed


def _require_same_spec(desk: Desk, package: Package) -> None:
    place = package.spec.draw, package.spec.attempt
    before = desk.state.attempt(*place)
    if before is None or SignedDocument.from_wire(before.spec).sha256 == package.spec.sha256:
        return
    desk.state.keep(*place, "spec", package.spec_wire)
    raise RuleBroken("draw.spec_fork", "ED1 D13", draw=package.spec.draw, attempt=package.spec.attempt)


def spec_of(desk: Desk, draw: str, attempt: int) -> Spec:
    """Return the spec under which this contributor committed.

    Raises:
        RuleBroken: ``draw.not_committed``.
    """
    return parse_spec(SignedDocument.from_wire(_attempt(desk, draw, attempt).spec).doc)


def _attempt(desk: Desk, draw: str, attempt: int) -> Attempt:
    found = desk.state.attempt(draw, attempt)
    if found is None:
        raise RuleBroken("draw.not_committed", "ED1 D6", draw=draw, attempt=attempt)
    return found


def reveal(desk: Desk, draw: str, attempt: int, proof: bytes) -> SignedDocument:
    """Return the signed reveal for a witnessed seal that lists this contributor; one seal per attempt is answered.

    Args:
        desk: The contributor.
        draw: Id of the draw.
        attempt: Its number.
        proof: Receipt of ``draw.sealed``.

    Raises:
        InvalidInput: The receipt does not verify.
        RuleBroken: ``draw.not_committed``, ``draw.not_witnessed``, ``draw.left_out`` (the seal lists none of the own
            contributions), ``draw.suppressed`` (although a receipt proves that one was there), ``draw.seal_fork``
            (another seal was answered; both proofs are kept).
    """
    spec, party = spec_of(desk, draw, attempt), _attempt(desk, draw, attempt).party
    seal = read_witnessed_seal(desk.trust, proof, spec)
    before = desk.state.answered(draw, attempt)
    if before is not None:
        _require_same_seal(desk, spec, before, seal, proof)
        return SignedDocument.from_wire(before.reveal)
    listed = _listed(desk, spec, party, seal, proof)
    contribution = parse_contribution(SignedDocument.from_wire(listed.wire).doc)
    r = desk.vault.unseal(f"r:{listed.sha256}", listed.sealed_r)
    signed = desk.sign(make_reveal(contribution, r, seal.h))
    with desk.state.transaction():
        desk.state.add_seal(draw, attempt, Answered(sealed_h=seal.h, proof=proof, reveal=signed.wire_bytes()))
    return signed


def _listed(desk: Desk, spec: Spec, party: str, seal: WitnessedSeal, proof: bytes) -> Committed:
    listed = seal.seal.contribution_of(party)
    for committed in desk.state.contributions(spec.draw, spec.attempt):
        if committed.sha256 == listed:
            return committed
    desk.state.keep(spec.draw, spec.attempt, "left-out", proof)
    reason = next((item.reason for item in seal.seal.left_out if item.party == party), "another contribution")
    if any(_received_before(desk, item, seal.position) for item in desk.state.contributions(spec.draw, spec.attempt)):
        raise RuleBroken("draw.suppressed", "ED1 D13", party=party, reason=reason)
    raise RuleBroken("draw.left_out", "ED1 D7", party=party, reason=reason)


def _received_before(desk: Desk, committed: Committed, position: tuple[int, int]) -> bool:
    """Whether a receipt proves that the centre had the contribution before it sealed without it."""
    text = {} if committed.answer is None else canonical.loads_object(committed.answer)
    if not isinstance(text.get("receipt"), str):
        return False
    verified = verify_logged(desk.trust, text["receipt"].encode())
    body = verified.record["body"]
    told = (verified.record["kind"], body.get("contribution_sha256"))
    return told == ("draw.committed", committed.sha256) and position_of(desk.trust, verified) < position


def _require_same_seal(desk: Desk, spec: Spec, before: Answered, seal: WitnessedSeal, proof: bytes) -> None:
    if seal.h == before.sealed_h:
        return
    desk.state.keep(spec.draw, spec.attempt, "seal", proof)
    raise RuleBroken("draw.seal_fork", "ED1 D13", answered=before.sealed_h, shown=seal.h)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a contributor can say of the outcome: ``counted``: the own commitment is in the seed, otherwise void."""

    seed: str
    sealed_h: str
    counted: bool
    void: tuple[str, ...]


def confirm(desk: Desk, draw: str, attempt: int, outcome: Mapping[str, Any]) -> Confirmation:
    """Compare the published seal and final document with what this contributor answered (ED1 D7).

    Raises:
        InvalidInput: ``doc.…``, ``receipt.…``: the published proofs do not verify or say something else.
        RuleBroken: ``draw.not_committed``, ``draw.seal_fork``, ``draw.not_counted`` (the own contribution is neither in
            the final document nor void), ``draw.false_void``.
    """
    spec, attended = spec_of(desk, draw, attempt), _attempt(desk, draw, attempt)
    party, policy = attended.party, parse_policy(SignedDocument.from_wire(attended.policy).doc)
    seal_proof = _text(outcome, "seal_proof").encode()
    seal = read_witnessed_seal(desk.trust, seal_proof, spec)
    answered = desk.state.answered(draw, attempt)
    if answered is not None:
        _require_same_seal(desk, spec, answered, seal, seal_proof)
    body = _seeded(desk, _text(outcome, "proof").encode(), spec)
    final = parse_final(SignedDocument.from_wire(outcome.get("final") or {}).doc)
    told = (final.sha256, final.spec_sha256)
    if told != (body.get("final_sha256"), spec.sha256):
        raise InvalidInput("doc.bad_field", "the final document is not the one in the log")
    listed = _listed(desk, spec, party, seal, seal_proof)
    commits = {item.party: item.commit for item in final.commits}
    own = parse_contribution(SignedDocument.from_wire(listed.wire).doc)
    void = tuple(body.get("void") or ())
    counted = commits.get(party) == own.commit
    if not counted and party not in void:
        raise RuleBroken("draw.not_counted", "ED1 D8", party=party)
    if party in void and _rederives(desk, listed, policy.k):
        raise RuleBroken("draw.false_void", "ED1 D7", party=party)
    return Confirmation(seed=str(body.get("seed")), sealed_h=seal.h, counted=counted, void=void)


def _rederives(desk: Desk, listed: Committed, k: int) -> bool:
    """Whether the own r fits the own contribution: then it cannot be void."""
    own = parse_contribution(SignedDocument.from_wire(listed.wire).doc)
    return is_valid(own, desk.vault.unseal(f"r:{listed.sha256}", listed.sealed_r), k, shamir.deal)


def _text(outcome: Mapping[str, Any], name: str) -> str:
    value = outcome.get(name)
    if not isinstance(value, str):
        raise InvalidInput("doc.bad_field", f"outcome: {name}")
    return value


def _seeded(desk: Desk, proof: bytes, spec: Spec) -> dict[str, Any]:
    verified = verify_logged(desk.trust, proof)
    body: dict[str, Any] = verified.record["body"]
    told = (verified.record["kind"], body.get("draw"), body.get("attempt"))
    if told != (_SEEDED, spec.draw, spec.attempt):
        raise InvalidInput("receipt.other_record", "the receipt is not of this draw's seed")
    if verified.state is not ReceiptState.WITNESSED:
        raise RuleBroken("draw.not_witnessed", "ED1 D7")
    return body


def evidence(desk: Desk, draw: str, attempt: int) -> dict[str, bytes]:
    """Return what this contributor can show about an attempt, as files by name; no secret is among it.

    Raises:
        RuleBroken: ``draw.not_committed``.
    """
    attended, answered = _attempt(desk, draw, attempt), desk.state.answered(draw, attempt)
    files = {"policy.json": attended.policy, "spec.json": attended.spec}
    for number, committed in enumerate(desk.state.contributions(draw, attempt), 1):
        files[f"contribution-{number}.json"] = committed.wire
        if committed.answer is not None:
            files[f"contribution-{number}.answer.json"] = committed.answer
    if answered is not None:
        files["seal.tlog-proof"], files["reveal.json"] = answered.proof, answered.reveal
    for number, (what, data) in enumerate(desk.state.kept(draw, attempt), 1):
        files[f"evidence-{number}-{what}"] = data
    return files
