"""The blueprint of the desk, and what its views share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http import HTTPStatus
from typing import Any, Final, cast

from flask import Blueprint, current_app, render_template
from sqlalchemy import Connection

from trading.agency import queries
from trading.agency.queries import WorkingDraft
from trading.audit.runtime import Runtime
from trading.kernel.errors import RuleBroken
from trading.procedures.queries import ProcedureRow
from trading.web import refusals
from trading.web.forms import Form
from trading.web.limits import MIB, body_limit
from trading.web.locale import current_language, gettext
from trading.web.permissions import current_actor

blueprint = Blueprint("agency", __name__, url_prefix="/agency")

# A step of a draft may have many rows: 200 lines of items with five fields each, and long texts.
many_fields = body_limit(MIB, parts=4_000)
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def runtime() -> Runtime:
    """Return ledger, stores and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


@contextmanager
def reading() -> Iterator[tuple[Connection, int]]:
    """Yield a connection to read, and the platform's time (ms)."""
    ledger = runtime().ledger
    with ledger.read() as conn:
        yield conn, ledger.platform_time(conn)


def own_draft(draft_id: str) -> WorkingDraft:
    """Return a draft of the organisation of whoever asks; foreign ones answer 404."""
    with runtime().ledger.read() as conn:
        return queries.own_draft(conn, draft_id, current_actor().organisation)


def own_procedure(conn: Connection, reference: str) -> ProcedureRow:
    """Return a procedure of the organisation of whoever asks; foreign ones answer 404."""
    return queries.own_procedure(conn, reference, current_actor().organisation)


def page(template: str, form: Form | None = None, **values: Any) -> tuple[str, HTTPStatus]:  # noqa: ANN401 - of the template
    """Render a page of the desk; a form with problems answers 422."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None and form.problems else HTTPStatus.OK
    return render_template(f"agency/{template}", form=form, **values), status


def day_choice(day: date) -> tuple[str, str]:
    """Return a day as an option: its ISO form, and with the weekday for people."""
    names = {
        "Mon": gettext("Mon"),
        "Tue": gettext("Tue"),
        "Wed": gettext("Wed"),
        "Thu": gettext("Thu"),
        "Fri": gettext("Fri"),
        "Sat": gettext("Sat"),
        "Sun": gettext("Sun"),
    }
    return day.isoformat(), f"{day.isoformat()} {names[WEEKDAYS[day.weekday()]]}"


def refusal_text(refusal: RuleBroken) -> str:
    """Return what is told about a refused date: what happened with the earliest lawful instant, and the article."""
    said = refusals.find(refusal.code, "rule").say(current_language(), refusal.facts)
    article_of = current_app.jinja_env.globals["rule_of"]
    rule = cast("Any", article_of)(refusal.rule_id or "")
    ground = f" ({refusal.rule_id}: {rule.article})" if rule is not None else ""
    separator = " " if current_language() == "en" else ""
    return f"{said.happened}{separator}{said.next}{ground}"
