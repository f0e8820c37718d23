"""Disclosure for the public: what is asked and answered, how the time is kept, the form to ask without an account."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, cast

from flask import Blueprint, current_app, render_template, request

from trading.audit.runtime import Runtime
from trading.disclosure.forms import AskForm
from trading.disclosure.queries import annual as annual_queries
from trading.disclosure.queries import requests as queries
from trading.disclosure.rules.requests import grounds
from trading.disclosure.service import annual
from trading.disclosure.service import requests as service
from trading.kernel.errors import NotFound, RuleBroken
from trading.procedures.service import work_calendar
from trading.web.permissions import public

blueprint = Blueprint("requests", __name__)

_LONGEST_PAGE: Final = 4


def runtime() -> Runtime:
    """Return ledger and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("/disclosure")
@public
def index() -> str:
    """Requests with their replies, newest first; timeliness; annual tables."""
    text = request.args.get("page", "1")[:_LONGEST_PAGE]
    page = max(int(text), 1) if text.isascii() and text.isdecimal() else 1
    now = runtime().clock.now_ms()
    with runtime().ledger.read() as conn:
        rows, more = queries.page(conn, page)
        shown = service.timed_requests(conn, rows, now)
        timeliness = queries.timeliness(conn, work_calendar(conn), now)
        years = annual.years(conn, annual_queries.day_of(now))
    return render_template(
        "disclosure/requests.html",
        rows=shown,
        timeliness=timeliness,
        years=years,
        page=page,
        more=more,
        grounds=grounds(),
    )


@blueprint.route("/disclosure/ask", methods=["GET", "POST"])
@public
def ask() -> tuple[str, int]:
    """Ask for information; nobody needs an account for it."""
    form = AskForm()
    if form.validate_on_submit():
        try:
            application = service.make_application(form.name.data or "", form.contact.data or "", form.text.data or "")
            number = service.ask(runtime().ledger, application, address=request.remote_addr or "")
        except RuleBroken as error:
            form.refuse(error)
        else:
            return render_template("disclosure/asked.html", number=number), HTTPStatus.OK
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.problems else HTTPStatus.OK
    return render_template("disclosure/ask.html", form=form), status


@blueprint.get("/disclosure/requests/<number>")
@public
def one(number: str) -> str:
    """One request: its time and its reply; neither who asks nor what for."""
    now = runtime().clock.now_ms()
    with runtime().ledger.read() as conn:
        row = queries.find(conn, number)
        if row is None:
            raise NotFound(number)
        (found,) = service.timed_requests(conn, [row], now)
    return render_template("disclosure/request.html", found=found, ground=grounds().get(row.ground or ""))
