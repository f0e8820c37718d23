"""What a member does: look at a bid, vote, fill the blind sheet, sign it, settle the re-check (ux 14, C51 to C53)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import flash, redirect, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from trading.evaluation import queries, service
from trading.evaluation.forms import OpinionForm, SignSheetForm, WordsForm
from trading.evaluation.rules.examination import Step
from trading.evaluation.rules.scoring import price_points
from trading.evaluation.rules.sheets import scored
from trading.evaluation.service import LotState
from trading.evaluation.service.sheets import doubts_of
from trading.evaluation.service.state import open_sheets
from trading.evaluation.views.blueprint import STAGE, Room, blueprint, lot_state, names_of, page, reading, runtime
from trading.evaluation.views.masking import is_masked, shown_files, told_naming
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.money import Rounding, round_exact
from trading.kernel.roles import Actor, Role
from trading.procedures.rules.criteria import decimal_of
from trading.web.locale import gettext, pick
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


def _actor(reference: str, lot: str) -> Actor:
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
    form = OpinionForm()
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
        claim = None if is_masked(state) else state.claim(bid)
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
    if not state.scored or not state.examined_fully:
        raise NotFound(lot)
    return state


@blueprint.route("/<reference>/lots/<lot>/sign", methods=["GET", "POST"])
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel", step_up=True)
def sign(reference: str, lot: str) -> Response | tuple[str, HTTPStatus]:
    """Review the whole sheet and sign it; a change after signing is a new version with its reason (C53)."""
    actor, form = _actor(reference, lot), SignSheetForm()
    if form.validate_on_submit():
        try:
            reason = form.reason.data or ""
            service.sign_sheet(runtime().ledger, actor, reference, lot, STAGE, reason=reason)
        except RuleBroken as refusal:
            form.refuse(refusal, "reason" if refusal.code == "sheet.reason_missing" else None)
        else:
            flash(gettext("Your sheet is signed."))
            return redirect(url_for("evaluation.sign", reference=reference, lot=lot), HTTPStatus.SEE_OTHER)
    with reading(reference) as (conn, room):
        state = scored_lot(conn, room, lot)
        return page("sign.html", form, room=room, state=state, words=WordsForm(), **_signing(conn, room, state))


def _signing(conn: Connection, room: Room, state: LotState) -> dict[str, Any]:
    signed, sheets = queries.signatures_of(conn, state.place), open_sheets(conn, state.place)
    seats = room.sitting.seats if room.sitting is not None else ()
    values = {
        "cells": queries.drafts_of(conn, state.place, room.seat or ""),
        "criteria": scored(state.rules.criteria),
        "names": names_of(conn, state),
        "titles": {each.id: pick(each.title_zh, each.title_en) for each in state.rules.criteria},
        "own": signed.get(room.seat or ""),
        "missing": len(seats) - len(signed),
        "opened": bool(sheets),
    }
    if not sheets:
        return values
    ranking = state.ranking(sheets)
    return {
        **values,
        "doubts": doubts_of(state, sheets),
        "explained": queries.recheck_explanations(conn, state.place),
        "items": sorted(ranking.items, key=lambda item: (item.rank is None, item.rank or 0, item.bid)),
        "points": {
            sheet.seat: {
                bid: {name: decimal_of(value) for name, value in row.items()} for bid, row in sheet.points.items()
            }
            for sheet in sheets
        },
        "price": {item.bid: _price(state, ranking.items, item.bid) for item in ranking.items if item.score},
    }


def _price(state: LotState, items: Any, bid: str) -> str:  # noqa: ANN401 - lines of a ranking
    """Return the points of a price to two decimals, for the eye; the total is computed from the exact value."""
    prices = {item.bid: item.evaluated_price for item in items if item.score is not None}
    most = next(each.most for each in state.rules.criteria if each.kind.value == "price")
    hundredths = round_exact(price_points(most, min(prices.values()), prices[bid]) * 100, Rounding.HALF_UP)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


@blueprint.post("/<reference>/lots/<lot>/recheck")
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def recheck(reference: str, lot: str) -> Response | tuple[str, HTTPStatus]:
    """Explain an unusual score; ``place`` is the bid and the criterion."""
    actor, form = _actor(reference, lot), WordsForm()
    bid, _, criterion = (form.place.data or "").partition(" ")
    if form.validate_on_submit():
        try:
            place, words = (bid, criterion), form.words.data or ""
            service.explain_score(runtime().ledger, actor, reference, lot, STAGE, place, words)
        except RuleBroken as refusal:
            form.refuse(refusal, "words")
        else:
            return redirect(url_for("evaluation.sign", reference=reference, lot=lot), HTTPStatus.SEE_OTHER)
    with reading(reference) as (conn, room):
        state = scored_lot(conn, room, lot)
        values = {"room": room, "state": state, "words": form, **_signing(conn, room, state)}
        answered, _ = page("sign.html", SignSheetForm(formdata=None), **values)
        return answered, HTTPStatus.UNPROCESSABLE_ENTITY
