"""Accounts, scoped tokens, one-time challenges. Technical state of schema ``desk``: upkeep, no entries."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, text

from trading.accounts.tables import account, api_token, challenge
from trading.audit.ledger import Ledger
from trading.kernel.errors import NotFound, NotPermitted, RuleBroken
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor, Role

CHALLENGE_MS = 600_000  # P6.2 item 1: valid ten minutes
TOKEN_MS = 366 * 24 * 3600 * 1000  # ux 8.2: expiry at most one year
SCOPES = frozenset({"read:own", "write:bids", "write:openings"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a bearer token gives: the actor and the scopes of the token."""

    actor: Actor
    scopes: frozenset[str]


def create_account(ledger: Ledger, *, login: str, org_code: str, roles: tuple[Role, ...]) -> str:
    """Create an account and return its id."""
    account_id = f"a-{random_name(10)}"
    with ledger.upkeep() as conn:
        conn.execute(
            account.insert().values(
                id=account_id, login=login, org_code=org_code, roles=[role.value for role in roles], active=True
            )
        )
    return account_id


def actor_of(conn: Connection, login_or_id: str) -> Actor:
    """Return the actor of an active account, by login or id."""
    query = select(account.c.id, account.c.org_code, account.c.roles).where(
        account.c.active, (account.c.login == login_or_id) | (account.c.id == login_or_id)
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFound(login_or_id)
    return Actor(account=row.id, roles=frozenset(Role(name) for name in row.roles), organisation=row.org_code)


def issue_token(ledger: Ledger, login: str, scopes: tuple[str, ...]) -> str:
    """Return a new bearer token; only its hash is kept. It is shown once."""
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
                expires_at=_host_ms(conn) + TOKEN_MS,
            )
        )
    return token


def authenticate(conn: Connection, token: str) -> Access | None:
    """Return what the token gives, or None if it is unknown, expired or its account is closed."""
    query = (
        select(account.c.id, account.c.org_code, account.c.roles, api_token.c.scopes)
        .join(account, account.c.id == api_token.c.account_id)
        .where(
            api_token.c.sha256 == hashlib.sha256(token.encode()).digest(),
            api_token.c.expires_at > text("(extract(epoch from clock_timestamp()) * 1000)::bigint"),
            account.c.active,
        )
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    roles = frozenset(Role(name) for name in row.roles)
    actor = Actor(account=row.id, roles=roles, organisation=row.org_code)
    return Access(actor=actor, scopes=frozenset(row.scopes))


def issue_challenge(ledger: Ledger, login: str) -> tuple[str, bytes]:
    """Return (account id, 32 random bytes) for one enrolment, valid ten minutes and once (P6.2 item 1)."""
    value = secrets.token_bytes(32)
    with ledger.upkeep() as conn:
        actor = actor_of(conn, login)
        conn.execute(
            challenge.insert().values(
                challenge=value, account_id=actor.account, expires_at=_host_ms(conn) + CHALLENGE_MS
            )
        )
    return actor.account, value


def use_challenge(ledger: Ledger, account_id: str, value: bytes) -> None:
    """Consume a challenge: one statement, so that two simultaneous uses cannot both succeed (F57)."""
    with ledger.upkeep() as conn:
        now = _host_ms(conn)
        query = delete(challenge).where(challenge.c.challenge == value).returning(challenge.c.account_id, challenge.c.expires_at)
        row = conn.execute(query).one_or_none()
    if row is None or row.account_id != account_id or row.expires_at <= now:
        raise NotPermitted("the challenge is unknown, used or expired")


def _host_ms(conn: Connection) -> int:
    # Tokens and challenges use the server's real clock, not the shifted one of demo mode (P13).
    return int(conn.execute(text("SELECT (extract(epoch from clock_timestamp()) * 1000)::bigint")).scalar_one())
