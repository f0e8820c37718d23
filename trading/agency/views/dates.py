"""Dates of a draft: only lawful days are offered; a refused one names its article and the earliest lawful instant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from werkzeug.wrappers import Response
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # the stubs are older than it

from trading.agency import service
from trading.agency.forms import DatesForm, plain, refuse_dates, texts_of
from trading.agency.rules.content import Content, Step
from trading.agency.rules.specification import close_of, issue_of, kind_typed
from trading.agency.views.blueprint import blueprint, day_choice, own_draft, page, reading, refusal_text, runtime
from trading.agency.views.drafts import Page, keep, save
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Role
from trading.procedures.rules.dates import Law
from trading.procedures.rules.extension import MEASURED, usual_rule
from trading.web.locale import gettext as _
from trading.web.permissions import allow

DATES = (
    "issue_day",
    "close_day",
    "close_time",
    "supply_day",
    "questions_day",
    "validity_days",
    "extension",
    "extend_minutes",
)
_MINUTE_MS = 60_000
FIELDS = {"close": "close_day", "supply_ends_at": "supply_day", "questions_until": "questions_day"}
TIMES = tuple(f"{hour:02d}:{minute:02d}" for hour in range(9, 17) for minute in (0, 30))


@blueprint.route("/drafts/<draft_id>/dates", methods=["GET", "POST"])
@allow(Role.AGENCY, relation="own_org")
def dates(draft_id: str) -> Page | Response:
    """Choose the dates; everything follows from the planned day of publication."""
    draft = own_draft(draft_id)
    with reading() as (conn, at):
        law = service.law_at(conn, kind_typed(draft.content), at)
    typed = draft.content["dates"]
    minutes = typed.get("extend_minutes") or str(usual_rule(law.edition, law.regime, MEASURED).extend_ms // _MINUTE_MS)
    has_intake = runtime().intake is not None
    chosen = {"extend_minutes": minutes, "intake": typed.get("intake") or "yes"}
    form = DatesForm(data={**typed, **chosen, "version": draft.version})
    if not has_intake:
        del form.intake
    posted = form.validate_on_submit()
    section = {**texts_of(form, DATES), "triggers": list(form.triggers.data or ())}
    section["intake"] = plain(form.intake.data) if has_intake else ""
    content = service.with_section(draft, "dates", section)
    offer(form, law, content, at)
    if posted:
        stored = save(form, draft, content)
        if stored is not None:
            with reading() as (conn, at):
                checked = service.check(conn, stored, at)
            refuse_dates(form, {FIELDS[each.field]: refusal_text(each.refusal) for each in checked.refused})
            done = keep(form, stored, content, Step.DATES)
            if done is not None:
                return done
    return page("dates.html", form, draft=draft, lawful=lawful(law, content, at))


def offer(form: Any, law: Law, content: Content, at: int) -> None:  # noqa: ANN401 - the form of dates, or of a correction
    """Fill the lists with lawful days and nothing else; a chosen day that is lawful no more is named as such."""
    issued, close = issue_of(content, law.calendar, at), close_of(content, law.calendar)
    typed = content["dates"]
    if "issue_day" in form:
        today = law.calendar.date_of(at)
        form.issue_day.choices = _days(law.issue_days(today), typed["issue_day"], _("As soon as it is reviewed"))
    form.close_day.choices = _days(law.deadline_days(issued), typed["close_day"], _("Choose"))
    form.close_time.choices = [SelectChoice(time, time) for time in sorted({*TIMES, typed["close_time"]} - {""})]
    supply = law.supply_days(issued, close)
    form.supply_day.choices = _days(supply, typed["supply_day"], _("Until the deadline"))
    questions = [] if close is None else law.question_days(issued, close)
    form.questions_day.choices = _days(questions, typed["questions_day"], _("The last lawful day"))


def _days(days: Iterable[date], chosen: str, empty: str) -> list[SelectChoice]:
    rows = [SelectChoice("", empty), *(SelectChoice(*day_choice(day)) for day in days)]
    if chosen and chosen not in {row.value for row in rows}:
        rows.append(SelectChoice(chosen, _("%(day)s (not lawful)") % {"day": chosen}))
    return rows


def lawful(law: Law, content: Content, at: int) -> dict[str, Any]:
    """Return what the page says about the law: the earliest instants, what follows from them, or the refusal."""
    issued, close = issue_of(content, law.calendar, at), close_of(content, law.calendar)
    try:
        found: dict[str, Any] = {
            "close": law.earliest_close(issued),
            "supply": law.earliest_supply_end(issued) - 1000,
            "refusal": None,
        }
    except RuleBroken as refusal:
        found = {"close": None, "supply": None, "refusal": refusal_text(refusal)}
    last = max(law.calendar.workdays, default=None)
    return {**found, "issued": issued, "opening": close, "calendar_ends": last}
