"""What staff do to an account beside its roles leaves a record, who did it included (F58)."""

from __future__ import annotations

import json

import pytest

from trading.accounts import service as accounts
from trading.accounts.service.sessions import end_all, sessions_of
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.kernel.errors import NotFound
from trading.kernel.events import Registry
from trading.kernel.roles import Actor, Role

STAFF = Actor(account="a-staff", roles=frozenset({Role.DESK}), organisation="CENTRE")


@pytest.fixture
def registry() -> Registry:
    return REGISTRY


def told(ledger: Ledger) -> list[tuple[str, str, str]]:
    query = "SELECT record FROM log.audit_entry WHERE kind = 'config.changed' ORDER BY id"
    with ledger.read() as conn:
        records = [json.loads(record) for record in conn.exec_driver_sql(query).scalars()]
    return [(each["actor"], each["subject"], each["body"]["what"]) for each in records]


def test_ending_sessions_and_closing_are_recorded(ledger: Ledger) -> None:
    account = accounts.create_account(ledger, login="li.wen", org_code="ORG", roles=(Role.BIDDER,))
    accounts.open_session(ledger, account, agent="a browser")
    end_all(ledger, STAFF, account)
    assert sessions_of(ledger, account) == []
    accounts.close_account(ledger, account, STAFF)
    subject = f"account:{account}"
    assert told(ledger) == [("a-staff", subject, "sessions.ended"), ("a-staff", subject, "account.closed")]


def test_an_account_that_is_none_leaves_no_record(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        accounts.close_account(ledger, "a-nobody", STAFF)
    assert told(ledger) == []
