"""Rehearsals (SB1 S6.4): the bidder's real machine against the real custodian keys, one bit from each custodian."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.bids import queries as bids
from trading.bids import store as bid_rows
from trading.bids.model import BidHead
from trading.bids.rules.envelope import parse_rehearsal, require_policy
from trading.bids.rules.policy import parse_policy
from trading.crypto.signatures import verify_es256
from trading.custody import service as custody
from trading.custody.queries import WaitingJob
from trading.custody.rules.jobs import JobKind
from trading.documents import queries as stored
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.openings import queries, store
from trading.openings.model import Place, bid_event
from trading.openings.service import session as sessions
from trading.parties import store as keys

TYP: Final = "sb1.rehearsal"


def rehearse(ledger: Ledger, actor: Actor, bid: str, signed: SignedDocument) -> int:
    """Ask every custodian to open its share of a rehearsal; return how many are asked.

    Technical until a custodian answers: nothing about a rehearsal binds anybody.

    Raises:
        NotFound: Not a bid of this organisation.
        InvalidInput, RuleBroken: Not a rehearsal under the current policy, signed by the bidder's own key.
    """
    document = parse_rehearsal(signed.doc)
    with ledger.begin(actor) as uow:
        head = _own(uow.connection, bid, actor)
        session = sessions.load(uow, head.procedure, head.lot, head.stage, move=False)
        bid_rows.lock_head(uow, head.id)  # so that the same rehearsal twice at once becomes one draft
        told = (document.bid, document.bidder, document.tender, document.lot)
        if told != (bid, head.bidder, head.procedure, head.lot):
            raise InvalidInput("policy.mismatch", "the rehearsal names another bid, bidder, tender or lot")
        _require_signed(uow.connection, actor, document.bidder_kid, signed)
        policy_sha256 = session.lot.policy_sha256
        found = None if policy_sha256 is None else stored.get(uow.connection, bytes.fromhex(policy_sha256))
        if found is None:
            raise NotFound("policy")
        require_policy(document, parse_policy(found.doc))
        if session.lot.phase != "open":
            raise RuleBroken("bid.closed", "SUB-01", received_at=uow.at)
        if queries.draft_by_digest(uow.connection, signed.sha256) is None:
            store.save_draft(uow, session.place, TYP, signed, known=False)
        request = {"policy_sha256": policy_sha256, "rehearsal_sha256": signed.sha256}
        custody.ask_all(uow, session.place.procedure_id, session.policy, JobKind.REHEARSE, request)
        return session.custodian_count


def _own(conn: Connection, bid: str, actor: Actor) -> BidHead:
    target = bids.target(conn, bid)
    if target is None or target.head.bidder != actor.organisation:
        raise NotFound("bid")
    return target.head


def _require_signed(conn: Connection, actor: Actor, kid: str, signed: SignedDocument) -> None:
    if [sig["kid"] for sig in signed.sigs] != [kid]:
        raise RuleBroken("sig.missing", "SB1 S6.4", kid=kid)
    key = keys.key_by_kid(conn, kid)
    if key is None or key.org_code != actor.organisation or key.role != "bidder" or not key.active:
        raise RuleBroken("sig.key_unknown", "SB1 S6.4", kid=kid)
    verify_es256(key.spki, signed.doc, signed.sigs[0])


def checked(ledger: Ledger, actor: Actor, where: tuple[str, str, str], job: WaitingJob, *, ok: bool) -> Recorded:
    """Record one custodian's word on a rehearsal: whether its own share opens and fits."""
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=False)
        found = queries.draft_by_digest(uow.connection, str(job.request["rehearsal_sha256"]))
        if found is None:
            raise NotFound("rehearsal")
        bid = parse_rehearsal(found.doc).bid
        body: dict[str, Any] = {"bid": bid, "results": [{"custodian": job.custodian, "ok": ok}]}
        return uow.record(bid_event("rehearsal.checked", session.place, bid, body))


def results_of(conn: Connection, head: BidHead) -> dict[int, bool]:
    """Return what each custodian, by index, said last about a rehearsal of the bid."""
    place = Place(procedure=head.procedure, procedure_id=head.procedure_id, lot=head.lot, stage=head.stage)
    results: dict[int, bool] = {}
    for record in queries.entries(conn, place, ("rehearsal.checked",)):
        if record["body"]["bid"] == head.reference:
            results |= {item["custodian"]: item["ok"] for item in record["body"]["results"]}
    return results
