"""The second factor: TOTP and recovery codes, each used once (security 8, F55)."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update

from trading.accounts.queries import host_ms
from trading.accounts.rules import codes
from trading.accounts.rules.codes import CodeKind
from trading.accounts.service import limits
from trading.accounts.tables import credential, recovery_code
from trading.audit.ledger import Ledger
from trading.kernel.errors import RuleBroken


def confirm(ledger: Ledger, account_id: str, code: str) -> None:
    """Step up: spend a fresh code of this account. Two simultaneous uses of one code give one success (F57).

    The code is spent in a transaction of its own, before the act: a refused act costs a code, an uncounted guess
    would cost the limit.

    Raises:
        RuleBroken: ``code.malformed``, ``code.wrong``, ``code.used``, ``attempts.too_many``.
    """
    codes.kind_of(code)
    limits.take(ledger, "factor", account_id)
    with ledger.upkeep() as conn:
        refusal = spend(conn, account_id, code)
    if refusal is not None:
        raise RuleBroken(refusal)
    limits.give_back(ledger, "factor", account_id)


def spend(conn: Connection, account_id: str, code: str) -> str | None:
    """Spend a code by one conditional statement; return the refusal code, None when it was good.

    Raises:
        RuleBroken: ``code.malformed``.
    """
    if codes.kind_of(code) is CodeKind.RECOVERY:
        gone = conn.execute(
            delete(recovery_code).where(
                recovery_code.c.account_id == account_id, recovery_code.c.sha256 == codes.recovery_digest(code)
            )
        )
        return None if gone.rowcount == 1 else "code.wrong"
    secret = conn.execute(select(credential.c.secret).where(credential.c.account_id == account_id)).scalar()
    step = codes.step_at(host_ms(conn))
    if secret is None or not codes.matches(secret, step, code):
        return "code.wrong"
    spent = conn.execute(
        update(credential)
        .where(credential.c.account_id == account_id, credential.c.secret == secret, credential.c.spent < step)
        .values(spent=step)
    )
    return None if spent.rowcount == 1 else "code.used"
