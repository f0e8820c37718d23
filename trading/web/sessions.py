"""The session of a browser: Flask-Login over sessions that stand on the server (security 4.7, 7.2).

The cookie holds a random token in Flask-Login's place for a user id; who it belongs to is looked up at every request of
a page that is not public. There is no "remember me".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from flask import Flask, Response, g, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from trading.kernel.roles import Actor
from trading.web.permissions import signed_in_actor

TOKEN: Final = "_user_id"  # noqa: S105 - the name under which Flask-Login keeps it


class SignedInLike(Protocol):
    """What the application knows of a person with a session."""

    @property
    def actor(self) -> Actor:
        """Who acts."""
        ...

    @property
    def id(self) -> str:
        """Name of the session, known to its owner."""
        ...


Find = Callable[[str], SignedInLike | None]
Renew = Callable[[str], str]


@dataclass(frozen=True)
class Reader(UserMixin):  # type: ignore[misc]  # Flask-Login carries no types
    """The person behind a session token."""

    token: str
    person: SignedInLike

    def get_id(self) -> str:
        """Return what the cookie holds."""
        return self.token


def install(app: Flask, *, find: Find, renew: Renew, secure: bool) -> None:
    """Keep sessions in ``app``.

    Args:
        app: The application.
        find: Returns who has a token, or None.
        renew: Gives the session of a token another one, after a step-up.
        secure: Whether the public address is https; the cookie then carries the prefix ``__Host-``.
    """
    app.config.update(
        SESSION_COOKIE_NAME="__Host-mb_session" if secure else "mb_session",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
    )
    manager = LoginManager()
    # Not init_app(): it would load the reader into every template, and public pages must not know who reads them.
    app.login_manager = manager  # type: ignore[attr-defined]
    manager.session_protection = None  # the session on the server is what counts

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(token: str) -> Reader | None:
        person = find(token)
        return None if person is None else Reader(token, person)

    @app.after_request
    def renewed(response: Response) -> Response:
        if g.get("stepped_up") and TOKEN in session:
            session[TOKEN] = renew(session[TOKEN])
        return response

    app.context_processor(_context)


def reader() -> SignedInLike | None:
    """Return who has the session of this request."""
    return current_user.person if isinstance(current_user._get_current_object(), Reader) else None  # noqa: SLF001 - a proxy


def load_actor() -> Actor | None:
    """Return the actor of the session of this request."""
    person = reader()
    return None if person is None else person.actor


def begin(token: str, person: SignedInLike) -> None:
    """Put a new session into the cookie; nothing of a former one stays, its CSRF token least of all."""
    session.clear()
    login_user(Reader(token, person))


def end() -> None:
    """Forget the session of this browser. Ending it on the server is the use case's."""
    logout_user()
    session.clear()


def safe_next(default: str) -> str:
    """Return where to go after signing in: a path of this site, or ``default`` (no open redirect)."""
    target = request.values.get("next", "")
    # No part of it is parsed: what a browser would read as a host begins with two slashes, once controls are gone.
    foreign = target.startswith(("//", "/\\")) or any(ord(character) < 32 for character in target)  # noqa: PLR2004 - control characters
    return target if target.startswith("/") and not foreign else default


def _context() -> dict[str, Any]:
    """Tell templates who reads, on pages that are not public."""
    return {"signed_in": reader() if signed_in_actor() is not None and "access" not in g else None}
