"""Nobody takes a seat without the promise of discipline, and the record tells which words were promised (EXP-31)."""

from __future__ import annotations

from typing import cast

import pytest

from trading.audit.ledger import Ledger
from trading.experts.rules.discipline import PROMISE_EN, PROMISE_SHA256, PROMISE_ZH
from trading.experts.service import seats
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor, Role

EXPERT = Actor(account="a-1", roles=frozenset({Role.EXPERT}))
NO_LEDGER = cast("Ledger", None)  # whoever promises nothing gets no further than this


def test_a_seat_is_not_taken_without_the_promise() -> None:
    for take in (seats.sign_in, seats.sign_in_representative):
        with pytest.raises(RuleBroken) as error:
            take(NO_LEDGER, EXPERT, "code", promised=False)
        assert (error.value.code, error.value.rule_id) == ("seat.not_promised", "EXP-31")


def test_the_promise_is_not_what_stops_whoever_gives_it() -> None:
    """Control: with the promise the next thing that is missing is the ledger."""
    with pytest.raises(AttributeError):
        seats.sign_in(NO_LEDGER, EXPERT, "code", promised=True)


def test_the_digest_is_that_of_both_texts() -> None:
    assert sha256_hex(f"{PROMISE_ZH}\n{PROMISE_EN}\n".encode()) == PROMISE_SHA256
