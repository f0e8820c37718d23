"""Who calls the API: bearer tokens of accounts, signed polls of custodian institutions (ux 8.2, SB1 S13.3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from flask import current_app, g, request
from werkzeug.exceptions import Unauthorized

from trading.accounts import service as accounts
from trading.accounts.service import Access
from trading.api.bodies import runtime
from trading.audit.runtime import Runtime
from trading.custody import service as custody
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import InvalidInput, NotPermitted
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.parties.model import SigningKey
from trading.web import sessions
from trading.web.permissions import ActorLoader

_BEARER: Final = "Bearer "
_POLL: Final = "MB-ES256 "
_LONGEST_TOKEN: Final = 200
_P = ParamSpec("_P")
_R = TypeVar("_R")


def load_actor(process: Runtime) -> ActorLoader:
    """Return what ``permissions.install`` calls for every route that is not public.

    The API takes bearer tokens and never looks at a cookie, so it needs no CSRF token; a page takes the session and
    never a token, whose scopes say nothing about pages. Whoever brings neither, or an old one, is nobody.
    """

    def load() -> Actor | None:
        if request.blueprint not in current_app.extensions["api"]:
            return sessions.load_actor()
        found = _access(process)
        g.access = found
        return None if found is None else found.actor

    return load


def _access(process: Runtime) -> Access | None:
    header = request.headers.get("Authorization", "")
    token = header.removeprefix(_BEARER)
    if not header.startswith(_BEARER) or not token.startswith("pt_") or len(token) > _LONGEST_TOKEN:
        return None
    with process.ledger.glance(credentials=True) as conn:
        return accounts.authenticate(conn, token)


def reader_of_this_request() -> Actor | None:
    """Return who reads, on a route that is open to everybody but shows their own things to some."""
    found = _access(runtime())
    return found.actor if found is not None and _READING & found.scopes else None


_READING: Final = frozenset({"read:own", "write:bids", "write:openings"})


def scoped(*scopes: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Let only tokens with one of ``scopes`` call the view. Goes below ``@allow``."""
    unknown = set(scopes) - accounts.SCOPES
    if unknown or not scopes:
        raise ValueError(f"no such scope: {sorted(unknown)}")

    def mark(view: Callable[_P, _R]) -> Callable[_P, _R]:
        @wraps(view)
        def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            require_scope(*scopes)
            return view(*args, **kwargs)

        return checked

    return mark


def require_scope(*scopes: str) -> None:
    """Refuse a token without any of ``scopes``.

    Raises:
        NotPermitted: The token was issued for something else.
    """
    found = g.get("access")
    if not isinstance(found, Access) or not found.scopes & set(scopes):
        raise NotPermitted(f"the token has none of the scopes {', '.join(scopes)}")


def current_access() -> Access:
    """Return account and scopes of the request in hand.

    Raises:
        Unauthorized: There is no valid token.
    """
    found = g.get("access")
    if not isinstance(found, Access):
        raise Unauthorized
    return found


def actor() -> Actor:
    """Return who makes the request in hand."""
    return current_access().actor


def institution(role: str) -> SigningKey:
    """Return the key of this role, ``custodian`` or ``contributor``, that signed the poll in the header.

    The nonce is spent.

    Raises:
        Unauthorized: There is no such header.
        InvalidInput, RuleBroken: ``poll.…``, ``sig.…``, ``doc.…``.
    """
    header = request.headers.get("Authorization", "")
    if not header.startswith(_POLL):
        raise Unauthorized
    try:
        wire = b64u_decode(header.removeprefix(_POLL))
    except ValueError as error:
        raise InvalidInput("poll.malformed", "the header is not base64url") from error
    process = runtime()
    return custody.admit_poll(process.ledger, SignedDocument.from_wire(wire), origin=process.origin, role=role)
