"""Signing in tells a stranger nothing; codes work once; attempts are limited without locking anybody out."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select, text

from tests.support.people import code_of
from trading.accounts import service as accounts
from trading.accounts.queries import host_ms
from trading.accounts.rules import codes
from trading.accounts.service import credentials, demonstration
from trading.accounts.service.signing_in import Attempt
from trading.accounts.tables import credential, recovery_code
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.config.variables import LEAST_MEMORY_KIB, LEAST_PASSES
from trading.crypto.passwords import Passwords
from trading.kernel.errors import RuleBroken
from trading.kernel.events import Registry
from trading.kernel.roles import Role

PASSWORD = "seven unlikely words in a row"  # noqa: S105 - of a test
OTHER = "another good sentence"
WRONG = "no"
CHEAP = Passwords(memory_kib=64, passes=1)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - of a test


@pytest.fixture
def registry() -> Registry:
    return REGISTRY


@pytest.fixture
def account(ledger: Ledger) -> str:
    found = accounts.create_account(ledger, login="li.wen", org_code="ORG", roles=(Role.BIDDER,))
    with ledger.upkeep() as conn:
        credentials.set_factors(conn, found, CHEAP.hash(PASSWORD), SECRET)
        conn.execute(credential.update().values(spent=0))
    return found


def now_code(ledger: Ledger, shift: int = 0) -> str:
    with ledger.upkeep() as conn:
        return codes.code_at(SECRET, codes.step_at(host_ms(conn)) + shift)


def attempt(code: str, login: str = "li.wen", password: str = PASSWORD, address: str = "192.0.2.1") -> Attempt:
    return Attempt(login=login, password=password, code=code, address=address, agent="test")


def refusal(ledger: Ledger, tried: Attempt) -> str:
    with pytest.raises(RuleBroken) as refused:
        accounts.sign_in(ledger, CHEAP, tried)
    return refused.value.code


def test_password_and_digits(ledger: Ledger, account: str) -> None:
    token = accounts.sign_in(ledger, CHEAP, attempt(now_code(ledger)))
    found = accounts.session_of(ledger, token)
    assert found is not None
    assert found.actor.account == account


def test_the_same_answer_for_everything_that_does_not_fit(ledger: Ledger, account: str) -> None:
    code = now_code(ledger)
    wrong = "000000" if code != "000000" else "111111"
    tried = [attempt(code, login="nobody"), attempt(code, password=WRONG), attempt(wrong)]
    assert [refusal(ledger, each) for each in tried] == ["signin.refused"] * 3
    accounts.close_account(ledger, account)
    assert refusal(ledger, attempt(code)) == "signin.refused"


def test_a_stranger_learns_nothing_from_the_time() -> None:
    """The hash of nobody costs what a hash costs: taken in turn, the shortest of both differ by little (F53)."""
    passwords = Passwords(memory_kib=4096, passes=1)
    stored = [None, passwords.hash(PASSWORD)]
    spans: list[list[float]] = [[], []]
    for number in range(60):
        began = time.perf_counter()
        assert not passwords.verify(stored[number % 2], "wrong")
        spans[number % 2].append(time.perf_counter() - began)
    assert 0.5 < min(spans[0]) / min(spans[1]) < 2


def test_digits_work_once_and_only_in_their_window(ledger: Ledger, account: str) -> None:
    code = now_code(ledger)
    accounts.confirm(ledger, account, code)
    with pytest.raises(RuleBroken, match=r"code\.(used|wrong)"):
        accounts.confirm(ledger, account, code)
    for shift in (-1, 1):
        with pytest.raises(RuleBroken, match=r"code\.wrong"):
            accounts.confirm(ledger, account, now_code(ledger, shift))


def test_the_code_of_rfc_6238() -> None:
    """RFC 6238 appendix B, SHA-1, the last six of eight digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # noqa: S105 - of the RFC
    known = {59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"}
    assert {second: codes.code_at(secret, codes.step_at(second * 1000)) for second in known} == known


@pytest.mark.parametrize(
    "code", ["12345", "1234567", " 123456", "123 456", "１２３４５６", "٤٠٢٩١٧", "12345a", "", "1" * 99]
)
def test_other_characters_are_refused_not_normalised(ledger: Ledger, account: str, code: str) -> None:
    with pytest.raises(RuleBroken, match=r"code\.malformed"):
        accounts.confirm(ledger, account, code)
    assert refusal(ledger, attempt(code)) == "code.malformed"


def test_recovery_codes_are_hashed_and_work_once(ledger: Ledger, account: str) -> None:
    fresh = credentials.renew_recovery_codes(ledger, account)
    assert len(set(fresh)) == codes.RECOVERY_CODES
    with ledger.upkeep() as conn:
        stored = {bytes(row) for row in conn.execute(select(recovery_code.c.sha256)).scalars()}
    assert not any(code.encode() in row for code in fresh for row in stored)
    accounts.sign_in(ledger, CHEAP, attempt(fresh[0]))
    assert refusal(ledger, attempt(fresh[0])) == "signin.refused"


@pytest.mark.usefixtures("account")
def test_ten_failures_of_a_user_then_a_pause_but_recovery_stays_open(ledger: Ledger) -> None:
    for number in range(10):
        tried = attempt("000000", password=WRONG, address=f"192.0.2.{number}")
        assert refusal(ledger, tried) == "signin.refused"
    blocked = attempt(now_code(ledger), address="198.51.100.1")
    assert refusal(ledger, blocked) == "attempts.too_many"
    accounts.sign_in(ledger, CHEAP, attempt(code_of(ledger, "li.wen"), address="198.51.100.1"))


@pytest.mark.usefixtures("account")
def test_ten_failures_of_an_address_then_a_pause_for_it_alone(ledger: Ledger) -> None:
    for number in range(10):
        assert refusal(ledger, attempt("000000", login=f"user{number}")) == "signin.refused"
    assert refusal(ledger, attempt(now_code(ledger))) == "attempts.too_many"
    accounts.sign_in(ledger, CHEAP, attempt(now_code(ledger), address="198.51.100.1"))


@pytest.mark.usefixtures("account")
def test_what_succeeds_does_not_count(ledger: Ledger) -> None:
    for _ in range(12):
        accounts.sign_in(ledger, CHEAP, attempt(code_of(ledger, "li.wen")))


def test_five_wrong_codes_in_five_minutes(ledger: Ledger, account: str) -> None:
    for _ in range(5):
        with pytest.raises(RuleBroken, match=r"code\.wrong"):
            accounts.confirm(ledger, account, now_code(ledger, 7))
    with pytest.raises(RuleBroken, match="too_many") as refused:
        accounts.confirm(ledger, account, now_code(ledger))
    assert 0 < int(str(refused.value.facts["seconds"])) <= 300
    with ledger.upkeep() as conn:
        conn.execute(text("UPDATE desk.attempts SET starts_at = starts_at - window_ms"))
    accounts.confirm(ledger, account, now_code(ledger))


@pytest.mark.usefixtures("account")
def test_a_hash_of_another_cost_is_renewed_at_sign_in(ledger: Ledger) -> None:
    better = Passwords(memory_kib=128, passes=1)
    accounts.sign_in(ledger, better, attempt(now_code(ledger)))
    with ledger.upkeep() as conn:
        assert "m=128,t=1" in conn.execute(select(credential.c.password)).scalar_one()


def test_the_cost_outside_tests() -> None:
    assert (LEAST_MEMORY_KIB, LEAST_PASSES) == (19 * 1024, 2)
    assert Passwords().hash(PASSWORD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_reset_of_the_password_keeps_the_second_factor(ledger: Ledger, account: str) -> None:
    with ledger.upkeep() as conn:
        token = credentials.issue_setup(conn, account, credentials.SetupKind.PASSWORD)
    with pytest.raises(RuleBroken, match=r"code\.wrong"):
        credentials.complete_setup(ledger, CHEAP, token, password=OTHER, code=now_code(ledger, 3))
    assert (
        credentials.complete_setup(
            ledger,
            CHEAP,
            token,
            password=OTHER,
            code=now_code(ledger),
        )
        == []
    )


@pytest.mark.parametrize(
    "password", ["short", "aaaaaaaaaaaaaaaa", "password123456", "li.wen-li.wen", "woaini5201314", "x" * 201]
)
def test_passwords_that_everybody_would_guess(ledger: Ledger, account: str, password: str) -> None:
    with ledger.upkeep() as conn:
        token = credentials.issue_setup(conn, account, credentials.SetupKind.PASSWORD)
    with pytest.raises(RuleBroken, match=r"password\."):
        credentials.complete_setup(ledger, CHEAP, token, password=password, code=now_code(ledger))


def test_a_way_in_exists_in_demonstrations_alone() -> None:
    with pytest.raises(ValueError, match="demo"):
        demonstration.open_ways_in(type("Runtime", (), {"demo": False})(), None, [])  # type: ignore[arg-type]
