"""Signing in: login, password and a code of the second factor at once. One answer for everything that does not fit."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from trading.accounts.rules import codes
from trading.accounts.rules.codes import CodeKind
from trading.accounts.service import limits
from trading.accounts.service.factors import spend
from trading.accounts.service.sessions import open_session
from trading.accounts.tables import account, credential
from trading.audit.ledger import Ledger
from trading.crypto.passwords import Passwords
from trading.kernel.errors import RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What somebody typed, and from where; ``agent`` is what the browser says of itself."""

    login: str
    password: str
    code: str
    address: str
    agent: str


def sign_in(ledger: Ledger, passwords: Passwords, attempt: Attempt) -> str:
    """Open a session and return its token.

    The counter of a user does not stop a recovery code, so that a stranger who uses up the attempts locks nobody out
    (security 6.1, F54); the counters of the address and of the second factor still do.

    Raises:
        RuleBroken: ``signin.refused`` for a login, password or code that does not fit, alike for accounts that do not
            exist; ``code.malformed``; ``attempts.too_many``.
    """
    counters = [("password_all", ""), ("password_address", attempt.address)]
    if codes.kind_of(attempt.code) is CodeKind.TOTP:
        counters.append(("password_user", attempt.login.casefold()))
    for kind, key in counters:
        limits.take(ledger, kind, key)
    account_id = _check(ledger, passwords, attempt)
    for kind, key in counters:
        limits.give_back(ledger, kind, key)
    return open_session(ledger, account_id, agent=attempt.agent, address=attempt.address)


def _check(ledger: Ledger, passwords: Passwords, attempt: Attempt) -> str:
    """Return the account id; the password is verified once whoever is named, known or not."""
    query = (
        select(account.c.id, credential.c.password)
        .join(credential, credential.c.account_id == account.c.id)
        .where(account.c.login == attempt.login, account.c.active)
    )
    with ledger.upkeep() as conn:
        row = conn.execute(query).one_or_none()
    fits = passwords.verify(None if row is None else row.password, attempt.password)
    if row is None or not fits:
        raise RuleBroken("signin.refused")
    account_id: str = row.id
    limits.take(ledger, "factor", account_id)
    with ledger.upkeep() as conn:
        if spend(conn, account_id, attempt.code) is not None:
            raise RuleBroken("signin.refused")
        if passwords.outdated(row.password):
            fresh = passwords.hash(attempt.password)
            conn.execute(update(credential).where(credential.c.account_id == account_id).values(password=fresh))
    limits.give_back(ledger, "factor", account_id)
    return account_id
