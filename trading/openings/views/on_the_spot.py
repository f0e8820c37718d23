"""Objecting to the opening after the read-out, and answering: both on a page, on the spot (OPN-11)."""

from __future__ import annotations

from http import HTTPStatus

from flask import redirect, render_template, url_for

from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.openings import queries
from trading.openings.forms import AnswerForm, SpotForm
from trading.openings.service import desk as desks
from trading.openings.service import on_the_spot as use_case
from trading.openings.views.ceremony import PREFIX, STAGE, Answer, blueprint, desk_of, runtime
from trading.procedures import queries as procedures
from trading.web.permissions import allow, current_actor


@blueprint.route(f"{PREFIX}/on-the-spot", methods=["GET", "POST"])
@allow(Role.BIDDER)
def on_the_spot(reference: str, lot: str) -> Answer:
    """A bidder of the order says what was wrong with the opening; the hall shows it at once, and the answer."""
    form, actor = SpotForm(), current_actor()
    with runtime().ledger.read() as conn:
        row = procedures.find(conn, reference)
        if row.published_at is None or procedures.find_lot(conn, row.id, lot, STAGE).policy_sha256 is None:
            raise NotFound(reference)
        window = desks.spot_window(conn, reference, lot)
        own = [
            each
            for each in queries.spoken(conn, queries.ceremony_row(conn, reference, lot).place)
            if each.bidder == actor.organisation
        ]
    if form.validate_on_submit():
        try:
            use_case.object_on_the_spot(runtime().ledger, actor, (reference, lot, STAGE), form.text.data or "")
        except RuleBroken as refusal:
            form.refuse(refusal, "text")
        else:
            hall = url_for("notices.opening", reference=reference, lot=lot, _anchor="spoken")
            return redirect(hall, HTTPStatus.SEE_OTHER)
    page = render_template(
        "openings/on_the_spot.html",
        form=form,
        window=window,
        now=runtime().clock.now_ms(),
        own=own,
        reference=reference,
        lot=lot,
    )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK


@blueprint.route(f"{PREFIX}/desk/on-the-spot/<h>", methods=["GET", "POST"])
@allow(Role.AGENCY, Role.REVIEWER, relation="jurisdiction")
def answer(reference: str, lot: str, h: str) -> Answer:
    """The agency answers one objection; the answer is a record at once and needs no second signature."""
    found, form = desk_of(reference, lot), AnswerForm()
    objection = next((each for each in found.spoken if each.h == h), None)
    if objection is None:
        raise NotFound(h)
    if form.validate_on_submit():
        try:
            use_case.answer(runtime().ledger, current_actor(), (reference, lot, STAGE), h, form.text.data or "")
        except RuleBroken as refusal:
            form.refuse(refusal, "text")
        else:
            return redirect(url_for("ceremony.desk", reference=reference, lot=lot), HTTPStatus.SEE_OTHER)
    page = render_template(
        "openings/answer.html", desk=found, objection=objection, form=form, reference=reference, lot=lot
    )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK
