"""The workspace: what the person who is signed in can do, by role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from flask import current_app, render_template

from trading.accounts.views.blueprint import blueprint, me
from trading.kernel.roles import Role
from trading.web.desks import Desk
from trading.web.permissions import PEOPLE, allow


@blueprint.get("/workspace")
@allow(*PEOPLE)
def workspace() -> str:
    """Show the entries of every role of this person."""
    desks = cast("Mapping[Role, Sequence[Desk]]", current_app.extensions["desks"])
    person = me()
    roles = [role for role in Role if role in person.actor.roles]
    shown = [(role, desks.get(role, ())) for role in roles]
    return render_template("accounts/workspace.html", person=person, desks=shown)
