"""Password, authenticator and recovery codes: set by their owner through a link that works once, changed by the owner.

Nobody else ever sets or sees them: the desk only starts it (security 8, Administrators).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from trading.accounts.queries import host_ms
from trading.accounts.rules import codes
from trading.accounts.rules.codes import CodeKind
from trading.accounts.rules.passwords import require_good
from trading.accounts.service import limits
from trading.accounts.service.factors import spend
from trading.accounts.service.sessions import end_other_sessions
from trading.accounts.tables import account, api_token, credential, recovery_code, setup_link
from trading.audit.ledger import Ledger
from trading.crypto.passwords import Passwords
from trading.kernel.errors import NotFound, RuleBroken

LINK_MS: Final = 600_000  # security 6.2: out-of-band codes live at most ten minutes


class SetupKind(StrEnum):
    """What a link lets its owner set."""

    FACTORS = "factors"  # password, authenticator and recovery codes: a new account, or everything was lost
    PASSWORD = "password"  # noqa: S105 - the password alone; the second factor is asked for as always (ASVS 6.4.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A living link. ``secret`` is that of the authenticator to be; empty for a password alone."""

    account: str
    login: str
    kind: SetupKind
    secret: str


def issue_setup(conn: Connection, account_id: str, kind: SetupKind) -> str:
    """Return a new link token of an account; an older one of it is dead. Only the hash is kept."""
    token = secrets.token_urlsafe(32)
    conn.execute(delete(setup_link).where(setup_link.c.account_id == account_id))
    conn.execute(
        setup_link.insert().values(
            sha256=_digest(token),
            account_id=account_id,
            kind=kind.value,
            secret=codes.new_secret() if kind is SetupKind.FACTORS else "",
            expires_at=host_ms(conn) + LINK_MS,
        )
    )
    return token


def setup_of(ledger: Ledger, token: str) -> Setup:
    """Return what a link is for.

    Raises:
        NotFound: It is unknown, used or too old, or the account is closed.
    """
    query = (
        select(account.c.id, account.c.login, setup_link.c.kind, setup_link.c.secret)
        .join(account, account.c.id == setup_link.c.account_id)
        .where(setup_link.c.sha256 == _digest(token), account.c.active)
    )
    with ledger.upkeep() as conn:
        row = conn.execute(query.where(setup_link.c.expires_at > host_ms(conn))).one_or_none()
    if row is None:
        raise NotFound("setup link")
    return Setup(account=row.id, login=row.login, kind=SetupKind(row.kind), secret=row.secret)


def complete_setup(ledger: Ledger, passwords: Passwords, token: str, *, password: str, code: str) -> list[str]:
    """Use a link: set the password and, with a new authenticator, return fresh recovery codes, shown once.

    Every session of the account ends, and with a new authenticator every token of its programs: whoever took the
    account over may have made one. The link is consumed by one statement (F57).

    Raises:
        NotFound: The link is unknown, used or too old.
        RuleBroken: ``password.…``; ``code.malformed``, ``code.wrong``, ``code.used``; ``attempts.too_many``.
    """
    setup = setup_of(ledger, token)
    require_good(password, login=setup.login)
    kind = codes.kind_of(code)
    limits.take(ledger, "factor", setup.account)
    encoded = passwords.hash(password)
    with ledger.upkeep() as conn:
        if setup.kind is SetupKind.PASSWORD:
            refusal = spend(conn, setup.account, code)
        else:
            step = codes.step_at(host_ms(conn))
            fits = kind is CodeKind.TOTP and codes.matches(setup.secret, step, code)
            refusal = None if fits else "code.wrong"
        if refusal is not None:
            raise RuleBroken(refusal)
        gone = conn.execute(delete(setup_link).where(setup_link.c.sha256 == _digest(token)))
        if gone.rowcount != 1:
            raise NotFound("setup link")
        end_other_sessions(conn, setup.account, None)
        if setup.kind is SetupKind.PASSWORD:
            _set_password(conn, setup.account, encoded)
            recovery = []
        else:
            conn.execute(delete(api_token).where(api_token.c.account_id == setup.account))
            recovery = set_factors(conn, setup.account, encoded, setup.secret)
    limits.give_back(ledger, "factor", setup.account)
    return recovery


def set_factors(conn: Connection, account_id: str, encoded: str, secret: str) -> list[str]:
    """Store password hash and authenticator secret; the window in hand counts as used. Return recovery codes."""
    now = host_ms(conn)
    values = {"password": encoded, "secret": secret, "spent": codes.step_at(now), "changed_at": now}
    statement = insert(credential).values(account_id=account_id, **values)
    conn.execute(statement.on_conflict_do_update(index_elements=["account_id"], set_=values))
    return new_recovery_codes(conn, account_id)


def new_recovery_codes(conn: Connection, account_id: str) -> list[str]:
    """Replace the recovery codes of an account and return the new ones, which are kept as hashes alone."""
    fresh = codes.new_recovery_codes()
    conn.execute(delete(recovery_code).where(recovery_code.c.account_id == account_id))
    rows = [{"account_id": account_id, "sha256": codes.recovery_digest(code)} for code in fresh]
    conn.execute(recovery_code.insert(), rows)
    return fresh


def renew_recovery_codes(ledger: Ledger, account_id: str) -> list[str]:
    """Give an account new recovery codes after a step-up."""
    with ledger.upkeep() as conn:
        return new_recovery_codes(conn, account_id)


def change_password(
    ledger: Ledger, passwords: Passwords, account_id: str, *, old: str, new: str, keep_session: str
) -> None:
    """Change the password of somebody who knows the old one and has just stepped up; other sessions end.

    Raises:
        RuleBroken: ``password.old_wrong``, ``password.…``, ``attempts.too_many``.
    """
    limits.take(ledger, "password_user", account_id)
    with ledger.upkeep() as conn:
        query = select(account.c.login, credential.c.password).join(credential, credential.c.account_id == account.c.id)
        row = conn.execute(query.where(account.c.id == account_id)).one_or_none()
    if not passwords.verify(None if row is None else row.password, old) or row is None:
        raise RuleBroken("password.old_wrong")
    limits.give_back(ledger, "password_user", account_id)
    require_good(new, login=row.login)
    encoded = passwords.hash(new)
    with ledger.upkeep() as conn:
        _set_password(conn, account_id, encoded)
        end_other_sessions(conn, account_id, keep_session)


def recovery_codes_left(ledger: Ledger, account_id: str) -> int:
    """Return how many recovery codes are unused."""
    with ledger.upkeep() as conn:
        query = select(recovery_code.c.sha256).where(recovery_code.c.account_id == account_id)
        return len(conn.execute(query).all())


def _set_password(conn: Connection, account_id: str, encoded: str) -> None:
    values = {"password": encoded, "changed_at": host_ms(conn)}
    done = conn.execute(update(credential).where(credential.c.account_id == account_id).values(**values))
    if done.rowcount != 1:
        raise NotFound(account_id)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
