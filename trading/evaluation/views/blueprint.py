"""The blueprint of the evaluation, and who may look: members by their seat, agency and buyer of the procedure.

Everybody else gets the page of things that do not exist. What a member has typed or signed is read under the name of
his or her own seat, so that the database itself shows nothing else (migration 0006).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from flask import Blueprint, current_app, render_template
from sqlalchemy import Connection

from trading.audit.runtime import Runtime
from trading.evaluation import queries, service
from trading.evaluation.queries import SittingRow, as_seat
from trading.evaluation.service import LotState
from trading.evaluation.views import masking
from trading.experts import queries as experts
from trading.kernel.errors import NotFound
from trading.kernel.roles import Actor, Role
from trading.openings.model import Place
from trading.parties.queries import organisations
from trading.procedures import queries as procedures
from trading.procedures.queries import ProcedureRow
from trading.web.forms import Form, status_of
from trading.web.locale import pick
from trading.web.permissions import current_actor

blueprint = Blueprint("evaluation", __name__, url_prefix="/evaluation")
STAGE = "all"
blueprint.url_value_preprocessor(masking.read_letters)
blueprint.url_defaults(masking.write_letters)
blueprint.add_app_template_global(masking.is_masked, "is_masked")
blueprint.add_app_template_filter(masking.shown_bid, "shown_bid")
blueprint.add_app_template_filter(masking.sheet_name, "sheet_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One procedure as seen by one person; ``seat`` is None for agency and buyer. ``at`` in ms."""

    row: ProcedureRow
    seat: str | None
    sitting: SittingRow | None
    at: int

    @property
    def actor(self) -> Actor:
        """Return under which name this person acts here."""
        return current_actor() if self.seat is None else service.member_actor(self.seat)

    def place(self, lot: str) -> Place:
        """Return one lot of the procedure."""
        return Place(procedure=self.row.reference, procedure_id=self.row.id, lot=lot, stage=STAGE)


def runtime() -> Runtime:
    """Return ledger, stores and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


@contextmanager
def reading(reference: str) -> Iterator[tuple[Connection, Room]]:
    """Yield a connection that reads as the person, and the room.

    Raises:
        NotFound: No such procedure, or nothing to see in it for this person.
    """
    ledger = runtime().ledger
    with ledger.read() as conn:
        row, actor = procedures.find(conn, reference), current_actor()
        sitting = queries.sitting_of(conn, row.id)
        seat = _seat(conn, row, sitting, actor)
        if seat is not None:
            as_seat(conn, seat)
        elif not _is_agency(row, actor):
            raise NotFound(reference)
        masking.enter(conn, row, seat)
        yield conn, Room(row=row, seat=seat, sitting=sitting, at=ledger.platform_time(conn))


def _seat(conn: Connection, row: ProcedureRow, sitting: SittingRow | None, actor: Actor) -> str | None:
    if Role.EXPERT not in actor.roles and not _is_agency(row, actor):
        return None
    member = experts.seat_of(conn, row.id, actor)
    if member is None or member.state != "present":
        return None
    return member.seat if sitting is None or member.seat in sitting.seats else None


def _is_agency(row: ProcedureRow, actor: Actor) -> bool:
    return Role.AGENCY in actor.roles and actor.organisation in {row.agency_code, row.buyer_code}


def lot_state(conn: Connection, room: Room, lot: str) -> LotState:
    """Return where one opened lot stands.

    Raises:
        NotFound: No such lot, or its bids are not opened yet or no longer in evaluation.
    """
    found = procedures.find_lot(conn, room.row.id, lot, STAGE)
    if found.phase not in {"opened", "evaluated", "determined", "concluded"}:
        raise NotFound(lot)
    return masking.in_order(service.load_lot(conn, room.row, found, room.at))


def names_of(conn: Connection, state: LotState) -> dict[str, str]:
    """Return the bidders' names in the reader's language, by bid; letters where this person may not know them yet."""
    if masking.is_masked(state):
        return masking.masked_names(state)
    known = organisations(conn, tuple({bid.bidder for bid in state.opened}))
    named: Mapping[str, Any] = known
    return {
        bid.bid: pick(named[bid.bidder].name_zh, named[bid.bidder].name_en) if bid.bidder in named else bid.bidder
        for bid in state.opened
    }


def page(template: str, form: Form | None = None, **values: Any) -> tuple[str, HTTPStatus]:  # noqa: ANN401 - of the template
    """Render a page of the evaluation; a form with problems answers 422."""
    status = HTTPStatus.OK if form is None else status_of(form)
    return render_template(f"evaluation/{template}", form=form, **values), status
