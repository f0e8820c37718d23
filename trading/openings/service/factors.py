"""The factor window and the rescue (SB1 S9.5, S9.6).

The same lock and clock order as a submission: capture, procedure ``FOR SHARE``, bid head; whoever ends a window holds
the procedure ``FOR UPDATE``, so the order in the log decides (AL1 L4.6).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.audit.queries import recorded_by_id
from trading.bids import queries as bids
from trading.bids import store as bid_rows
from trading.bids.model import BidHead
from trading.bids.rules.envelope import Envelope, parse_envelope
from trading.bids.service import Refused
from trading.crypto.shares import commit_factor, commit_seed, deal
from trading.crypto.signatures import verify_es256
from trading.custody.rules.documents import POLL_TOLERANCE_MS
from trading.kernel.errors import Conflict, InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.openings import queries, store
from trading.openings.model import Place, bid_event
from trading.openings.rules.factors import Factor, Rescue, parse_factor, parse_factor_ack, parse_rescue
from trading.openings.rules.windows import require_factor_open, require_rescue_open
from trading.openings.service import session as sessions
from trading.openings.service.session import Session
from trading.parties import store as keys

_ARTICLE: Final = "电子招标投标办法 30"
_RECORDED: Final = frozenset({"factor.late", "factor.mismatch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Handed:
    """A factor on its way into the record: by whom, and when it was handed over (ms; None: now)."""

    via: str
    received_at: int | None = None


def reveal(ledger: Ledger, actor: Actor, bid: str, document: bytes) -> Recorded:
    """Accept the factor of one's own bid; unsigned, because only its bidder can know a preimage (S9.5).

    Raises:
        NotFound: Not a bid of this organisation, or no standing envelope of that hash.
        Refused: ``factor.late`` or ``factor.mismatch``, recorded.
        RuleBroken: ``factor.early``.
        InvalidInput: Malformed.
    """
    factor = _factor(bid, document)
    head, envelope = _head_and_envelope(ledger, bid, factor.envelope_sha256)
    if head.bidder != actor.organisation:
        raise NotFound("bid")
    return _recording_refusal(ledger, actor, head, factor, envelope, _Handed(via="platform"))


def forward(ledger: Ledger, bid: str, document: bytes, ack: SignedDocument) -> Recorded:
    """Accept a factor that a bidder handed to the supervisor or to a custodian, with their acknowledgement (S9.5).

    It counts from the instant of the acknowledgement, so the platform cannot suppress a factor by being away.

    Raises:
        InvalidInput: The acknowledgement is malformed, of another factor, from the future, or badly signed.
        RuleBroken: ``sig.…``: whoever signed has no say in this lot; ``factor.early``.
        Refused: ``factor.late`` or ``factor.mismatch``, recorded.
    """
    factor, said = _factor(bid, document), parse_factor_ack(ack.doc)
    if (said.bid, said.envelope_sha256, said.factor_sha256) != (bid, factor.envelope_sha256, factor.sha256):
        raise InvalidInput("doc.bad_field", "the acknowledgement is of another factor")
    head, envelope = _head_and_envelope(ledger, bid, factor.envelope_sha256)
    with ledger.read() as conn:
        via, forwarder = _forwarder(conn, head, ack)
        now = ledger.platform_time(conn)
    if said.created > now + POLL_TOLERANCE_MS:
        raise InvalidInput("doc.bad_field", "the acknowledgement is from the future")
    return _recording_refusal(ledger, forwarder, head, factor, envelope, _Handed(via=via, received_at=said.created))


def _factor(bid: str, document: bytes) -> Factor:
    factor = parse_factor(document)
    if factor.bid != bid:
        raise InvalidInput("doc.bad_field", "bid")
    return factor


def _forwarder(conn: Connection, head: BidHead, ack: SignedDocument) -> tuple[str, Actor]:
    """Return how the factor came and who forwards it: the procedure's supervisor, or a custodian of the policy."""
    if len(ack.sigs) != 1:
        raise RuleBroken("sig.missing", "SB1 S9.5")
    kid = ack.sigs[0]["kid"]
    key = keys.key_by_kid(conn, kid)
    if key is None or not key.active:
        raise RuleBroken("sig.key_unknown", "SB1 S9.5", kid=kid)
    session = sessions.read(conn, head.procedure, head.lot, head.stage)
    custodians = {row["kid"] for row in session.policy["custodians"]}
    is_supervisor = (key.role, key.org_code) == ("supervisor", session.procedure.supervisor_code)
    if not is_supervisor and not (key.role == "custodian" and kid in custodians):
        raise RuleBroken("sig.key_unknown", "SB1 S9.5", kid=kid)
    verify_es256(key.spki, ack.doc, ack.sigs[0])
    return "supervisor" if is_supervisor else "custodian", Actor.party(kid, key.org_code)


def _recording_refusal(
    ledger: Ledger, actor: Actor, head: BidHead, factor: Factor, envelope: Envelope, handed: _Handed
) -> Recorded:
    try:
        return _accept(ledger, actor, head, factor, envelope, handed)
    except RuleBroken as reason:
        if reason.code not in _RECORDED:
            raise
        received_at = reason.facts["received_at"]
        at = received_at if isinstance(received_at, int) else 0
        body = {
            "bid": head.reference,
            "code": reason.code,
            "envelope_sha256": factor.envelope_sha256,
            "received_at": at,
        }
        recorded = ledger.refuse(actor, bid_event("factor.refused", _place(head), head.reference, body, _ARTICLE))
        raise Refused(reason, h=recorded.h, doc_sha256=factor.sha256, received_at=at) from reason


def _accept(
    ledger: Ledger, actor: Actor, head: BidHead, factor: Factor, envelope: Envelope, handed: _Handed
) -> Recorded:
    commitment = commit_factor(factor.s_b, envelope.context.bytes())
    with ledger.begin(actor) as uow:
        received_at = uow.at if handed.received_at is None else min(handed.received_at, uow.at)
        session = sessions.load(uow, head.procedure, head.lot, head.stage, move=False)
        bid_rows.lock_head(uow, head.id)  # two revelations of one factor at once become one record
        known = queries.factors(uow.connection, session.place).get(head.reference)
        if known is not None and hmac.compare_digest(known.s_b, factor.s_b):
            return _earlier(uow.connection, session, "factor.revealed", head.reference)
        if session.opening is None:
            raise RuleBroken("factor.early", "SB1 S9.5")
        ceremony = sessions.ceremony(uow.connection, session)
        try:
            require_factor_open(ceremony, received_at)
            # An act that was captured in time but got its lock after the list was closed comes too late for the log.
            if ceremony.factor_closed_at is not None:
                raise RuleBroken("factor.late", "SB1 S9.5", ended_at=ceremony.factor_ends_at)
            if envelope.factor_commit is None or not hmac.compare_digest(commitment, envelope.factor_commit):
                raise RuleBroken("factor.mismatch", "SB1 S9.5")
        except RuleBroken as reason:
            reason.facts["received_at"] = received_at
            raise
        body = {
            "bid": head.reference,
            "envelope_sha256": factor.envelope_sha256,
            "received_at": received_at,
            "via": handed.via,
        }
        recorded = uow.record(bid_event("factor.revealed", session.place, head.reference, body, _ARTICLE))
        store.add_factor(
            uow, recorded, session.place, bid_id=head.id, s_b=factor.s_b, via=handed.via, received_at=received_at
        )
        if ceremony.factor_ends_at is not None and uow.at >= ceremony.factor_ends_at:
            uow.wake("openings.advance", sessions.arg(session.place), uow.at)  # the list that was made lacks this one
    return recorded


def rescue(ledger: Ledger, actor: Actor, bid: str, document: bytes) -> Recorded:
    """Accept the secrets of a bid whose custodians failed it: they replace the shares, never the factor (S9.6).

    Raises:
        NotFound: Not a bid of this organisation, or no standing envelope of that hash.
        RuleBroken: ``rescue.early``, ``rescue.late``, ``rescue.no_factor``, ``rescue.mismatch``.
        InvalidInput: Malformed.
    """
    secrets = parse_rescue(document)
    if secrets.bid != bid:
        raise InvalidInput("doc.bad_field", "bid")
    head, envelope = _head_and_envelope(ledger, bid, secrets.envelope_sha256)
    if head.bidder != actor.organisation:
        raise NotFound("bid")
    _require_rederives(ledger, envelope, secrets)
    with ledger.begin(actor) as uow:
        received_at = uow.at
        session = sessions.load(uow, head.procedure, head.lot, head.stage, move=False)
        bid_rows.lock_head(uow, head.id)
        known = queries.factors(uow.connection, session.place).get(bid)
        if known is not None and known.s_c is not None:
            return _earlier(uow.connection, session, "rescue.accepted", bid)
        if session.opening is None:
            raise RuleBroken("rescue.early", "SB1 S9.6")
        require_rescue_open(sessions.ceremony(uow.connection, session), received_at)
        if known is None and session.policy["bidder_factor"]:
            raise RuleBroken("rescue.no_factor", "SB1 S10")
        body = {"bid": bid, "envelope_sha256": secrets.envelope_sha256, "received_at": received_at}
        recorded = uow.record(bid_event("rescue.accepted", session.place, bid, body, "电子招标投标办法 31"))
        _store_rescue(uow, recorded, session, head, secrets, is_new=known is None)
    return recorded


def _store_rescue(
    uow: UnitOfWork, recorded: Recorded, session: Session, head: BidHead, secrets: Rescue, *, is_new: bool
) -> None:
    if is_new:  # with the factor off there is no row yet, and s_b is empty
        store.add_factor(uow, recorded, session.place, bid_id=head.id, s_b=b"", via="platform", received_at=recorded.at)
    store.set_rescue(uow, recorded, head.id, secrets.s_c)


def _require_rederives(ledger: Ledger, envelope: Envelope, secrets: Rescue) -> None:
    """Require that ``seed_commit`` and all C_i follow from the secrets."""
    ctx = envelope.context.bytes()
    with ledger.read() as conn:
        policy = sessions.document(conn, envelope.policy_sha256)
    dealt = deal(secrets.s_c, ctx, policy["k"], len(envelope.shares))
    commitments = tuple(share.c for share in envelope.shares)
    if commit_seed(secrets.s_c, secrets.s_b, ctx) != envelope.seed_commit or commitments != dealt.commitments:
        raise RuleBroken("rescue.mismatch", "SB1 S9.6")


def _earlier(conn: Connection, session: Session, kind: str, bid: str) -> Recorded:
    """Return the record of the same act done before."""
    for record in queries.entries(conn, session.place, (kind,)):
        body: dict[str, Any] = record["body"]
        if body["bid"] == bid:
            return recorded_by_id(conn, record["id"])
    raise Conflict(f"{kind} of {bid} is not recorded")


def _head_and_envelope(ledger: Ledger, bid: str, envelope_sha256: str) -> tuple[BidHead, Envelope]:
    with ledger.read() as conn:
        target = bids.target(conn, bid)
        if target is None or target.head.head_sha256 != envelope_sha256:
            raise NotFound("bid")
        version = bids.version_by_digest(conn, envelope_sha256)
    if version is None or version.kind != "envelope":
        raise NotFound("bid")
    return target.head, parse_envelope(version.doc)


def _place(head: BidHead) -> Place:
    return Place(procedure=head.procedure, procedure_id=head.procedure_id, lot=head.lot, stage=head.stage)
