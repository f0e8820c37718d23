"""Agency and supervisor say together that a deadline counts although a failure of the platform touched it (TE1 T5).

The other way out of a blocked close is a correction that moves the deadline. What is confirmed is one deadline and one
reason; another reason blocks the close anew.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.bids import queries as bids
from trading.bids.rules.closing import CLOSING_CONFIRMATION, ClosingConfirmation, parse_closing_confirmation
from trading.documents import store as documents
from trading.kernel.errors import RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings import queries
from trading.openings.model import Place, lot_event
from trading.openings.service import session as sessions
from trading.openings.service.session import Session
from trading.procedures import queries as procedures
from trading.procedures.queries import LotRow
from trading.procedures.rules.lifecycle import LotPhase

TYP: Final = "mb.closing-confirmation"


def open_reasons(conn: Connection, place: Place) -> tuple[str, ...]:
    """Return why the close of a lot is blocked at its deadline, without what is confirmed; the newest reason last."""
    return _reasons(conn, procedures.find_lot(conn, place.procedure_id, place.lot, place.stage))


def _reasons(conn: Connection, lot: LotRow) -> tuple[str, ...]:
    if lot.phase != LotPhase.OPEN or lot.close_at is None:
        return ()
    where = (lot.procedure_id, lot.number, lot.stage, lot.close_at)
    confirmed = bids.confirmed_for(conn, *where)
    return tuple(reason for reason in bids.blocked_for(conn, *where) if reason not in confirmed)


def proposal(ledger: Ledger, reference: str, number: str, stage: str) -> bytes:
    """Return the paper that both would sign for the newest reason; the one that waits already, if there is one.

    Raises:
        RuleBroken: ``closing.not_blocked``.
    """
    with ledger.read() as conn:
        place = sessions.read(conn, reference, number, stage).place
        lot = procedures.find_lot(conn, place.procedure_id, number, stage)
        reasons, created = _reasons(conn, lot), ledger.platform_time(conn)
        waiting = [draft.doc for draft in queries.drafts(conn, place, TYP) if draft.h is None]
    if not reasons:
        raise RuleBroken("closing.not_blocked", "TE1 T5")
    for raw in waiting:
        known = parse_closing_confirmation(raw)
        if (known.close, known.reason) == (lot.close_at, reasons[-1]):
            return raw
    body = {"close": lot.close_at, "created": created, "lot": number, "reason": reasons[-1], "stage": stage}
    return CLOSING_CONFIRMATION.write({**body, "tender": reference})


def require_confirmation(uow: UnitOfWork, session: Session, signed: SignedDocument) -> None:
    """Require that a confirmation is about this lot, its deadline, and a reason that blocks its close now."""
    document, lot = parse_closing_confirmation(signed.doc), session.lot
    here = (session.place.procedure, lot.number, lot.stage, lot.close_at)
    if _about(document) != here or document.reason not in _reasons(uow.connection, lot):
        raise RuleBroken("closing.not_blocked", "TE1 T5", close=document.close, reason=document.reason)


def _about(document: ClosingConfirmation) -> tuple[str, str, str, int]:
    return document.tender, document.lot, document.stage, document.close


def confirm(uow: UnitOfWork, session: Session, signed: SignedDocument) -> Recorded:
    """Record ``closing.confirmed``; the closer goes on at once."""
    reason = parse_closing_confirmation(signed.doc).reason
    event = lot_event("closing.confirmed", session.place, "招标投标法 34", doc_sha256=signed.sha256, reason=reason)
    recorded = uow.record(event)
    documents.add(uow, recorded, session.place.procedure_id, signed)
    uow.wake("bids.close", sessions.arg(session.place), uow.at)
    return recorded
