"""The way in of a demonstration: be any of its people. Outside demo mode there is no such page."""

from __future__ import annotations

from pathlib import Path

from flask import current_app, render_template, request
from werkzeug.wrappers import Response

from trading.accounts.service import demonstration
from trading.accounts.views.blueprint import blueprint, runtime
from trading.accounts.views.signing_in import enter
from trading.kernel.errors import NotFound
from trading.web.forms import Form
from trading.web.permissions import public


@blueprint.route("/demo/people", methods=["GET", "POST"])
@public
def demo_people() -> str | Response:
    """List the people of the demonstration, each with a button that signs in."""
    process, folder = runtime(), Path(current_app.extensions["settings"].data_dir)
    if not process.demo:
        raise NotFound("demo")
    form = Form()
    if form.validate_on_submit():
        token = demonstration.enter_as(
            process,
            folder,
            request.form.get("login", ""),
            agent=request.user_agent.string,
            address=request.remote_addr or "",
        )
        return enter(token)
    people = demonstration.ways_in(folder)
    with process.ledger.upkeep() as conn:
        codes = {way.login: demonstration.code_now(conn, way) for way in people}
    return render_template("accounts/demo_people.html", form=form, people=people, codes=codes)
