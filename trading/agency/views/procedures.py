"""The list of own procedures with their next task, and the page of one of them."""

from __future__ import annotations

from sqlalchemy import Connection

from trading.agency import queries
from trading.agency.forms import ActForm
from trading.agency.queries import AMENDMENT, TENDER, Own
from trading.agency.rules.tasks import Standing, Task, tasks
from trading.agency.views.blueprint import blueprint, own_procedure, page, reading
from trading.agency.views.drafts import Page
from trading.kernel.roles import Role
from trading.procedures.service import edition_of, work_calendar
from trading.rulebook.keys import Regime
from trading.web.permissions import allow, current_actor


@blueprint.get("")
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def index() -> Page:
    """Drafts and procedures of the organisation, each with what comes next."""
    org = current_actor().organisation
    with reading() as (conn, at):
        drafts = queries.drafts_of(conn, org)
        rows = [(own, tasks_of(conn, own, at)) for own in queries.own_procedures(conn, org)]
    return page("index.html", ActForm(), drafts=drafts, rows=rows, now=at)


def tasks_of(conn: Connection, own: Own, at: int) -> list[Task]:
    """Return what comes next for a procedure as of ``at`` (ms)."""
    return tasks(
        own.row.phase,
        [Standing(number=lot.number, phase=lot.phase, close_at=lot.close_at) for lot in own.lots],
        own.acts,
        edition=edition_of(conn, own.row, at),
        regime=Regime(own.row.regime),
        calendar=work_calendar(conn),
    )


@blueprint.get("/procedures/<reference>")
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def procedure(reference: str) -> Page:
    """One procedure: where it stands, what comes next, who did what so far."""
    with reading() as (conn, at):
        own = queries.own_of(conn, own_procedure(conn, reference))
        found = tasks_of(conn, own, at)
        draft = queries.draft_of(conn, reference, TENDER)
        correction = queries.draft_of(conn, reference, AMENDMENT)
    return page("procedure.html", ActForm(), own=own, tasks=found, draft=draft, correction=correction, now=at)
