"""How far the opening of a lot is for one of its bidders: what it must do itself, and until when (SB1 S9.2 to S9.7)."""

from __future__ import annotations

from sqlalchemy import Connection

from trading.bids.model import BidHead
from trading.documents.cache import DOCUMENTS
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.openings.queries import Factor, OpeningRow
from trading.openings.rules.answers import parse_share_check
from trading.openings.rules.verdicts import Check
from trading.openings.rules.windows import WindowLengths, may_rescue
from trading.openings.service import session as sessions
from trading.openings.service.documents import stored_document
from trading.openings.service.session import Session
from trading.participation.queries.values import Opening


def opening_of(conn: Connection, place: Place, row: OpeningRow, head: BidHead, now: int) -> Opening:
    """Return the opening as the bidder of ``head`` has to do with it at ``now`` (ms)."""
    order = DOCUMENTS.get(conn, bytes.fromhex(row.order_sha256))
    listed = any(item["bid"] == head.reference for item in order["bids"])
    known = openings.factors(conn, place).get(head.reference)
    session = sessions.read(conn, place.procedure, place.lot, place.stage)
    lengths = WindowLengths.of_schedule(session.schedule)
    rescue = _rescue(conn, session, row, known, now) if listed else "none"
    return Opening(
        step=row.step,
        listed=listed,
        objections_end_at=row.first_ordered_at + lengths.objection_ms,
        factor_ends_at=row.factor_ends_at,
        factor=_factor(row, known, listed=listed, now=now),
        rescue=rescue,
        wants_rescue=rescue != "none" and _wants_rescue(conn, session, row, head.reference),
        rescue_ends_at=row.gaps_at + lengths.rescue_ms if row.gaps_at is not None and row.gaps else None,
    )


def _factor(row: OpeningRow, known: Factor | None, *, listed: bool, now: int) -> str:
    if known is not None and known.s_b:
        return "revealed"
    if row.factor_ends_at is None or not listed:
        return "none"
    return "open" if now < row.factor_ends_at and row.factor_closed_at is None else "over"


def _rescue(conn: Connection, session: Session, row: OpeningRow, known: Factor | None, now: int) -> str:
    if known is not None and known.s_c is not None:
        return "accepted"
    is_unconfirmed = session.policy["bidder_factor"] and known is None  # a rescue never replaces the factor (S10)
    if is_unconfirmed or session.lot.phase == "cancelled":
        return "none"
    if row.release_closed_at is not None:
        return "over"
    return "open" if may_rescue(sessions.ceremony(conn, session), now) else "none"


def _wants_rescue(conn: Connection, session: Session, row: OpeningRow, bid: str) -> bool:
    """Whether the bid was named in the gaps, or fewer than k custodians said that its share is good (S9.6)."""
    if bid in row.gaps:
        return True
    checks = [
        parse_share_check(stored_document(conn, answer.doc_sha256).doc)
        for answer in openings.answers(conn, session.place, "check")
        if answer.order_sha256 == row.order_sha256
    ]
    good = sum(item.bid == bid and item.code is Check.OK for check in checks for item in check.items)
    return good < int(session.policy["k"])
