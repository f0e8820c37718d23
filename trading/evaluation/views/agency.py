"""The agency's examination of qualifications, and explanations of prices that it received (87-44, EVL-04)."""

from __future__ import annotations

from http import HTTPStatus

from flask import redirect, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from trading.evaluation import queries, service
from trading.evaluation.forms import OpinionForm, WordsForm
from trading.evaluation.rules.examination import Step
from trading.evaluation.rules.ranking import quote_reason
from trading.evaluation.service import LotState
from trading.evaluation.views.blueprint import STAGE, Room, blueprint, lot_state, names_of, page, reading, runtime
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.web.permissions import allow, current_actor


@blueprint.get("/<reference>/lots/<lot>/qualification")
@allow(Role.AGENCY, relation="own_org")
def qualification(reference: str, lot: str) -> tuple[str, HTTPStatus]:
    """Show every opened bid with what was found about the bidder's qualification."""
    with reading(reference) as (conn, room):
        state = _own_lot(conn, room, lot)
        excluded = {bid.bid: quote_reason(bid, state.rules) for bid in state.opened}
        found, names = state.found(Step.QUALIFICATION), names_of(conn, state)
        return page("qualification.html", room=room, state=state, names=names, found=found, excluded=excluded)


def _own_lot(conn: Connection, room: Room, lot: str) -> LotState:
    if room.seat is not None:
        raise NotFound(lot)
    return lot_state(conn, room, lot)


@blueprint.route("/<reference>/lots/<lot>/qualification/<bid>", methods=["GET", "POST"])
@allow(Role.AGENCY, relation="own_org")
def qualify(reference: str, lot: str, bid: str) -> Response | tuple[str, HTTPStatus]:
    """Record whether one bidder is qualified."""
    form = OpinionForm()
    if form.validate_on_submit():
        try:
            service.qualify(runtime().ledger, current_actor(), reference, lot, STAGE, form.opinion(bid))
        except RuleBroken as refusal:
            form.refuse(refusal, "reason" if refusal.code.startswith("examination.reason") else None)
        else:
            return redirect(url_for("evaluation.qualification", reference=reference, lot=lot), HTTPStatus.SEE_OTHER)
    with reading(reference) as (conn, room):
        state = _own_lot(conn, room, lot)
        if bid not in {each.bid for each in state.quoted}:
            raise NotFound(bid)
        found = state.found(Step.QUALIFICATION).get(bid)
        if found is not None and not form.is_submitted():
            form.outcome.data, form.reason.data = found.finding.outcome.value, found.reason or ""
        values = {"names": names_of(conn, state), "files": queries.files_of(conn, bid)}
        return page("qualify.html", form, room=room, state=state, bid=bid, **values)


@blueprint.route("/<reference>/lots/<lot>/explanation/<bid>", methods=["GET", "POST"])
@allow(Role.AGENCY, relation="own_org")
def explanation(reference: str, lot: str, bid: str) -> Response | tuple[str, HTTPStatus]:
    """Record the explanation that a bidder handed in about an abnormally low price."""
    form = WordsForm()
    if form.validate_on_submit():
        try:
            words = form.words.data or ""
            service.explain_price(runtime().ledger, current_actor(), reference, lot, STAGE, bid, words)
        except RuleBroken as refusal:
            form.refuse(refusal, "words")
        else:
            return redirect(url_for("evaluation.room", reference=reference), HTTPStatus.SEE_OTHER)
    with reading(reference) as (conn, room):
        state = _own_lot(conn, room, lot)
        if bid not in state.explanations:
            raise NotFound(bid)
        return page("explanation.html", form, room=room, state=state, bid=bid, names=names_of(conn, state))
