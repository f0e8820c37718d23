"""The committee's report: read by members and agency, signed by every member, in dissent too (EXP-20)."""

from __future__ import annotations

from http import HTTPStatus

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from trading.documents import queries as documents
from trading.evaluation import queries, service
from trading.evaluation.forms import SignReportForm
from trading.evaluation.rules.documents import REPORT
from trading.evaluation.views.blueprint import Room, blueprint, reading, runtime
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure, NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.parties.queries import organisations
from trading.procedures.rules.spec import parse_spec
from trading.web.forms import status_of
from trading.web.locale import gettext, pick
from trading.web.permissions import allow


@blueprint.route("/<reference>/report", methods=["GET", "POST"])
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel", step_up=True)
def report(reference: str) -> Response | tuple[str, HTTPStatus]:
    """Show the newest report, and take a member's signature."""
    with reading(reference) as (_conn, room):
        actor = room.actor
    form = SignReportForm()
    if room.seat is not None and form.validate_on_submit():
        dissent = form.dissent.data or "" if form.verdict.data == "dissent" else None
        try:
            service.sign_report(runtime().ledger, actor, reference, form.report.data or "", dissent=dissent)
        except RuleBroken as refusal:
            form.refuse(refusal, "dissent" if refusal.code == "report.dissent_empty" else None)
        else:
            flash(gettext("The report is signed in your name."))
            return redirect(url_for("evaluation.report", reference=reference), HTTPStatus.SEE_OTHER)
    return _report_page(reference, form)


def _report_page(reference: str, form: SignReportForm) -> tuple[str, HTTPStatus]:
    with reading(reference) as (conn, room):
        found = queries.report_of(conn, room.row.id)
        if found is None or not _holds(room, found.number):
            raise NotFound(reference)
        stored = documents.get(conn, bytes.fromhex(found.sha256))
        if stored is None:
            raise IntegrityFailure(f"report {found.sha256} is missing")
        document = REPORT.read(stored.doc)
        form.report.data = found.sha256
        bidders = {item["bid"]: item["bidder"] for lot in document["lots"] for item in lot["items"]}
        known = organisations(conn, tuple(set(bidders.values())))
        names = {code: pick(each.name_zh, each.name_en) for code, each in known.items()}
        values = {
            "bids": {bid: names.get(code, code) for bid, code in bidders.items()},
            "document": document,
            "names": names,
            "report": found,
            "titles": _titles(room),
        }
        return render_template("evaluation/report.html", form=form, room=room, **values), status_of(form)


def _titles(room: Room) -> dict[str, str]:
    """Return the titles of the criteria of all lots in the reader's language; ids that lots share name the same."""
    lots = parse_spec(loads_object(room.row.spec)).lots
    return {each.id: pick(each.title_zh, each.title_en) for lot in lots for each in lot.criteria or ()}


def _holds(room: Room, number: int) -> bool:
    return room.sitting is not None and room.sitting.report_number == number
