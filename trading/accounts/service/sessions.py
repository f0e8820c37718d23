"""Sessions on the server: seen and ended by their owner, dead after 30 minutes without a request or 12 hours."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, select, update

from trading.accounts.model import administered
from trading.accounts.queries import HOST_MS, ROLES, actor_from, host_ms
from trading.accounts.tables import account, person, session
from trading.audit.ledger import Ledger
from trading.kernel.errors import NotFound
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor

IDLE_MS: Final = 30 * 60_000  # security 6.2
ABSOLUTE_MS: Final = 12 * 3600_000
_TOUCH_MS: Final = 60_000  # how exactly the last request is known
_MAX_AGENT: Final = 200
# What browsers call themselves; the more special one first, because most also name the others.
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("MicroMessenger", "WeChat"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A person with a session. ``id`` names it to its owner; only the browser knows its token."""

    id: str
    actor: Actor
    login: str
    name: str
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as its owner sees it; instants in ms of the real clock."""

    id: str
    created_at: int
    seen_at: int
    agent: str
    address: str

    @property
    def device(self) -> str:
        """Return browser and system in short, such as ``Chrome, Linux``; empty when the browser does not say."""
        browser = next((name for mark, name in _BROWSERS if mark in self.agent), "")
        system = next((name for mark, name in _SYSTEMS if mark in self.agent), "")
        return ", ".join(part for part in (browser, system) if part) or self.agent[:40]


def open_session(ledger: Ledger, account_id: str, *, agent: str = "", address: str = "") -> str:
    """Open a session and return its token, which is kept as a hash."""
    token = secrets.token_urlsafe(32)
    with ledger.upkeep() as conn:
        now = host_ms(conn)
        conn.execute(
            session.insert().values(
                id=random_name(10),
                sha256=_digest(token),
                account_id=account_id,
                created_at=now,
                seen_at=now,
                agent=agent[:_MAX_AGENT],
                address=address,
            )
        )
    return token


def session_of(ledger: Ledger, token: str) -> SignedIn | None:
    """Return who has the session of ``token``; None if it is unknown, ended or too old, or the account is closed."""
    query = (
        select(
            HOST_MS.label("now"),
            session.c.id.label("session_id"),
            session.c.seen_at,
            account.c.id,
            account.c.org_code,
            account.c.login,
            account.c.person,
            person.c.name,
            ROLES,
        )
        .join(account, account.c.id == session.c.account_id)
        .join(person, person.c.id == account.c.person)
    )
    query = query.where(session.c.sha256 == _digest(token), account.c.active, _alive(HOST_MS))
    with ledger.glance(credentials=True) as conn:  # before every page: one statement
        row = conn.execute(query).one_or_none()
    if row is None:
        return None
    if row.seen_at < row.now - _TOUCH_MS:
        with ledger.upkeep() as conn:
            conn.execute(update(session).where(session.c.id == row.session_id).values(seen_at=row.now))
    return SignedIn(id=row.session_id, actor=actor_from(row), login=row.login, name=row.name, person=row.person)


def renew_session(ledger: Ledger, token: str) -> str:
    """Give a session a new token, as after every step-up (security 4.7, 7.2.4); the old one is dead."""
    fresh = secrets.token_urlsafe(32)
    with ledger.upkeep() as conn:
        conn.execute(update(session).where(session.c.sha256 == _digest(token)).values(sha256=_digest(fresh)))
    return fresh


def sessions_of(ledger: Ledger, account_id: str) -> list[Session]:
    """Return the living sessions of an account, the latest used first."""
    columns = (session.c.id, session.c.created_at, session.c.seen_at, session.c.agent, session.c.address)
    with ledger.upkeep() as conn:
        query = select(*columns).where(session.c.account_id == account_id, _alive(host_ms(conn)))
        rows = conn.execute(query.order_by(session.c.seen_at.desc(), session.c.id)).all()
    return [Session(**row._mapping) for row in rows]


def end_session(ledger: Ledger, account_id: str, session_id: str) -> None:
    """End one session of this account, now and on the server.

    Raises:
        NotFound: It has no such living session.
    """
    with ledger.upkeep() as conn:
        now = host_ms(conn)
        ended = conn.execute(
            update(session)
            .where(session.c.account_id == account_id, session.c.id == session_id, session.c.ended_at.is_(None))
            .values(ended_at=now)
        )
        if ended.rowcount != 1:
            raise NotFound(session_id)


def end_others(ledger: Ledger, account_id: str, kept: str | None) -> None:
    """End every session of an account but ``kept``; None ends all."""
    with ledger.upkeep() as conn:
        end_other_sessions(conn, account_id, kept)


def end_all(ledger: Ledger, staff: Actor, account_id: str) -> None:
    """End every session of somebody else's account, which is an act of staff and a record."""
    with ledger.begin(staff) as uow:
        end_other_sessions(uow.connection, account_id, None)
        uow.record(administered(account_id, "sessions.ended"))


def end_other_sessions(conn: Connection, account_id: str, kept: str | None) -> None:
    """End every session of an account but ``kept``: after a change of password or factors."""
    conn.execute(
        update(session)
        .where(session.c.account_id == account_id, session.c.id != (kept or ""), session.c.ended_at.is_(None))
        .values(ended_at=host_ms(conn))
    )


def _alive(now: int | ColumnElement[int]) -> ColumnElement[bool]:
    return (
        session.c.ended_at.is_(None) & (session.c.seen_at > now - IDLE_MS) & (session.c.created_at > now - ABSOLUTE_MS)
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
