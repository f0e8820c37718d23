"""The annual table as a page and as CSV, and the office's acts that only this table counts."""

from __future__ import annotations

import csv
import io
from datetime import date
from http import HTTPStatus
from typing import Final, TypeAlias, cast

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from trading.disclosure.forms import DeclareForm, PrintForm, codes
from trading.disclosure.queries import annual as queries
from trading.disclosure.rules.annual import FEES, AnnualTable, Line, indicators, violations
from trading.disclosure.service import annual as service
from trading.disclosure.views.requests import runtime
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.web.forms import status_of
from trading.web.locale import gettext as _
from trading.web.permissions import allow, current_actor, public

blueprint = Blueprint("annual", __name__)

Answer: TypeAlias = Response | tuple[str, int]
_FEN: Final = 100


def shown(line: Line, number: int) -> str:
    """Return a number as the table prints it: fees in yuan, without decimals where there are none."""
    if line.indicator.code != FEES:
        return str(number)
    return str(number // _FEN) if number % _FEN == 0 else f"{number // _FEN}.{number % _FEN:02d}"


def _table(year: int) -> tuple[AnnualTable, list[queries.DeclaredRow]]:
    with runtime().ledger.read() as conn:
        if not 0 < year <= queries.day_of(runtime().clock.now_ms()).year:
            raise NotFound(f"annual table of {year}")
        return service.table_of(conn, year), queries.declared(conn)


@blueprint.get("/disclosure/annual/<int:year>")
@public
def one(year: int) -> str:
    """The sixteen rows of a year, with the identities between them."""
    found, declared = _table(year)
    return render_template(
        "disclosure/annual.html",
        table=found,
        broken=violations(found.of_year, found.cumulative),
        base=next((each for each in declared if each.table.year == found.base), None),
        shown=shown,
        running=year == queries.day_of(runtime().clock.now_ms()).year,
    )


@blueprint.get("/disclosure/annual/<int:year>.csv")
@public
def sheet(year: int) -> Response:
    """The same as a file: words as printed, codes beside them."""
    found, _declared = _table(year)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["指标名称", "计量单位", f"{year}年度", "历年累计", "code"])
    for line in found.lines:
        numbers = (shown(line, line.of_year), shown(line, line.cumulative))
        writer.writerow([line.indicator.title_zh, line.indicator.unit, *numbers, line.indicator.code])
    answer = Response("\ufeff" + text.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="disclosure-{year}.csv"'
    return answer


@blueprint.route("/disclosure/office/declared", methods=["GET", "POST"])
@allow(Role.CENTRE)
def declare() -> Answer:
    """Declare the table of a year before the platform."""
    form = DeclareForm()
    if form.validate_on_submit():
        source, reason = form.source.data or "", form.reason.data or ""
        try:
            service.declare(runtime().ledger, current_actor(), form.declared(), source=source, reason=reason)
        except RuleBroken as error:
            form.refuse(error, "year" if error.code in {"annual.year", "annual.declared"} else None)
        else:
            return redirect(url_for("annual.one", year=form.year.data), HTTPStatus.SEE_OTHER)
    page = render_template("disclosure/declare.html", form=form, indicators=indicators(), codes=codes())
    return page, status_of(form)


@blueprint.route("/disclosure/office/gazette", methods=["GET", "POST"])
@allow(Role.CENTRE)
def gazette() -> Answer:
    """Note that the gazette printed a document."""
    form = PrintForm()
    if form.validate_on_submit():
        document, day = bytes.fromhex(form.document.data or ""), cast("date", form.printed_on.data)
        try:
            service.note_print(runtime().ledger, current_actor(), document, form.issue.data or "", day)
        except NotFound:
            form.refuse(RuleBroken("gazette.unknown", "DIS-09"), "document")
        except RuleBroken as error:
            form.refuse(error, "printed_on" if error.code == "disclosure.day" else "document")
        else:
            flash(_("Recorded."))
            return redirect(url_for("annual.gazette"), HTTPStatus.SEE_OTHER)
    return render_template("disclosure/gazette.html", form=form), status_of(form)
