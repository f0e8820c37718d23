"""What custodian agents answer: keys, proofs, share checks, releases, rehearsals (SB1 S9.3, S9.7, S13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.bids.rules.envelope import parse_rehearsal
from trading.crypto.signatures import verify_es256
from trading.custody import queries as jobs
from trading.custody import service as custody
from trading.custody import store as job_rows
from trading.custody.queries import WaitingJob
from trading.custody.rules.answers import Answer, read_answer
from trading.custody.rules.jobs import JobKind
from trading.documents import queries as stored
from trading.documents import store as documents
from trading.kernel.errors import Conflict, InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.openings import queries, store
from trading.openings.model import bid_event, lot_event
from trading.openings.rules.answers import covers, parse_release, parse_share_check, releases_exactly
from trading.openings.rules.factors import parse_factor_list
from trading.openings.rules.orders import OpenOrder, parse_order
from trading.openings.rules.windows import may_release
from trading.openings.service import session as sessions
from trading.openings.service.session import Session
from trading.parties import store as keys

REFUSED: Final = "refused"
ACCEPTED: Final = "accepted"


def answer(ledger: Ledger, kid: str, body: Mapping[str, Any]) -> str:
    """Take the answer of the institution ``kid`` to one of its jobs; the same answer again is accepted again.

    Raises:
        NotFound: Not a job of this institution.
        InvalidInput: The answer is malformed.
        RuleBroken: It comes at the wrong time.
        Conflict: It differs from an earlier one.
    """
    job_id = body.get("job")
    if not isinstance(job_id, str):
        raise InvalidInput("answer.malformed", "job")
    with ledger.read() as conn:
        job = jobs.job(conn, job_id)
    if job is None or job.kid != kid:
        raise NotFound(job_id)
    kind = JobKind(job.kind)
    read = read_answer(kind, body)
    if read.refusal is not None:
        return REFUSED  # the agent keeps its reason in its own log; a person there decides
    _take(ledger, Actor.party(kid), job, kind, read)
    with ledger.upkeep() as conn:
        job_rows.mark_answered(conn, job.id, _now(conn))
    return ACCEPTED


def _now(conn: Any) -> int:  # noqa: ANN401 - a connection
    return int(conn.exec_driver_sql("SELECT (extract(epoch from log.platform_time()) * 1000)::bigint").scalar_one())


def _take(ledger: Ledger, actor: Actor, job: WaitingJob, kind: JobKind, read: Answer) -> None:
    where = (str(job.request["tender"]), job.lot, job.stage)
    if kind is JobKind.KEY and read.document is not None:
        custody.register_share_key(ledger, actor, job.procedure_id, read.document)
    elif kind is JobKind.PROVE and read.content is not None:
        challenge = bytes.fromhex(read.content["challenge"])
        custody.prove_possession(ledger, actor, read.content["custodian_key_sha256"], challenge)
    elif kind is JobKind.CHECK and read.document is not None:
        check_shares(ledger, actor, where, job.custodian, read.document)
    elif kind is JobKind.RELEASE and read.document is not None:
        release_shares(ledger, actor, where, job.custodian, read.document)
    elif kind is JobKind.REHEARSE and read.content is not None:
        rehearsed(ledger, actor, where, job, ok=bool(read.content["ok"]))
    elif kind is not JobKind.ADMIT:
        raise InvalidInput("answer.malformed", f"{kind} is not answered here")


def check_shares(
    ledger: Ledger, actor: Actor, where: tuple[str, str, str], custodian: int, signed: SignedDocument
) -> Recorded | None:
    """Record a custodian's share check (S9.3); None if it is the one already recorded."""
    document = parse_share_check(signed.doc)
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        order = _order(uow, session, document.order_sha256)
        _require_custodian(uow, session, custodian, document.custodian, signed)
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
        uow.wake("openings.advance", _arg(session), uow.at)
    return recorded


def release_shares(
    ledger: Ledger, actor: Actor, where: tuple[str, str, str], custodian: int, signed: SignedDocument
) -> Recorded | None:
    """Record a custodian's release: exactly the bids with a valid factor, once (S9.7); None if already recorded."""
    document = parse_release(signed.doc)
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        order = _order(uow, session, document.order_sha256)
        _require_custodian(uow, session, custodian, document.custodian, signed)
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


def _require_custodian(uow: UnitOfWork, session: Session, asked: int, says: int, signed: SignedDocument) -> None:
    row = next((item for item in session.policy["custodians"] if item["i"] == says), None)
    if row is None or says != asked or [sig["kid"] for sig in signed.sigs] != [row["kid"]]:
        raise InvalidInput("doc.bad_field", "custodian")
    key = keys.lock_key(uow, row["kid"])
    if key is None or not key.active:
        raise RuleBroken("sig.key_revoked", "P6.2", kid=row["kid"])
    verify_es256(key.spki, signed.doc, signed.sigs[0])


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


def rehearsed(ledger: Ledger, actor: Actor, where: tuple[str, str, str], job: WaitingJob, *, ok: bool) -> Recorded:
    """Record one custodian's word on a rehearsal (S6.4): whether its own share opens and fits."""
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=False)
        found = queries.draft_by_digest(uow.connection, str(job.request["rehearsal_sha256"]))
        if found is None:
            raise NotFound("rehearsal")
        bid = parse_rehearsal(found.doc).bid
        body = {"bid": bid, "results": [{"custodian": job.custodian, "ok": ok}]}
        return uow.record(bid_event("rehearsal.checked", session.place, bid, body))


def _arg(session: Session) -> dict[str, str]:
    place = session.place
    return {"tender": place.procedure, "lot": place.lot, "stage": place.stage}
