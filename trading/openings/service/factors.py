"""The factor window and the rescue (SB1 S9.5, S9.6)."""

from __future__ import annotations

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.audit.queries import recorded_by_id
from trading.bids import queries as bids
from trading.bids.model import BidHead
from trading.bids.rules.envelope import Envelope, parse_envelope
from trading.crypto.shares import commit_factor, commit_seed, deal
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.openings import queries, store
from trading.openings.model import Place, bid_event
from trading.openings.rules.factors import parse_factor, parse_rescue
from trading.openings.rules.windows import require_factor_open, require_rescue_open
from trading.openings.service import session as sessions

_ARTICLE = "电子招标投标办法 30"


def reveal(ledger: Ledger, actor: Actor, bid: str, document: bytes, *, via: str = "platform") -> Recorded:
    """Accept the factor of one bid; unsigned, because only its bidder can know a preimage (S9.5).

    Raises:
        RuleBroken: ``factor.early``, ``factor.late``, ``factor.mismatch``; the last two are recorded.
    """
    factor = parse_factor(document)
    if factor.bid != bid:
        raise InvalidInput("doc.bad_field", "bid")
    head, envelope = _head_and_envelope(ledger, bid, factor.envelope_sha256)
    fits = commit_factor(factor.s_b, envelope.context.bytes()) == envelope.factor_commit
    try:
        with ledger.begin(actor) as uow:
            received_at = uow.at
            session = sessions.load(uow, head.procedure, head.lot, head.stage, move=False)
            known = queries.factors(uow.connection, session.place).get(bid)
            if known is not None and known.s_b == factor.s_b:
                return recorded_by_id(uow.connection, known.entry_id)
            require_factor_open(sessions.ceremony(uow.connection, session), received_at)
            if not fits or known is not None:
                raise RuleBroken("factor.mismatch", "SB1 S9.5")
            body = {"bid": bid, "envelope_sha256": factor.envelope_sha256, "received_at": received_at, "via": via}
            recorded = uow.record(bid_event("factor.revealed", session.place, bid, body, _ARTICLE))
            store.add_factor(
                uow, recorded, session.place, bid_id=head.id, s_b=factor.s_b, via=via, received_at=received_at
            )
    except RuleBroken as refusal:
        if refusal.code in {"factor.late", "factor.mismatch"}:
            _refuse(ledger, actor, head, factor.envelope_sha256, refusal.code)
        raise
    return recorded


def rescue(ledger: Ledger, actor: Actor, bid: str, document: bytes) -> Recorded:
    """Accept the secrets of a bid whose custodians failed it: they replace the shares, never the factor (S9.6).

    Raises:
        RuleBroken: ``rescue.early``, ``rescue.late``, ``rescue.no_factor``, ``rescue.mismatch``.
    """
    secrets = parse_rescue(document)
    if secrets.bid != bid:
        raise InvalidInput("doc.bad_field", "bid")
    head, envelope = _head_and_envelope(ledger, bid, secrets.envelope_sha256)
    _require_rederives(ledger, envelope, secrets.s_c, secrets.s_b)
    with ledger.begin(actor) as uow:
        received_at = uow.at
        session = sessions.load(uow, head.procedure, head.lot, head.stage, move=False)
        require_rescue_open(sessions.ceremony(uow.connection, session), received_at)
        known = queries.factors(uow.connection, session.place).get(bid)
        if known is None:
            raise RuleBroken("rescue.no_factor", "SB1 S10")
        if known.s_c is not None:
            return recorded_by_id(uow.connection, known.entry_id)
        body = {"bid": bid, "envelope_sha256": secrets.envelope_sha256, "received_at": received_at}
        recorded = uow.record(bid_event("rescue.accepted", session.place, bid, body, "电子招标投标办法 31"))
        store.set_rescue(uow, recorded, head.id, secrets.s_c)
    return recorded


def _require_rederives(ledger: Ledger, envelope: Envelope, s_c: bytes, s_b: bytes) -> None:
    """Require that ``seed_commit`` and all C_i follow from the secrets."""
    ctx = envelope.context.bytes()
    with ledger.read() as conn:
        policy = sessions.document(conn, envelope.policy_sha256)
    dealt = deal(s_c, ctx, policy["k"], len(envelope.shares))
    commitments = tuple(share.c for share in envelope.shares)
    if commit_seed(s_c, s_b, ctx) != envelope.seed_commit or commitments != dealt.commitments:
        raise RuleBroken("rescue.mismatch", "SB1 S9.6")


def _head_and_envelope(ledger: Ledger, bid: str, envelope_sha256: str) -> tuple[BidHead, Envelope]:
    with ledger.read() as conn:
        target = bids.target(conn, bid)
        if target is None or target.head.head_sha256 != envelope_sha256:
            raise NotFound("bid")
        version = bids.version_by_digest(conn, envelope_sha256)
    if version is None or version.kind != "envelope":
        raise NotFound("bid")
    return target.head, parse_envelope(version.doc)


def _refuse(ledger: Ledger, actor: Actor, head: BidHead, envelope_sha256: str, code: str) -> None:
    place = Place(procedure=head.procedure, procedure_id=head.procedure_id, lot=head.lot, stage=head.stage)
    with ledger.begin(actor) as uow:
        body = {"bid": head.reference, "code": code, "envelope_sha256": envelope_sha256, "received_at": uow.at}
        uow.record(bid_event("factor.refused", place, head.reference, body, _ARTICLE))
