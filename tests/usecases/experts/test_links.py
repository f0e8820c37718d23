"""Accounts are tied to pool numbers once, without opening the whole pool again in every round (ED1 D10)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.made_committee import STRATUM, CommitteeMaker
from trading.crypto.contact import ContactKey
from trading.experts.queries import contact_public
from trading.experts.rules.identity import identity_info
from trading.experts.rules.register import Act, Item
from trading.experts.service import walking
from trading.experts.store import linked_accounts


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the contact service's key has opened, in order."""
    found: list[bytes] = []
    plain = ContactKey.open

    def watched(key: ContactKey, info: bytes, sealed: bytes) -> bytes:
        found.append(info)
        return plain(key, info, sealed)

    monkeypatch.setattr(ContactKey, "open", watched)
    return found


def accounts_in(maker: CommitteeMaker) -> set[str]:
    with maker.contact_ledger.read() as conn:
        assert contact_public(conn) == maker.contact.key.public
        return linked_accounts(conn)


def test_each_identity_is_opened_once_and_its_account_tied(maker: CommitteeMaker, opened: list[bytes]) -> None:
    maker.admit(5, accounts_for=2, prefix="L")
    assert walking.link_accounts(maker.contact) == 2
    first = len(opened)
    assert accounts_in(maker) >= {maker.people[f"L000000{number}"].account for number in range(2)}
    assert walking.link_accounts(maker.contact) == 0
    assert len(opened) == first


def test_an_identity_that_changes_is_looked_at_again(maker: CommitteeMaker, opened: list[bytes]) -> None:
    maker.admit(3, accounts_for=1, prefix="L")
    walking.link_accounts(maker.contact)
    opened.clear()
    late, expert = maker.people["L0000000"].account, "L0000002"
    changed = replace(maker.people[expert], account=f"{late}-later")
    maker.change(Act.CHANGED, [Item(id=expert, strata=(STRATUM,), unit="UNIT000002")], {expert: changed})
    assert walking.link_accounts(maker.contact) == 1
    assert opened == [identity_info(expert)]
    assert f"{late}-later" in accounts_in(maker)
