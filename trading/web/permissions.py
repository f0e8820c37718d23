"""Who may call what. Every route carries one declaration; a route without one answers nobody (security 9.1).

``@public`` for everyone, ``@allow(Role.BIDDER, relation="own_bid")`` for signed-in people, ``@signed("custodian")`` for
requests that prove themselves by a signed document, which the use case verifies. The relation and the foreign answer
(always 404) are enforced where the object is loaded; here they are part of the table that tests and docs walk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, TypeVar

from flask import Flask, Response, current_app, g, redirect, request, url_for
from werkzeug.exceptions import Unauthorized

from trading.kernel.errors import NotPermitted
from trading.kernel.roles import Actor, Role
from trading.web.errors import wants_json

PEOPLE: Final = tuple(role for role in Role if role is not Role.SYSTEM)
SIGN_IN: Final = "accounts.signin"
RELATIONS: Final = frozenset({"any", "own", "own_org", "own_bid", "assigned_panel", "assigned_custody", "jurisdiction"})
_ATTRIBUTE: Final = "__permission__"

View = TypeVar("View", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """The declaration of one route. Exactly one of ``public``, ``signed_by`` and ``roles`` says who may call it."""

    public: bool = False
    signed_by: str | None = None
    roles: frozenset[Role] = field(default_factory=frozenset)
    relation: str = "any"
    step_up: bool = False  # a change through this route needs a fresh second factor: its form is a StepUpForm
    privileged: bool = False  # it hands out what is not public: an entry ``admin.read`` tells so before it leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the permission table; ``permission`` is None for a route that somebody forgot."""

    endpoint: str
    rule: str
    methods: tuple[str, ...]
    permission: Permission | None


def _mark(permission: Permission) -> Callable[[View], View]:
    def mark(view: View) -> View:
        if hasattr(view, _ATTRIBUTE):
            raise ValueError(f"{view!r} declares its permission twice")
        setattr(view, _ATTRIBUTE, permission)
        return view

    return mark


def allow(
    *roles: Role, relation: str = "any", step_up: bool = False, privileged: bool = False
) -> Callable[[View], View]:
    """Let actors with one of ``roles`` call the view. Goes below ``@route``.

    Args:
        roles: Who; ``*PEOPLE`` for everybody with an account.
        relation: Which objects: one of ``RELATIONS``. The use case enforces it; foreign objects answer 404.
        step_up: Whether a change needs a fresh second factor, which the route's ``StepUpForm`` checks (security 8).
        privileged: Whether it hands out what is not public, which its view records (security 13, F58).
    """
    if not roles:
        raise ValueError("a permission without roles would deny everyone: say so by leaving the route out")
    if relation not in RELATIONS:
        raise ValueError(f"{relation} is no relation of security 9.1")
    return _mark(Permission(roles=frozenset(roles), relation=relation, step_up=step_up, privileged=privileged))


def public(view: View) -> View:
    """Let everyone call the view."""
    return _mark(Permission(public=True))(view)


def signed(by: str) -> Callable[[View], View]:
    """Let anyone call the view who brings a document signed by ``by``; the use case verifies it."""
    return _mark(Permission(signed_by=by))


def permission_of(endpoint: str | None) -> Permission | None:
    """Return what the view of ``endpoint`` declares; None for unknown endpoints and for views that declare nothing."""
    view = current_app.view_functions.get(endpoint or "")
    found = getattr(view, _ATTRIBUTE, None)
    return found if isinstance(found, Permission) else None


def table(app: Flask) -> Iterator[Row]:
    """Yield one row per URL rule, in the order of their paths."""
    with app.app_context():
        for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
            methods = rule.methods or set()
            shown = methods - {"OPTIONS"} - ({"HEAD"} if "GET" in methods else set())
            yield Row(
                endpoint=rule.endpoint,
                rule=rule.rule,
                methods=tuple(sorted(shown)),
                permission=permission_of(rule.endpoint),
            )


def as_markdown(app: Flask) -> str:
    """Return the table as the generated page docs/permissions.md."""
    lines = [
        "| path | methods | who | relation | step-up | reading recorded | endpoint |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in table(app):
        who, relation = _describe(row.permission)
        step_up = "yes" if row.permission is not None and row.permission.step_up else "–"
        told = "yes" if row.permission is not None and row.permission.privileged else "–"
        cells = (f"`{row.rule}`", " ".join(row.methods), who, relation, step_up, told, f"`{row.endpoint}`")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _describe(permission: Permission | None) -> tuple[str, str]:
    if permission is None:
        return "nobody", "–"
    if permission.public:
        return "public", "any"
    if permission.signed_by:
        return f"signed by {permission.signed_by}", "signature"
    return ", ".join(sorted(permission.roles)), permission.relation


def current_actor() -> Actor:
    """Return who makes this request.

    Raises:
        Unauthorized: Nobody is signed in; never inside a view with ``@allow``.
    """
    actor = signed_in_actor()
    if actor is None:
        raise Unauthorized
    return actor


def signed_in_actor() -> Actor | None:
    """Return who makes this request; None on every public page, which never asks."""
    actor = g.get("actor")
    return actor if isinstance(actor, Actor) else None


ActorLoader = Callable[[], Actor | None]


def install(app: Flask, *, load_actor: ActorLoader | None = None) -> None:
    """Deny by default: run before every view of ``app``.

    Args:
        app: The application.
        load_actor: Returns the actor of the request in hand, from a token or a session; called only for routes that
            are not public, so that a public page can never depend on who reads it.
    """
    static = app.view_functions.get("static")
    if static is not None and not hasattr(static, _ATTRIBUTE):
        # Flask makes this view as a lambda of its own; style sheets are for everyone.
        app.view_functions["static"] = public(static)

    @app.before_request
    def guard() -> Response | None:
        if request.endpoint is None:
            return None  # nothing was found; the 404 answer needs no permission
        permission = permission_of(request.endpoint)
        if permission is None:
            raise NotPermitted(f"{request.endpoint} declares no permission")
        if permission.public:
            return None
        g.actor = load_actor() if load_actor is not None else None
        if permission.signed_by:
            return None
        if g.actor is None:
            return _to_sign_in()
        if not permission.roles & g.actor.roles:
            raise NotPermitted(f"{request.endpoint} is not for {', '.join(sorted(g.actor.roles)) or 'this actor'}")
        return None


def _to_sign_in() -> Response:
    """Send a person to the sign-in page and back; a program is told that it needs a token.

    Raises:
        Unauthorized: The request is of the API, or asks for JSON.
    """
    if wants_json() or SIGN_IN not in current_app.view_functions:
        raise Unauthorized
    back = request.full_path.rstrip("?")
    return redirect(url_for(SIGN_IN, next=back), HTTPStatus.SEE_OTHER)  # type: ignore[return-value]
