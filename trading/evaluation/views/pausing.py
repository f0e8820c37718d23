"""Buttons that stop and extend an evaluation: the agency seals and resumes it, a member asks for more time."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeAlias

from flask import redirect, url_for
from werkzeug.wrappers import Response

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.evaluation import service
from trading.evaluation.forms import ActForm, SealForm
from trading.evaluation.views.blueprint import blueprint, reading, runtime
from trading.evaluation.views.room import room_page
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor, Role
from trading.web.forms import Form
from trading.web.permissions import allow, current_actor

Answer: TypeAlias = Response | tuple[str, HTTPStatus]


@blueprint.post("/<reference>/seal")
@allow(Role.AGENCY, relation="own_org")
def seal(reference: str) -> Answer:
    """Stop the evaluation because a seat cannot be filled at once; no file is handed out any more."""
    form = SealForm()
    if not form.validate():
        return _room(reference, form)
    words = form.seal_reason.data or ""
    return _done(reference, form, current_actor(), lambda ledger, actor: service.seal(ledger, actor, reference, words))


@blueprint.post("/<reference>/resume")
@allow(Role.AGENCY, relation="own_org")
def resume(reference: str) -> Answer:
    """Go on with the new committee."""
    act = lambda ledger, actor: service.resume(ledger, actor, reference)  # noqa: E731 - the act of this page
    return _done(reference, ActForm(), current_actor(), act)


@blueprint.post("/<reference>/time")
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def ask_for_time(reference: str) -> Answer:
    """Record that a member finds the time too short."""
    with reading(reference) as (_conn, entered):
        actor = entered.actor
    return _done(reference, ActForm(), actor, lambda ledger, who: service.ask_for_time(ledger, who, reference))


def _done(reference: str, form: Form, actor: Actor, act: Callable[[Ledger, Actor], Recorded]) -> Answer:
    try:
        act(runtime().ledger, actor)
    except RuleBroken as refusal:
        form.refuse(refusal)
        return _room(reference, form)
    return redirect(url_for("evaluation.room", reference=reference), HTTPStatus.SEE_OTHER)


def _room(reference: str, form: Form) -> Answer:
    with reading(reference) as (conn, entered):
        return room_page(conn, entered, form)
