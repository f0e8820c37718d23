"""What custodian agents answer to the jobs of a draw: keys, proofs, share checks, recoveries, key releases (ED1 D7)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.service import platform_ms
from trading.crypto.keys import hpke_seal, pop_info, xwing_kid
from trading.crypto.signatures import verify_es256
from trading.custody import store as job_rows
from trading.custody.queries import WaitingJob
from trading.custody.rules.answers import Answer, read_answer
from trading.custody.rules.jobs import JobKind
from trading.documents import store as documents
from trading.experts import queries, store
from trading.experts.model import Attempt, draw_event
from trading.experts.queries import DrawRow, ShareKeyRow
from trading.experts.rules.checks import Checks, parse_share_check, parse_waiver
from trading.experts.rules.contributions import parse_contribution
from trading.experts.rules.keys import parse_key_release
from trading.experts.rules.policy import Policy, parse_custodian_key, parse_policy
from trading.experts.rules.reveals import parse_recovery
from trading.experts.service.committees import ask
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.kernel.errors import Conflict, InvalidInput, NotFound, RuleBroken
from trading.kernel.events import Event
from trading.kernel.ids import new_row_id
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.parties import model as party_model
from trading.parties import store as keys
from trading.parties.model import SigningKey

PREFIX: Final = "draw-"
_log: Final = logging.getLogger("mingbiao.draws")


def answer(ledger: Ledger, institution: SigningKey, job: WaitingJob, body: Mapping[str, Any]) -> None:
    """Take the answer of an institution to one job of a draw; the same answer again is accepted again.

    Raises:
        InvalidInput, RuleBroken, Conflict: The answer is malformed, comes at the wrong time, or differs from an earlier
            one.
    """
    read = read_answer(JobKind(job.kind), body)
    if read.refusal is not None:
        # The details stay in the agent's journal; whoever runs the platform sees that somebody must look.
        _log.warning("job %s (%s) was refused: %s", job.id, job.kind, read.refusal.code)
        with ledger.upkeep() as conn:
            job_rows.mark_refused(conn, job.id, platform_ms(conn), read.refusal.code)
        return
    digest = sha256_hex(dumps(body["answer"]))
    if job.answered_at is not None:
        if job.answer_sha256 != digest:
            raise Conflict("the job has been answered already, with another content")
        return
    _HANDLERS[job.kind](ledger, Actor.party(institution.kid, institution.org_code), institution, job, read)
    with ledger.upkeep() as conn:
        job_rows.mark_answered(conn, job.id, platform_ms(conn), digest)


def _document(read: Answer) -> SignedDocument:
    if read.document is None:
        raise InvalidInput("answer.malformed", "a signed document is needed")
    return read.document


def _content(read: Answer) -> Mapping[str, Any]:
    if read.content is None:
        raise InvalidInput("answer.malformed", "an unsigned answer is needed")
    return read.content


def _key(ledger: Ledger, actor: Actor, institution: SigningKey, job: WaitingJob, read: Answer) -> None:
    register_share_key(ledger, actor, institution, job.lot, _document(read))


def register_share_key(
    ledger: Ledger, actor: Actor, institution: SigningKey, draw: str, signed: SignedDocument
) -> None:
    """Register a share key for a draw and challenge its holder (SB1 S3.2); nothing for the same document again.

    Raises:
        InvalidInput: Malformed, or for another draw than was asked.
        Conflict: The institution has given another key for this draw.
    """
    document = parse_custodian_key(signed.doc)
    if document.draw != draw:
        raise InvalidInput("doc.bad_field", "the key is for another draw than was asked")
    with ledger.begin(actor) as uow:
        _require_signed_by(uow, institution, signed)
        known = queries.share_keys(uow.connection, draw)
        if any(row.doc_sha256 == signed.sha256 for row in known):
            return
        if any(row.kid == institution.kid for row in known):
            raise Conflict(f"{institution.kid} has given another key for this draw")
        challenge = secrets.token_bytes(32)
        uow.record(_registered(xwing_kid(document.hpke_pk), document.suite, institution))
        body = {"challenge_sha256": sha256_hex(challenge), "custodian_key_sha256": signed.sha256}
        recorded = uow.record(Event(kind="custodian.challenged", subject=f"draw:{draw}", body=body))
        documents.add(uow, recorded, None, signed)
        row = ShareKeyRow(
            id=new_row_id(),
            draw=draw,
            kid=institution.kid,
            name=document.name,
            role=document.role,
            doc_sha256=signed.sha256,
            challenge_sha256=sha256_hex(challenge),
            state="challenged",
        )
        store.add_share_key(uow, recorded, row)
        request = {
            "ct": b64u(hpke_seal(document.hpke_pk, pop_info(signed.doc), challenge)),
            "custodian_key_sha256": signed.sha256,
        }
        ask(uow.connection, institution.kid, "draw-prove", draw, 0, request)


def _registered(kid: str, suite: str, institution: SigningKey) -> Event:
    return party_model.key_registered(
        kid=kid,
        org=institution.org_code,
        role="share",
        alg=suite,
        spki_sha256=kid,
        approvers=(institution.kid,),
        second_factor=False,
    )


def _require_signed_by(uow: UnitOfWork, institution: SigningKey, signed: SignedDocument) -> None:
    """Verify the one signature of the institution under a lock, so that two answers at once follow one another."""
    if len(signed.sigs) != 1 or signed.sigs[0]["kid"] != institution.kid:
        raise RuleBroken("sig.missing", "ED1 D14")
    key = keys.lock_key(uow, institution.kid, for_update=True)
    if key is None or key.role != "custodian" or not key.active:
        raise RuleBroken("sig.key_unknown", "ED1 D14", kid=institution.kid)
    verify_es256(key.spki, signed.doc, signed.sigs[0])


def _prove(ledger: Ledger, actor: Actor, _institution: SigningKey, job: WaitingJob, read: Answer) -> None:
    content = _content(read)
    if content["custodian_key_sha256"] != job.request["custodian_key_sha256"]:
        raise InvalidInput("answer.malformed", "the proof is for another key")
    with ledger.begin(actor) as uow:
        key = store.lock_share_key(uow, content["custodian_key_sha256"])
        if key is None:
            raise NotFound("share key")
        if sha256_hex(bytes.fromhex(content["challenge"])) != key.challenge_sha256:
            raise RuleBroken("custodian.proof_differs", "SB1 S3.2")
        if key.state == "proved":
            return
        recorded = uow.record(Event(kind="custodian.proved", subject=f"draw:{key.draw}", body=content))
        store.mark_proved(uow, recorded, key)
        uow.wake("experts.advance", {"draw": key.draw}, uow.at)


def _admit(_ledger: Ledger, _actor: Actor, _institution: SigningKey, job: WaitingJob, read: Answer) -> None:
    if _content(read)["policy_sha256"] != job.request["policy_sha256"]:
        raise InvalidInput("answer.malformed", "another policy was admitted")


def _check(ledger: Ledger, actor: Actor, institution: SigningKey, job: WaitingJob, read: Answer) -> None:
    signed = _document(read)
    document = parse_share_check(signed.doc)
    with ledger.begin(actor) as uow:
        row = store.lock_draw(uow, job.lot, int(job.request["attempt"]))
        _require_signed_by(uow, institution, signed)
        if (document.custodian, document.draw, document.spec_sha256) != (job.custodian, row.draw, row.spec_sha256):
            raise InvalidInput("doc.bad_field", "the check is of another custodian, draw or attempt")
        if [item.doc_sha256 for item in document.items] != job.request["documents"]:
            raise InvalidInput("doc.bad_field", "the check does not answer exactly the documents asked about")
        if _has(uow.connection, row, "check", signed.sha256):
            return
        if row.state != "specified":
            raise RuleBroken("draw.check_late", "ED1 D7")
        checks_of(uow.connection, row).add(document)
        recorded = uow.record(
            draw_event("share_checked", attempt_of(row), check_sha256=signed.sha256, custodian=job.custodian)
        )
        documents.add(uow, recorded, None, signed)
        store.add_answer(uow, recorded, row, "check", signed.sha256, custodian=job.custodian)
        uow.wake("experts.advance", {"draw": row.draw}, uow.at)


def attempt_of(row: DrawRow) -> Attempt:
    """Return which attempt a row is."""
    return Attempt(draw=row.draw, number=row.attempt)


def _has(conn: Connection, row: DrawRow, kind: str, digest: str) -> bool:
    return any(each.sha256 == digest for each in queries.answers(conn, row.draw, row.attempt, kind))


def checks_of(conn: Connection, row: DrawRow) -> Checks:
    """Return everything that custodians said in an attempt, with the waivers."""
    checks = Checks(codes={})
    for each in queries.answers(conn, row.draw, row.attempt, "check", "waiver"):
        raw = queries.signed_document(conn, each.sha256).doc
        checks = checks.add(parse_share_check(raw)) if each.kind == "check" else checks.waive(parse_waiver(raw))
    return checks


def policy_of(conn: Connection, row: DrawRow) -> Policy:
    """Return the policy of an attempt."""
    return parse_policy(queries.signed_document(conn, row.policy_sha256).doc)


def ask_checks(conn: Connection, row: DrawRow, digests: list[str]) -> None:
    """Ask every custodian of the policy to check its shares of these documents."""
    request = {
        "attempt": row.attempt,
        "documents": sorted(digests),
        "policy_sha256": row.policy_sha256,
        "spec_sha256": row.spec_sha256,
    }
    for custodian in policy_of(conn, row).custodians:
        ask(conn, custodian.kid, "draw-check", row.draw, custodian.i, request)


def ask_recoveries(conn: Connection, row: DrawRow, parties: list[str]) -> None:
    """Ask every custodian of the policy for its shares of what was not revealed."""
    request = {
        "attempt": row.attempt,
        "parties": sorted(parties),
        "policy_sha256": row.policy_sha256,
        "sealed_h": row.sealed_h,
        "spec_sha256": row.spec_sha256,
    }
    for custodian in policy_of(conn, row).custodians:
        ask(conn, custodian.kid, "draw-recover", row.draw, custodian.i, request)


def _recover(ledger: Ledger, actor: Actor, institution: SigningKey, job: WaitingJob, read: Answer) -> None:
    """Record every recovery that the custodian gives; whether its shares are good is judged when the seed is made."""
    signed = read.documents or ()
    parsed = [parse_recovery(each.doc) for each in signed]
    parties = [each.party for each in parsed]
    if len(set(parties)) < len(parties) or not set(job.request["parties"]).issuperset(parties):
        raise InvalidInput("answer.malformed", "recoveries of parties that were not asked about, or twice of one")
    with ledger.begin(actor) as uow:
        row = store.lock_draw(uow, job.lot, int(job.request["attempt"]))
        for each in signed:
            _require_signed_by(uow, institution, each)
        if row.state != "sealed":
            raise RuleBroken("draw.recovery_late", "ED1 D7")
        for each, recovery in zip(signed, parsed, strict=True):
            told = (recovery.custodian, recovery.draw, recovery.spec_sha256, recovery.sealed_h)
            if told != (job.custodian, row.draw, row.spec_sha256, row.sealed_h):
                raise InvalidInput("doc.bad_field", "the recovery is of another custodian, draw, attempt or seal")
            if _has(uow.connection, row, "recovery", each.sha256):
                continue
            event = draw_event(
                "recovered",
                attempt_of(row),
                custodian=job.custodian,
                party=recovery.party,
                recovery_sha256=each.sha256,
                via="platform",
            )
            recorded = uow.record(event)
            documents.add(uow, recorded, None, each)
            store.add_answer(uow, recorded, row, "recovery", each.sha256, party=recovery.party, custodian=job.custodian)
        uow.wake("experts.advance", {"draw": row.draw}, uow.at)


def _release_key(ledger: Ledger, actor: Actor, institution: SigningKey, job: WaitingJob, read: Answer) -> None:
    """Keep a custodian's share of K_draw or K_x for the auditor; it is sealed to the auditor and proves itself."""
    signed = _document(read)
    document = parse_key_release(signed.doc)
    if (document.custodian, document.draw, document.order_sha256) != (
        job.custodian,
        job.lot,
        job.request["order_sha256"],
    ):
        raise InvalidInput("doc.bad_field", "the release is of another custodian, draw or order")
    with ledger.begin(actor) as uow:
        row = store.lock_draw(uow, job.lot, int(job.request["attempt"]))
        _require_signed_by(uow, institution, signed)
        store.add_paper(uow.connection, row.draw, row.attempt, "ed1.key-release", signed, uow.at)


def listed_contributions(conn: Connection, row: DrawRow) -> dict[str, tuple[str, bytes]]:
    """Return each party's last contribution: hash and bytes by party."""
    found = {}
    for each in queries.answers(conn, row.draw, row.attempt, "contribution"):
        raw = queries.signed_document(conn, each.sha256).doc
        found[parse_contribution(raw).party] = (each.sha256, raw)
    return found


_HANDLERS: Final[Mapping[str, Callable[[Ledger, Actor, SigningKey, WaitingJob, Answer], None]]] = {
    "draw-key": _key,
    "draw-prove": _prove,
    "draw-admit": _admit,
    "draw-check": _check,
    "draw-recover": _recover,
    "draw-release-key": _release_key,
}
