"""What works once works once, however many come at the same moment (F55, F57)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.support.databases import Database
from trading.accounts import service as accounts
from trading.accounts.queries import host_ms
from trading.accounts.rules import codes
from trading.accounts.rules.limits import LIMITS, Limit
from trading.accounts.service import credentials, requests
from trading.accounts.service.credentials import SetupKind
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.crypto.passwords import Passwords
from trading.kernel.errors import Conflict, MingbiaoError
from trading.kernel.roles import Role

WIDE, ROUNDS = 16, 8
CHEAP = Passwords(memory_kib=64, passes=1)


@pytest.fixture
def ledger(database: Database, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Enough connections for everybody, and no limit of attempts: the race itself is under test."""
    monkeypatch.setitem(LIMITS, "factor", (Limit(count=10_000, window_ms=300_000),))
    return Ledger(database.engine(pool_size=WIDE + 2), registry=REGISTRY, reader=database.engine("trading_reader"))


@pytest.fixture
def account(ledger: Ledger) -> str:
    return accounts.create_account(ledger, login="li.wen", org_code="ORG", roles=(Role.BIDDER,))


def winners(act: Callable[[], object]) -> int:
    """Run ``act`` by many at once; return how often it was not refused."""
    barrier = Barrier(WIDE)

    def one(_number: int) -> bool:
        barrier.wait()
        try:
            act()
        except MingbiaoError:
            return False
        return True

    with ThreadPoolExecutor(WIDE) as pool:
        return sum(pool.map(one, range(WIDE)))


def test_recovery_codes(ledger: Ledger, account: str) -> None:
    for code in credentials.renew_recovery_codes(ledger, account)[:ROUNDS]:
        assert winners(lambda: accounts.confirm(ledger, account, code)) == 1  # noqa: B023 - runs at once


def test_digits(ledger: Ledger, account: str) -> None:
    secret = codes.new_secret()
    for _ in range(ROUNDS):
        with ledger.upkeep() as conn:
            credentials.set_factors(conn, account, "", secret)
            conn.exec_driver_sql("UPDATE desk.credential SET spent = 0")
            code = codes.code_at(secret, codes.step_at(host_ms(conn)))
        # At most one: the window may end between reading the clock and using the digits.
        assert winners(lambda: accounts.confirm(ledger, account, code)) <= 1  # noqa: B023 - runs at once


def test_challenges(ledger: Ledger, account: str) -> None:
    for _ in range(ROUNDS):
        _, value = accounts.issue_challenge(ledger, account)
        assert winners(lambda: accounts.use_challenge(ledger, account, value)) == 1  # noqa: B023 - runs at once


def test_links(ledger: Ledger, account: str) -> None:
    for _ in range(ROUNDS):
        with ledger.upkeep() as conn:
            token = credentials.issue_setup(conn, account, SetupKind.FACTORS)
        secret = credentials.setup_of(ledger, token).secret
        with ledger.upkeep() as conn:
            code = codes.code_at(secret, codes.step_at(host_ms(conn)))

        def use(token: str = token, code: str = code) -> None:
            credentials.complete_setup(ledger, CHEAP, token, password="a good long sentence", code=code)  # noqa: S106

        assert winners(use) <= 1


def test_second_approvals(ledger: Ledger, account: str) -> None:
    staff = []
    for number in range(3):
        login = accounts.create_account(ledger, login=f"desk{number}", org_code="DESK", roles=(Role.DESK,))
        with ledger.upkeep() as conn:
            staff.append(accounts.actor_of(conn, login))
    for _ in range(ROUNDS):
        found = requests.ask_setup(ledger, staff[0], account)
        assert winners(lambda: requests.approve(ledger, staff[1], found)) == 1  # noqa: B023 - runs at once
        with pytest.raises(Conflict):
            requests.approve(ledger, staff[2], found)


def test_the_race_is_seen_when_reading_and_writing_are_two_steps(ledger: Ledger, account: str) -> None:
    """Negative control: a check before the use, without one conditional statement, lets several through."""
    code = credentials.renew_recovery_codes(ledger, account)[0]
    barrier = Barrier(WIDE)

    def read_then_delete() -> None:
        with ledger.upkeep() as conn:
            query = "SELECT count(*) FROM desk.recovery_code WHERE sha256 = %s"
            found = conn.exec_driver_sql(query, (codes.recovery_digest(code),)).scalar_one()
            barrier.wait()
            conn.exec_driver_sql("DELETE FROM desk.recovery_code WHERE sha256 = %s", (codes.recovery_digest(code),))
        if not found:
            raise Conflict(code)

    assert winners(read_then_delete) == WIDE
