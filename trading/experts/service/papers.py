"""Documents of a draw that centre, supervisor or both sign: drafts collect signatures, the last one makes the record.

Every type has a check, which every draft of it must pass when it is signed, and an act (ED1 D14). Nothing can be signed
that the draw did not put before its signers, except what the supervisor writes alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.crypto.signatures import verify_es256
from trading.documents import store as documents
from trading.experts import queries, store
from trading.experts.model import Attempt, draw_event
from trading.experts.queries import CommitteeRow, DrawRow, PaperRow
from trading.experts.rules.checks import parse_adjudication, parse_waiver, require_waiver
from trading.experts.rules.contributions import parse_escrow, require_of_spec
from trading.experts.rules.keys import parse_key_order
from trading.experts.rules.policy import parse_policy
from trading.experts.rules.pool import procedure_commit
from trading.experts.rules.results import parse_cancel, parse_result
from trading.experts.rules.spec import parse_spec
from trading.experts.rules.walk import trail_root
from trading.experts.service import committees
from trading.experts.service.attempts import holds, spec_of
from trading.experts.service.committees import ask
from trading.experts.service.custodians import ask_checks, attempt_of, checks_of, policy_of
from trading.experts.service.open_seats import previous_of, seated_experts
from trading.kernel.canonical import loads_object
from trading.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.parties import store as keys
from trading.procedures import queries as procedures

_BOTH: Final = ("centre", "supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A document and its signatures so far: the roles that have not signed; ``recorded`` once none is missing."""

    sha256: str
    typ: str
    needs: tuple[str, ...]
    recorded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What a paper is judged by: the attempt (None before its policy is fixed) and the committee, both locked."""

    draw: str
    attempt: int
    row: DrawRow | None
    committee: CommitteeRow

    def need(self) -> DrawRow:
        """Return the attempt's row.

        Raises:
            NotFound: The policy is not fixed yet.
        """
        if self.row is None:
            raise NotFound(self.draw)
        return self.row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One type: who signs it, whether a signer may bring it himself, its check, and what its last signature does."""

    needs: tuple[str, ...]
    act: Callable[[UnitOfWork, _Scene, SignedDocument], Recorded]
    require: Callable[[UnitOfWork, _Scene, SignedDocument], None]
    brought: bool = False


def collect(ledger: Ledger, actor: Actor, draw: str, signed: SignedDocument) -> Collected:
    """Add the signatures of ``signed`` to the paper of the same bytes; record the event when none is missing.

    Raises:
        InvalidInput: Not a document of this draw; a signature that does not verify.
        NotPermitted: A signature of a key that has no say here.
        RuleBroken, Conflict: The step may not happen now.
    """
    typ = str(loads_object(signed.doc).get("typ"))
    if typ not in _KINDS:
        raise InvalidInput("doc.bad_field", f"{typ} is not collected here")
    kind = _KINDS[typ]
    with ledger.begin(actor) as uow:
        scene = _scene(uow, draw, _attempt_of(uow.connection, signed.sha256))
        held = store.lock_paper(uow, signed.sha256)
        if held is None and not kind.brought:
            raise NotFound(signed.sha256)
        if held is not None and held.draw != draw:
            raise NotFound(signed.sha256)
        if held is not None and held.h is not None:
            return Collected(sha256=signed.sha256, typ=typ, needs=(), recorded=True)
        merged = _merged(signed if held is None else held.signed, signed)
        missing = _missing(uow, scene, kind, merged)
        kind.require(uow, scene, merged)
        if held is None:
            store.add_paper(uow.connection, draw, scene.attempt, typ, SignedDocument(signed.doc), uow.at)
        recorded = None if missing else kind.act(uow, scene, merged)
        store.sign_paper(uow.connection, merged, None if recorded is None else recorded.h)
    return Collected(sha256=signed.sha256, typ=typ, needs=missing, recorded=recorded is not None)


def _attempt_of(conn: Connection, sha256: str) -> int | None:
    """Return the attempt of a paper: after a late replacement that may be an earlier one than the newest."""
    held = queries.find_paper(conn, sha256)
    return None if held is None else held.attempt


def _scene(uow: UnitOfWork, draw: str, attempt: int | None) -> _Scene:
    committee = queries.committee_of_draw(uow.connection, draw)
    try:
        row: DrawRow | None = store.lock_draw(uow, draw, attempt)
    except NotFound:
        row = None
    locked = store.lock_committee(uow, committee.procedure_id)
    return _Scene(draw=draw, attempt=1 if row is None else row.attempt, row=row, committee=locked or committee)


def _merged(before: SignedDocument, new: SignedDocument) -> SignedDocument:
    known = {sig["kid"] for sig in before.sigs}
    return SignedDocument(before.doc, (*before.sigs, *(sig for sig in new.sigs if sig["kid"] not in known)))


def _missing(uow: UnitOfWork, scene: _Scene, kind: _Kind, signed: SignedDocument) -> tuple[str, ...]:
    """Verify every signature against an active key with a say; return the roles still missing."""
    supervisor = procedures.by_id(uow.connection, scene.committee.procedure_id).supervisor_code
    signed_by = set()
    for signature in signed.sigs:
        key = keys.lock_key(uow, signature["kid"])
        if key is None:
            raise RuleBroken("sig.key_unknown", "P7", kid=signature["kid"])
        if not key.active:
            raise RuleBroken("sig.key_revoked", "P6.2", kid=key.kid)
        if key.role not in kind.needs or (key.role == "supervisor" and key.org_code != supervisor):
            raise NotPermitted(f"the key {key.kid} has no say in {scene.draw}")
        verify_es256(key.spki, signed.doc, signature)
        signed_by.add(key.role)
    return tuple(role for role in kind.needs if role not in signed_by)


def pending(conn: Connection, draw: str) -> list[tuple[PaperRow, tuple[str, ...]]]:
    """Return the papers of a draw that lack signatures, with the roles that have not signed, oldest first."""
    found = []
    for paper in queries.papers(conn, draw):
        if paper.h is not None or paper.typ not in _KINDS:
            continue
        signers = (keys.key_by_kid(conn, sig["kid"]) for sig in paper.signed.sigs)
        roles = {key.role for key in signers if key is not None}
        found.append((paper, tuple(role for role in _KINDS[paper.typ].needs if role not in roles)))
    return found


def _keep(uow: UnitOfWork, recorded: Recorded, signed: SignedDocument) -> Recorded:
    documents.add(uow, recorded, None, signed)
    return recorded


def _require_policy(_uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> None:
    if parse_policy(signed.doc).draw != scene.draw:
        raise InvalidInput("doc.bad_field", "the policy is of another draw")
    if scene.row is not None:
        raise Conflict("the policy of this draw is fixed")


def _fix_policy(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> Recorded:
    """Record ``draw.policy_fixed``, begin the first attempt and ask the custodians to admit the policy."""
    attempt = Attempt(draw=scene.draw, number=1)
    recorded = _keep(uow, begin_attempt(uow, attempt, scene.committee.procedure_id, signed.sha256), signed)
    request = {"policy_sha256": signed.sha256}
    for custodian in parse_policy(signed.doc).custodians:
        ask(uow.connection, custodian.kid, "draw-admit", scene.draw, custodian.i, request)
    return recorded


def begin_attempt(uow: UnitOfWork, attempt: Attempt, procedure_id: int, policy_sha256: str) -> Recorded:
    """Record ``draw.policy_fixed`` and insert the attempt; the salt that hides the procedure is fresh each time."""
    salt = secrets.token_bytes(32)
    commit = procedure_commit(salt, procedures.by_id(uow.connection, procedure_id).reference)
    body = {"policy_sha256": policy_sha256, "procedure_commit": commit.hex()}
    recorded = uow.record(draw_event("policy_fixed", attempt, **body))
    store.add_draw(
        uow,
        recorded,
        draw=attempt.draw,
        attempt=attempt.number,
        tender_id=procedure_id,
        state="policy_fixed",
        salt=salt,
        policy_sha256=bytes.fromhex(policy_sha256),
    )
    uow.wake("experts.advance", {"draw": attempt.draw}, uow.at)
    return recorded


def _require_spec(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> None:
    """What the supervisor is about to sign opens to the procedure, and is for this very attempt."""
    row, spec = scene.need(), parse_spec(signed.doc)
    reference = procedures.by_id(uow.connection, row.tender_id).reference
    if (spec.draw, spec.attempt, spec.policy_sha256) != (row.draw, row.attempt, row.policy_sha256):
        raise InvalidInput("doc.bad_field", "the spec is of another attempt or policy")
    if spec.procedure_commit != procedure_commit(row.salt, reference):
        raise InvalidInput("doc.bad_field", "procedure_commit")
    if row.state != "policy_fixed":
        raise Conflict("the attempt is specified")
    seated = len(seated_experts(uow.connection, row.tender_id))
    if (spec.previous, spec.committee.seated) != (previous_of(uow.connection, row), seated):
        raise Conflict("seats have changed since this spec was prepared; it is to be prepared again")
    newest = queries.newest_snapshot(uow.connection)
    if newest is not None and spec.register_size < newest[1]:
        raise RuleBroken("draw.pool_stale", "ED1 D3", register_size=spec.register_size)


def _specify(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> Recorded:
    row = scene.need()
    recorded = _keep(uow, uow.record(draw_event("specified", attempt_of(row), spec_sha256=signed.sha256)), signed)
    store.move_draw(
        uow, recorded, row, state="specified", spec_sha256=bytes.fromhex(signed.sha256), specified_at=uow.at
    )
    uow.wake("experts.advance", {"draw": row.draw}, uow.at)
    return recorded


def _require_escrow(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> None:
    row, escrow = scene.need(), parse_escrow(signed.doc)
    spec = spec_of(uow.connection, row)
    require_of_spec(escrow, spec, policy_of(uow.connection, row))
    if row.state != "specified":
        raise RuleBroken("draw.sealed", "ED1 D7")


def _escrow(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> Recorded:
    """Record ``draw.escrowed`` and ask the custodians to check their shares of it."""
    row, use = scene.need(), parse_escrow(signed.doc).use
    event = draw_event("escrowed", attempt_of(row), escrow_sha256=signed.sha256, use=use)
    recorded = _keep(uow, uow.record(event), signed)
    store.add_answer(uow, recorded, row, "escrow", signed.sha256, party=use)
    ask_checks(uow.connection, row, [signed.sha256])
    return recorded


def _require_waiver_now(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> None:
    row, waiver = scene.need(), parse_waiver(signed.doc)
    if (waiver.draw, waiver.spec_sha256) != (row.draw, row.spec_sha256) or row.state != "specified":
        raise InvalidInput("doc.bad_field", "the waiver is of another attempt, or comes too late")
    require_waiver(waiver, policy_of(uow.connection, row))


def _waive(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> Recorded:
    row = scene.need()
    recorded = _keep(uow, uow.record(draw_event("waived", attempt_of(row), waiver_sha256=signed.sha256)), signed)
    store.add_answer(uow, recorded, row, "waiver", signed.sha256)
    uow.wake("experts.advance", {"draw": row.draw}, uow.at)
    return recorded


def _require_adjudication(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> None:
    row, document = scene.need(), parse_adjudication(signed.doc)
    known = queries.answers(uow.connection, row.draw, row.attempt, "adjudication")
    if document.spec_sha256 != row.spec_sha256 or row.state != "specified":
        raise InvalidInput("doc.bad_field", "the finding is of another attempt, or comes too late")
    if any(each.custodian == document.custodian for each in known):
        raise Conflict(f"custodian {document.custodian} is adjudicated already")
    # Without a report there is nothing to decide: the supervisor alone must not leave a contributor out (D7).
    reported = checks_of(uow.connection, row).bad(document.custodian)
    unreported = [item.doc_sha256 for item in document.items if item.doc_sha256 not in reported]
    if unreported:
        raise RuleBroken("draw.not_reported", "ED1 D7", custodian=document.custodian, documents=unreported)


def _adjudicate(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> Recorded:
    row, custodian = scene.need(), parse_adjudication(signed.doc).custodian
    event = draw_event("adjudicated", attempt_of(row), adjudication_sha256=signed.sha256, custodian=custodian)
    recorded = _keep(uow, uow.record(event), signed)
    store.add_answer(uow, recorded, row, "adjudication", signed.sha256, custodian=custodian)
    uow.wake("experts.advance", {"draw": row.draw}, uow.at)
    return recorded


def _require_result(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> None:
    """The trail has not moved since the contact service drafted the result, and the seed is the recorded one."""
    row, result = scene.need(), parse_result(signed.doc)
    hashes = [step.h for step in queries.steps(uow.connection, row.draw, row.attempt)]
    told = (result.draw, result.attempt, result.spec_sha256, result.seed, result.seq, result.supersedes)
    if told != (row.draw, row.attempt, row.spec_sha256, row.seed, row.result_seq + 1, row.result_sha256):
        raise InvalidInput("doc.bad_field", "the result is of another attempt, or not the next one")
    if result.trail_root != trail_root(hashes):
        raise Conflict("the walk has gone on since this result was drafted")


def _result(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> Recorded:
    row, result = scene.need(), parse_result(signed.doc)
    recorded = _keep(uow, uow.record(draw_event("result", attempt_of(row), result_sha256=signed.sha256)), signed)
    store.add_answer(uow, recorded, row, "result", signed.sha256)
    store.move_draw(
        uow,
        recorded,
        row,
        state="resulted",
        result_sha256=bytes.fromhex(signed.sha256),
        result_seq=result.seq,
    )
    committees.form(uow, row, result, scene.committee)
    return recorded


def _require_cancel(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> None:
    row, cancel = scene.need(), parse_cancel(signed.doc)
    if (cancel.draw, cancel.attempt, cancel.spec_sha256) != (row.draw, row.attempt, row.spec_sha256):
        raise InvalidInput("doc.bad_field", "the cancellation is of another attempt")
    if row.state in {"cancelled", "disclosed"}:
        raise Conflict("the attempt has ended")
    # Judged when it is handed in: a draft kept from before the seal must not undo a seed that somebody dislikes.
    if row.sealed_h is not None and not holds(uow.connection, row, cancel.reason, uow.at):
        raise RuleBroken("draw.reroll", "ED1 D13", reason=cancel.reason)


def _cancel(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> Recorded:
    row = scene.need()
    recorded = _keep(uow, uow.record(draw_event("cancelled", attempt_of(row), cancel_sha256=signed.sha256)), signed)
    store.add_answer(uow, recorded, row, "cancel", signed.sha256)
    store.move_draw(uow, recorded, row, state="cancelled")
    return recorded


def _require_key_order(_uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> None:
    row, order = scene.need(), parse_key_order(signed.doc)
    if (order.draw, order.spec_sha256) != (row.draw, row.spec_sha256):
        raise InvalidInput("doc.bad_field", "the order is of another attempt")


def _order_key(uow: UnitOfWork, scene: _Scene, signed: SignedDocument) -> Recorded:
    """Record ``draw.key_ordered`` and ask the custodians; each decides by the log whether it may answer (D7)."""
    row, order = scene.need(), parse_key_order(signed.doc)
    recorded = _keep(uow, uow.record(draw_event("key_ordered", attempt_of(row), order_sha256=signed.sha256)), signed)
    store.add_answer(uow, recorded, row, "key_order", signed.sha256, party=order.use)
    request = {
        "attempt": row.attempt,
        "order_sha256": signed.sha256,
        "policy_sha256": row.policy_sha256,
        "use": order.use,
    }
    for custodian in policy_of(uow.connection, row).custodians:
        ask(uow.connection, custodian.kid, "draw-release-key", row.draw, custodian.i, request)
    return recorded


_KINDS: Final[Mapping[str, _Kind]] = {
    "ed1.policy": _Kind(needs=_BOTH, require=_require_policy, act=_fix_policy),
    "ed1.spec": _Kind(needs=_BOTH, require=_require_spec, act=_specify),
    "ed1.escrow": _Kind(needs=("centre",), require=_require_escrow, act=_escrow),
    "ed1.waiver": _Kind(needs=_BOTH, require=_require_waiver_now, act=_waive, brought=True),
    "ed1.adjudication": _Kind(needs=("supervisor",), require=_require_adjudication, act=_adjudicate, brought=True),
    "ed1.result": _Kind(needs=_BOTH, require=_require_result, act=_result),
    "ed1.cancel": _Kind(needs=_BOTH, require=_require_cancel, act=_cancel),
    "ed1.key-order": _Kind(needs=("supervisor",), require=_require_key_order, act=_order_key, brought=True),
}
