"""Bearer tokens of the API: random, kept as a hash, shown once, with scopes and an end (ux 8.2)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, select, text

from trading.accounts.queries import ROLES, actor_from, actor_of, host_ms
from trading.accounts.tables import account, api_token
from trading.audit.ledger import Ledger
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor

TOKEN_MS = 366 * 24 * 3600 * 1000  # ux 8.2: expiry at most one year
SITTING_MS = 12 * 3600 * 1000  # a token that a page keeps while it is open: as long as a session at most
SCOPES = frozenset({"read:own", "write:bids", "write:openings"})
# Built once: every request of the API runs it.
_BY_TOKEN: Final = (
    select(account.c.id, account.c.org_code, ROLES, api_token.c.scopes)
    .join(account, account.c.id == api_token.c.account_id)
    .where(
        api_token.c.sha256 == bindparam("digest"),
        api_token.c.expires_at > text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
        account.c.active,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a bearer token gives: the actor and the scopes of the token."""

    actor: Actor
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """What its owner sees of a token later: never the token itself. Instants in ms of the real clock."""

    id: str
    name: str
    scopes: tuple[str, ...]
    expires_at: int


def issue_token(
    ledger: Ledger, login: str, scopes: tuple[str, ...], name: str = "", lifetime_ms: int = TOKEN_MS
) -> str:
    """Return a new bearer token; only its hash is kept. It is shown once and ends after ``lifetime_ms``.

    Raises:
        RuleBroken: ``token.scope_unknown``.
        NotFound: No such account.
    """
    unknown = set(scopes) - SCOPES
    if unknown:
        raise RuleBroken("token.scope_unknown", None, scopes=sorted(unknown))
    token = f"pt_{secrets.token_urlsafe(32)}"
    with ledger.upkeep() as conn:
        actor = actor_of(conn, login)
        conn.execute(
            api_token.insert().values(
                sha256=hashlib.sha256(token.encode()).digest(),
                account_id=actor.account,
                scopes=list(scopes),
                expires_at=host_ms(conn) + lifetime_ms,
                id=random_name(10),
                name=name,
            )
        )
    return token


def authenticate(conn: Connection, token: str) -> Access | None:
    """Return what the token gives, or None if it is unknown, expired or its account is closed."""
    row = conn.execute(_BY_TOKEN, {"digest": hashlib.sha256(token.encode()).digest()}).one_or_none()
    if row is None:
        return None
    return Access(actor=actor_from(row), scopes=frozenset(row.scopes))


def tokens_of(ledger: Ledger, account_id: str) -> list[IssuedToken]:
    """Return the tokens of an account that are still good, the newest end first."""
    with ledger.upkeep() as conn:
        query = (
            select(api_token.c.id, api_token.c.name, api_token.c.scopes, api_token.c.expires_at)
            .where(api_token.c.account_id == account_id, api_token.c.expires_at > host_ms(conn))
            .order_by(api_token.c.expires_at.desc(), api_token.c.id)
        )
        rows = conn.execute(query).all()
    return [IssuedToken(id=row.id, name=row.name, scopes=tuple(row.scopes), expires_at=row.expires_at) for row in rows]


def end_token(ledger: Ledger, account_id: str, token_id: str) -> None:
    """End a token of this account.

    Raises:
        NotFound: It has no such token.
    """
    with ledger.upkeep() as conn:
        gone = conn.execute(api_token.delete().where(api_token.c.account_id == account_id, api_token.c.id == token_id))
        if gone.rowcount != 1:
            raise NotFound(token_id)
