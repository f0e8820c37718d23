"""The page of open data: what there is for each year and day, what is in a file, how to check it."""

from __future__ import annotations

from typing import Final, cast

from flask import Blueprint, current_app, render_template, request

from trading.audit.runtime import Runtime
from trading.opendata import queries
from trading.opendata.rules.periods import period_named
from trading.opendata.rules.sheets import SHEETS
from trading.web.permissions import public

blueprint = Blueprint("opendata", __name__)

PAGE: Final = 31


@blueprint.get("/open-data")
@public
def index() -> str:
    """Years, and a month of days; older days by ``?before=``."""
    before = request.args.get("before", "")
    wanted = before if period_named(before) is not None else None
    ledger = cast("Runtime", current_app.extensions["runtime"]).ledger
    with ledger.read() as conn:
        years = queries.newest(conn, years=True, limit=PAGE)
        days = queries.newest(conn, years=False, before=wanted, limit=PAGE + 1)
    more = len(days) > PAGE
    return render_template("opendata/index.html", years=years, days=days[:PAGE], more=more, sheets=SHEETS)
