"""What a member does with a bid: look at it, and vote on what is due for it (ux 14)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import flash, redirect, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from trading.evaluation import queries, service
from trading.evaluation.forms import OpinionForm, opinion_form
from trading.evaluation.rules.examination import Step
from trading.evaluation.service import LotState
from trading.evaluation.views.blueprint import STAGE, Room, blueprint, lot_state, names_of, page, reading, runtime
from trading.evaluation.views.masking import is_masked, shown_files, told_naming
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.web.locale import gettext
from trading.web.permissions import allow


def member_lot(conn: Connection, room: Room, lot: str) -> LotState:
    """Return the lot for a member who sits; everybody else finds nothing here.

    Raises:
        RuleBroken: ``evaluation.sealed`` (EXP-18): it stands still, and no bid can be read.
    """
    if room.seat is None or room.sitting is None or room.seat not in room.sitting.seats:
        raise NotFound(lot)
    if room.sitting.sealed_at is not None:
        raise RuleBroken("evaluation.sealed", "EXP-18")
    return lot_state(conn, room, lot)


def member_actor_of(reference: str, lot: str) -> Actor:
    """Return under which name a member who sits acts in a lot."""
    with reading(reference) as (conn, room):
        member_lot(conn, room, lot)
        return room.actor


@blueprint.route("/<reference>/lots/<lot>/bids/<bid>", methods=["GET", "POST"])
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def vote(reference: str, lot: str, bid: str) -> Response | tuple[str, HTTPStatus]:
    """Show one bid and take the member's vote on the step that is due for it."""
    with reading(reference) as (conn, room):
        state = member_lot(conn, room, lot)
        step = _due(state, bid)
        actor = room.actor
    form = opinion_form(state.factors)
    if form.validate_on_submit() and step is not None:
        try:
            service.vote(runtime().ledger, actor, reference, lot, STAGE, step, form.opinion(bid))
        except RuleBroken as refusal:
            form.refuse(refusal, "reason" if refusal.code.startswith("examination.reason") else None)
        else:
            flash(gettext("Your vote is recorded."))
            return redirect(url_for("evaluation.room", reference=reference) + f"#lot-{lot}", HTTPStatus.SEE_OTHER)
    with reading(reference) as (conn, room):
        state = member_lot(conn, room, lot)
        if step is not None and not form.is_submitted():
            _fill(conn, room, state, bid, step, form)
        claim = None if is_masked(state) else state.claimed(bid)
        values = {"step": step, "facts": facts_of(conn, state, bid), "claim": claim}
        return page("vote.html", form, room=room, state=state, bid=bid, **values)


def _due(state: LotState, bid: str) -> Step | None:
    """Return which step the committee decides about a bid now; None if nothing is open."""
    if bid not in {each.bid for each in state.qualified}:
        raise NotFound(bid)
    for step in (Step.CONFORMITY, Step.PRICE):
        if bid in {each.bid for each in state.pending(step)}:
            return step
    return None


def _fill(conn: Connection, room: Room, state: LotState, bid: str, step: Step, form: OpinionForm) -> None:
    own = queries.votes_of(conn, state.place, step).get(bid, {}).get(room.seat or "")
    if own is not None:
        form.outcome.data, form.reason.data, form.grants.data = own.outcome.value, own.reason, own.grants
        for name, units in own.deviations:
            form[f"units_{name}"].data = units


def facts_of(conn: Connection, state: LotState, bid: str) -> dict[str, Any]:
    """Return what the opening made known about a bid, and what the examination found since."""
    opened = next(each for each in state.opened if each.bid == bid)
    return {
        "bid": opened,
        "name": names_of(conn, state)[bid],
        "price": state.prices[bid],
        "findings": [each for each in state.findings if each.finding.bid == bid and not each.void],
        "explanation": state.explanations.get(bid),
        "files": shown_files(conn, bid),
        "masked": is_masked(state),
        "naming": told_naming(conn, state, bid),
    }


def scored_lot(conn: Connection, room: Room, lot: str) -> LotState:
    """Return a lot whose sheets members fill now; there is nothing to find in any other."""
    state = member_lot(conn, room, lot)
    ready = state.examined_fully or queries.scoring_of(conn, state.place) is not None  # masked: prices are doubted last
    if not state.scored or not ready:
        raise NotFound(lot)
    return state
