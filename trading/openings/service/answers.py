"""What custodian agents answer: keys, proofs, share checks, releases, rehearsals (SB1 S9.3, S9.7, S13)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.audit.service import platform_ms
from trading.custody import queries as jobs
from trading.custody import service as custody
from trading.custody import store as job_rows
from trading.custody.queries import WaitingJob
from trading.custody.rules.answers import Answer, read_answer
from trading.custody.rules.jobs import JobKind
from trading.documents import queries as stored
from trading.documents import store as documents
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import Conflict, InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.openings import queries, store
from trading.openings.model import lot_event
from trading.openings.rules.answers import covers, parse_release, parse_share_check, releases_exactly
from trading.openings.rules.decisions import bad_bids
from trading.openings.rules.factors import parse_factor_list
from trading.openings.rules.orders import OpenOrder, parse_order
from trading.openings.rules.windows import may_release
from trading.openings.service import rehearsals, statements
from trading.openings.service import session as sessions
from trading.openings.service.session import Session
from trading.parties.model import SigningKey

_log = logging.getLogger("mingbiao.custody")


def answer(ledger: Ledger, institution: SigningKey, body: Mapping[str, Any]) -> None:
    """Take the answer of an institution to one of its jobs; the same answer again is accepted again.

    Raises:
        NotFound: Not a job of this institution.
        InvalidInput, RuleBroken, Conflict: The answer is malformed, comes at the wrong time, or differs from an earlier
            one.
    """
    actor = Actor.party(institution.kid, institution.org_code)
    if body.get("job") is None:
        statements.destroyed(ledger, actor, institution, _document(read_answer(None, body)))
        return
    with ledger.read() as conn:
        job = jobs.job(conn, str(body["job"]))
    if job is None or job.kid != institution.kid:
        raise NotFound("job")
    kind = JobKind(job.kind)
    read = read_answer(kind, body)
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
    _HANDLERS[kind](ledger, actor, job, read)
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


def _where(job: WaitingJob) -> tuple[str, str, str]:
    return str(job.request["tender"]), job.lot, job.stage


def _key(ledger: Ledger, actor: Actor, job: WaitingJob, read: Answer) -> None:
    custody.register_share_key(ledger, actor, job.procedure_id, _where(job), _document(read))


def _proof(ledger: Ledger, actor: Actor, job: WaitingJob, read: Answer) -> None:
    content = _content(read)
    if content["custodian_key_sha256"] != job.request["custodian_key_sha256"]:
        raise InvalidInput("answer.malformed", "the proof is for another key")
    custody.prove_possession(ledger, actor, content["custodian_key_sha256"], bytes.fromhex(content["challenge"]))


def _admission(_ledger: Ledger, _actor: Actor, job: WaitingJob, read: Answer) -> None:
    if _content(read)["policy_sha256"] != job.request["policy_sha256"]:
        raise InvalidInput("answer.malformed", "another policy was admitted")


def _check(ledger: Ledger, actor: Actor, job: WaitingJob, read: Answer) -> None:
    check_shares(ledger, actor, _where(job), job.custodian, _document(read))


def _release(ledger: Ledger, actor: Actor, job: WaitingJob, read: Answer) -> None:
    release_shares(ledger, actor, _where(job), job.custodian, _document(read))


def _rehearsal(ledger: Ledger, actor: Actor, job: WaitingJob, read: Answer) -> None:
    content = _content(read)
    if content["rehearsal_sha256"] != job.request["rehearsal_sha256"]:
        raise InvalidInput("answer.malformed", "another rehearsal was answered")
    rehearsals.checked(ledger, actor, _where(job), job, ok=content["ok"])


def _disclosure(ledger: Ledger, actor: Actor, job: WaitingJob, read: Answer) -> None:
    content = _content(read)
    if content["auditor"] != job.request["auditor"]:
        raise InvalidInput("answer.malformed", "the key was disclosed to another auditor")
    statements.disclosed(ledger, actor, _where(job), job.custodian, content)


def _non_release(ledger: Ledger, actor: Actor, job: WaitingJob, read: Answer) -> None:
    asked = job.request["envelopes"]
    statements.not_released(ledger, actor, _where(job), job.custodian, asked, _document(read))


_HANDLERS: Final[Mapping[JobKind, Callable[[Ledger, Actor, WaitingJob, Answer], None]]] = {
    JobKind.KEY: _key,
    JobKind.PROVE: _proof,
    JobKind.ADMIT: _admission,
    JobKind.CHECK: _check,
    JobKind.RELEASE: _release,
    JobKind.REHEARSE: _rehearsal,
    JobKind.DISCLOSE: _disclosure,
    JobKind.NON_RELEASE: _non_release,
}


def check_shares(
    ledger: Ledger, actor: Actor, where: tuple[str, str, str], custodian: int, signed: SignedDocument
) -> Recorded | None:
    """Record a custodian's share check (S9.3); None if it is the one already recorded."""
    document = parse_share_check(signed.doc)
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        order = _order(uow, session, document.order_sha256)
        statements.require_custodian(uow, session, custodian, document.custodian, signed)
        if not covers(order, document):
            raise InvalidInput("doc.bad_field", "the check does not answer every bid of the order, in its order")
        if _answered(uow, session, "check", custodian, signed, order.sha256):
            return None
        if session.begun().factor_ends_at is not None:
            raise RuleBroken("check.late", "SB1 S9.3")
        recorded = uow.record(
            lot_event("share.checked", session.place, check_sha256=signed.sha256, custodian=custodian)
        )
        _keep(uow, recorded, session, "check", custodian, order.sha256, signed)
        if bad_bids(document):
            statements.ask_for_disclosure(uow, session, custodian, order.sha256)
        uow.wake("openings.advance", sessions.arg(session.place), uow.at)
    return recorded


def release_shares(
    ledger: Ledger, actor: Actor, where: tuple[str, str, str], custodian: int, signed: SignedDocument
) -> Recorded | None:
    """Record a custodian's release: exactly the bids with a valid factor, once (S9.7); None if already recorded."""
    document = parse_release(signed.doc)
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        order = _order(uow, session, document.order_sha256)
        statements.require_custodian(uow, session, custodian, document.custodian, signed)
        if session.begun().release_closed_at is not None:
            raise RuleBroken("release.late", "SB1 S9.7")
        if document.factor_list_sha256 != session.begun().factor_list_sha256:
            raise InvalidInput("doc.bad_field", "factor_list_sha256")
        if not releases_exactly(order, document, _valid_bids(uow, session, order)):
            raise InvalidInput("doc.bad_field", "the release is not for exactly the bids with a valid factor")
        if _answered(uow, session, "release", custodian, signed, order.sha256):
            return None
        if not may_release(sessions.ceremony(uow.connection, session), uow.at):
            raise RuleBroken("release.early", "SB1 S9.7")
        event = lot_event("share.released", session.place, custodian=custodian, release_sha256=signed.sha256)
        recorded = uow.record(event)
        _keep(uow, recorded, session, "release", custodian, order.sha256, signed)
    return recorded


def _valid_bids(uow: UnitOfWork, session: Session, order: OpenOrder) -> tuple[str, ...]:
    digest = session.begun().factor_list_sha256
    if digest is None:
        return order.bid_ids
    found = stored.get(uow.connection, bytes.fromhex(digest))
    if found is None:
        raise NotFound("factor list")
    return tuple(item.bid for item in parse_factor_list(found.doc).items if item.result == "valid")


def _order(uow: UnitOfWork, session: Session, order_sha256: str) -> OpenOrder:
    """Return the order that an answer names; only the newest one is answered."""
    if session.begun().order_sha256 != order_sha256:
        raise Conflict("the answer is for another order")
    found = stored.get(uow.connection, bytes.fromhex(order_sha256))
    if found is None:
        raise NotFound(order_sha256)
    return parse_order(found.doc)


def _answered(
    uow: UnitOfWork, session: Session, kind: str, custodian: int, signed: SignedDocument, order_sha256: str
) -> bool:
    for known in queries.answers(uow.connection, session.place, kind):
        if (known.custodian, known.order_sha256) == (custodian, order_sha256):
            if known.doc_sha256 == signed.sha256:
                return True
            raise Conflict(f"custodian {custodian} has answered already, with another content")
    return False


def _keep(
    uow: UnitOfWork,
    recorded: Recorded,
    session: Session,
    kind: str,
    custodian: int,
    order_sha256: str,
    signed: SignedDocument,
) -> None:
    documents.add(uow, recorded, session.place.procedure_id, signed)
    store.add_answer(
        uow,
        recorded,
        session.place,
        kind=kind,
        custodian=custodian,
        order_sha256=order_sha256,
        doc_sha256=signed.sha256,
    )
