"""Pages of the office that handles requests for disclosure: register, confirm, extend, reply, note contests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from typing import Final, TypeAlias, cast

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from trading.disclosure.forms import ConfirmForm, ContestForm, ExtendForm, RegisterForm, ReplyForm
from trading.disclosure.queries import requests as queries
from trading.disclosure.rules.requests import Channel, Route
from trading.disclosure.service import requests as service
from trading.disclosure.views.requests import runtime
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.web.forms import Form, status_of
from trading.web.locale import gettext as _
from trading.web.permissions import allow, current_actor

blueprint = Blueprint("openness", __name__)

Answer: TypeAlias = Response | tuple[str, int]
_WRONG: Final = HTTPStatus.UNPROCESSABLE_ENTITY


@blueprint.route("/disclosure/office", methods=["GET", "POST"])
@allow(Role.CENTRE)
def index() -> Answer:
    """What waits for the office, and the form to register a request that came on paper or in person."""
    form = RegisterForm()
    if form.validate_on_submit():
        try:
            application = service.make_application(form.name.data or "", form.contact.data or "", form.text.data or "")
            channel, day = Channel(form.channel.data), cast("date", form.received_on.data)
            number = service.register(runtime().ledger, current_actor(), channel, application, day)
        except RuleBroken as error:
            form.refuse(error, "received_on" if error.code == "disclosure.day" else None)
        else:
            flash(_("Registered as %(number)s.") % {"number": number})
            return redirect(url_for("openness.index"), HTTPStatus.SEE_OTHER)
    now = runtime().clock.now_ms()
    with runtime().ledger.read() as conn:
        rows = service.timed_requests(conn, queries.unanswered(conn), now)
    return render_template("disclosure/office.html", rows=rows, form=form), status_of(form)


@blueprint.get("/disclosure/office/<number>")
@allow(Role.CENTRE, privileged=True)
def handle(number: str) -> Answer:
    """One request with who asks and what for; the look is recorded."""
    return _handle_page(number)


@blueprint.post("/disclosure/office/<number>/receipt")
@allow(Role.CENTRE, privileged=True)
def confirm(number: str) -> Answer:
    """Confirm the receipt of an online request."""
    form = ConfirmForm()

    def act() -> None:
        service.confirm(runtime().ledger, current_actor(), number, cast("date", form.received_on.data))

    return _done(number, form, act, confirming=form)


@blueprint.post("/disclosure/office/<number>/extension")
@allow(Role.CENTRE, privileged=True)
def extend(number: str) -> Answer:
    """Extend the time to reply once."""
    form = ExtendForm()

    def act() -> None:
        service.extend(runtime().ledger, current_actor(), number, form.why.data or "")

    return _done(number, form, act, extending=form)


@blueprint.post("/disclosure/office/<number>/reply")
@allow(Role.CENTRE, privileged=True)
def reply(number: str) -> Answer:
    """Reply to a request."""
    form = ReplyForm()

    def act() -> None:
        reason, fee = form.reason.data or "", form.fee
        service.reply(runtime().ledger, current_actor(), number, ground=form.ground.data, reason=reason, fee_waived=fee)

    return _done(number, form, act, replying=form)


def _done(number: str, form: Form, act: Callable[[], None], **forms: Form) -> Answer:
    """Do what a form asks for and go back to the request, or show what is wrong."""
    if form.validate_on_submit():
        try:
            act()
        except (RuleBroken, InvalidInput) as error:
            form.refuse(error)
        else:
            flash(_("Recorded."))
            return redirect(url_for("openness.handle", number=number), HTTPStatus.SEE_OTHER)
    return _handle_page(number, **forms)


def _handle_page(number: str, **forms: Form) -> Answer:
    now = runtime().clock.now_ms()
    with runtime().ledger.read() as conn:
        row = queries.find(conn, number)
        if row is None:
            raise NotFound(number)
        (found,) = service.timed_requests(conn, [row], now)
    applicant = service.look(runtime().ledger, current_actor(), number)
    shown: dict[str, Form] = {
        "confirming": ConfirmForm(formdata=None),
        "extending": ExtendForm(formdata=None),
        "replying": ReplyForm(formdata=None),
        **forms,
    }
    page = render_template("disclosure/handle.html", found=found, applicant=applicant, **shown)
    return page, status_of(*shown.values())


@blueprint.route("/disclosure/office/contests", methods=["GET", "POST"])
@allow(Role.CENTRE)
def contest() -> Answer:
    """Note a review, a lawsuit or an appeal."""
    form = ContestForm()
    if form.validate_on_submit():
        number, day = (form.number.data or "").strip().upper() or None, cast("date", form.noted_on.data)
        try:
            service.contest(runtime().ledger, current_actor(), Route(form.route.data), number, day)
        except NotFound:
            form.refuse(RuleBroken("disclosure.number", "DIS-09"), "number")
        except RuleBroken as error:
            form.refuse(error, "noted_on" if error.code == "disclosure.day" else "number")
        else:
            flash(_("Recorded."))
            return redirect(url_for("openness.contest"), HTTPStatus.SEE_OTHER)
    return render_template("disclosure/contest.html", form=form), status_of(form)
