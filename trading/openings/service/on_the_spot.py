"""Use cases: a bidder objects to the opening on the spot, the agency answers, and the record waits for that (OPN-11).

Objection and answer are records with their words in them: they belong to the opening record (OPN-13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.audit.queries import recorded_by_id
from trading.kernel.errors import Conflict, NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.openings import queries
from trading.openings.model import Place, lot_event
from trading.openings.queries import Spoken
from trading.openings.rules import on_the_spot as rules
from trading.openings.rules.on_the_spot import Window
from trading.openings.service import session as sessions
from trading.openings.service.session import Session
from trading.procedures import service as procedures
from trading.procedures.queries import ProcedureRow
from trading.rulebook.keys import Key, Regime

_ARTICLE: Final = "87-42"


def window(conn: Connection, procedure: ProcedureRow, place: Place, bids: Sequence[Mapping[str, Any]]) -> Window:
    """Return when bidders may object on the spot: from the last result on, as long as the edition says.

    Args:
        conn: Where to read.
        procedure: A published procedure: its edition stands fast.
        place: Its lot and stage.
        bids: Those of the newest order.
    """
    edition = procedures.edition_of(conn, procedure, procedure.published_at or 0)
    begins_at = queries.read_out_at(conn, place, [each["bid"] for each in bids])
    return Window(
        begins_at=begins_at, length_ms=edition.duration_ms(Key.OBJECTION_ON_THE_SPOT, Regime(procedure.regime))
    )


def object_on_the_spot(ledger: Ledger, actor: Actor, where: tuple[str, str, str], text: str) -> Recorded:
    """Record a bidder's objection to the opening; the same words again return the first record.

    Raises:
        NotFound: There is no opening.
        NotPermitted: Not somebody of a bidder whose bid the order lists.
        RuleBroken: ``opening.objection_early``, ``opening.objection_late``, ``opening.text_length``,
            ``opening.objections_most``.
    """
    kept = rules.require_text(text)
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)  # locked, so that two objections do not pass each other
        order = sessions.document(uow.connection, session.begun().order_sha256)
        if Role.BIDDER not in actor.roles or actor.organisation not in {each["bidder"] for each in order["bids"]}:
            raise NotPermitted("only bidders of the order object on the spot")
        own = [each for each in queries.spoken(uow.connection, session.place) if each.bidder == actor.organisation]
        same = next((each for each in own if each.text == kept), None)
        if same is not None:
            return recorded_by_id(uow.connection, same.entry_id)
        rules.require_open(window(uow.connection, session.procedure, session.place, order["bids"]), uow.at)
        if len(own) >= rules.MOST:
            raise RuleBroken("opening.objections_most", rules.RULE, limit=rules.MOST)
        return uow.record(lot_event("opening.objected", session.place, _ARTICLE, text=kept))


def answer(ledger: Ledger, actor: Actor, where: tuple[str, str, str], h: str, text: str) -> Recorded:
    """Record the agency's answer to an objection; the same words again return the first record.

    Raises:
        NotFound: No such objection, or the procedure is of others.
        NotPermitted: Not somebody of the agency.
        RuleBroken: ``opening.text_length``.
        Conflict: It was answered in other words.
    """
    kept = rules.require_text(text)
    with ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        _require_agency(session, actor)
        objection = next((each for each in queries.spoken(uow.connection, session.place) if each.h == h), None)
        if objection is None:
            raise NotFound("objection")
        if objection.answer is not None:
            return _same_answer(uow, objection, kept)
        return uow.record(lot_event("opening.answered", session.place, _ARTICLE, objected_h=h, text=kept))


def _require_agency(session: Session, actor: Actor) -> None:
    session.begun()
    if actor.organisation not in {session.procedure.agency_code, session.procedure.buyer_code}:
        raise NotFound(session.place.procedure)
    if not actor.roles & {Role.AGENCY, Role.REVIEWER}:
        raise NotPermitted("objections at the opening are answered by the agency")


def _same_answer(uow: UnitOfWork, objection: Spoken, text: str) -> Recorded:
    if objection.answer is None or objection.answer.text != text:
        raise Conflict("the objection was answered in other words")
    return recorded_by_id(uow.connection, objection.answer.entry_id)


def require_answered(conn: Connection, place: Place) -> None:
    """Refuse to complete an opening while somebody waits for an answer.

    Raises:
        RuleBroken: ``opening.unanswered``.
    """
    waiting = sum(each.answer is None for each in queries.spoken(conn, place))
    if waiting:
        raise RuleBroken("opening.unanswered", rules.RULE, count=waiting)
