"""Who looked at what, and how the log does: the pages of those who watch the platform itself (F58, AL1 L7, TE1 T3)."""

from __future__ import annotations

from typing import Final, cast

from flask import Blueprint, current_app, render_template, request, url_for

from trading.audit import health as log_health
from trading.audit.queries import Access, AccessWish, accesses
from trading.audit.runtime import Runtime
from trading.audit.views import earlier, head
from trading.bids import probing
from trading.kernel.roles import Role
from trading.supervision import queries, service
from trading.supervision.rules.availability import DAY_MS, day
from trading.web.permissions import allow, current_actor

blueprint = Blueprint("oversight", __name__, url_prefix="/supervision")

PAGE: Final = 50
_LONGEST: Final = 80
_FILTERS: Final = ("who", "what", "before")


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("/accesses")
@allow(Role.SUPERVISOR, Role.AUDITOR, relation="jurisdiction")
def looked() -> str:
    """Who looked at what is not public, and when: auditors see all of it, supervisors what is theirs."""
    asked = {name: request.args.get(name, "").strip()[:_LONGEST] or None for name in _FILTERS}
    wish, scope = AccessWish(**asked), service.scope_of(current_actor())
    with _runtime().ledger.read() as conn:
        if scope.supervisor is None:
            found = accesses(conn, wish, PAGE)
        else:
            own = {each.row.reference for each in queries.watched(conn, scope)}
            found = accesses(conn, wish, PAGE, lambda each: _concerns(each, scope.supervisor, own))
    older = None
    if len(found) == PAGE:
        older = url_for("oversight.looked", who=wish.who, what=wish.what, before=found[-1].h)
    return render_template(
        "supervision/accesses.html", accesses=found, wish=wish, older=older, everywhere=scope.supervisor is None
    )


def _concerns(access: Access, organisation: str | None, references: set[str]) -> bool:
    """Whether somebody of the organisation looked, or at a procedure that it supervises."""
    return access.organisation == organisation or not references.isdisjoint(access.what.split(":"))


@blueprint.get("/health")
@allow(Role.AUDITOR, Role.CENTRE)
def health() -> str:
    """How witnesses, sequencer, public head, clocks and time stamps do; exact figures while nothing is sealed."""
    with _runtime().ledger.read() as conn:
        found = log_health.health(conn, _runtime())
        counted = not queries.is_sealed_anywhere(conn)
    return render_template(
        "supervision/health.html",
        health=found,
        counted=counted,
        head=head(),
        earlier=earlier(),
        now=_runtime().clock.now_ms(),
    )


@blueprint.get("/availability")
@allow(Role.SUPERVISOR, Role.AUDITOR, Role.CENTRE)
def availability() -> str:
    """How the synthetic bidders of the vantage points were served in the last day; nothing of bids (TE1 T6)."""
    now = _runtime().clock.now_ms()
    with _runtime().ledger.read() as conn:
        told = probing.probes(conn, now - DAY_MS)
    return render_template("supervision/availability.html", day=day(told, now))
