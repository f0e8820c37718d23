"""``mingbiao user``: what an operator can do about accounts, and that it never involves a password."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from trading.accounts import service as accounts
from trading.accounts.service import credentials
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.commands import user
from trading.kernel.errors import NotFound
from trading.kernel.events import Registry
from trading.kernel.roles import Role


@pytest.fixture
def registry() -> Registry:
    return REGISTRY


@dataclass
class Opened:
    ledger: Ledger
    public_url: str = "https://platform.example"


@pytest.fixture
def run(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    @contextmanager
    def runtime() -> Iterator[Opened]:
        yield Opened(ledger)

    monkeypatch.setattr(user, "runtime", runtime)
    accounts.create_account(ledger, login="li.wen", org_code="ORG", roles=(Role.AGENCY,), name="李雯")
    return CliRunner()


def out(run: CliRunner, *words: str, code: int = 0) -> str:
    answer = run.invoke(user.user, list(words))
    assert answer.exit_code == code, answer.output
    return answer.output


def test_roles_are_given_taken_and_listed(run: CliRunner) -> None:
    out(run, "grant", "li.wen", "reviewer")
    assert "agency@CN, reviewer@CN" in out(run, "list", "李")
    out(run, "revoke", "li.wen", "agency", "--reason", "moved on")
    (row,) = json.loads(out(run, "list", "--json"))
    assert [held["role"] for held in row["memberships"]] == ["reviewer"]
    assert "membership.separated" in out(run, "grant", "li.wen", "supervisor", code=1)


def test_a_link_is_printed_and_no_password(run: CliRunner, ledger: Ledger) -> None:
    address = out(run, "setup", "li.wen").strip()
    assert address.startswith("https://platform.example/account/setup/")
    assert credentials.setup_of(ledger, address.rpartition("/")[2]).login == "li.wen"


def test_sessions_and_accounts_end(run: CliRunner, ledger: Ledger) -> None:
    with ledger.upkeep() as conn:
        account = accounts.actor_of(conn, "li.wen").account
    token = accounts.open_session(ledger, account)
    out(run, "end-sessions", "li.wen")
    assert accounts.session_of(ledger, token) is None
    out(run, "close", "li.wen")
    with ledger.upkeep() as conn, pytest.raises(NotFound):
        accounts.actor_of(conn, "li.wen")
