"""Abnormally low bids: B10.3, strict comparison, shares of the edition, in force from 2026-02-01."""

from __future__ import annotations

import pytest

from tests.build.tenders import NATIONAL, REPLAY, ms
from trading.evaluation.rules.abnormal import Trigger, triggers
from trading.procedures.rules.abnormal_shares import AbnormalShares
from trading.rulebook.keys import Regime
from trading.rulebook.loader import edition_at

BEFORE = edition_at("cn", ms("2026-01-31 23:59:59"))


@pytest.mark.parametrize(("price", "expected"), [(449, (Trigger.CEILING,)), (450, ()), (451, ())])
def test_share_of_the_ceiling(price: int, expected: tuple[Trigger, ...]) -> None:
    found = triggers({"b-1": price, "b-2": 460, "b-3": 470}, 1_000, NATIONAL, Regime.GP)
    assert found.get("b-1", ()) == expected


@pytest.mark.parametrize(("price", "expected"), [(49, (Trigger.SECOND_LOWEST,)), (50, ()), (51, ())])
def test_share_of_the_second_lowest(price: int, expected: tuple[Trigger, ...]) -> None:
    found = triggers({"b-1": price, "b-2": 100}, None, NATIONAL, Regime.GP)
    mean = (Trigger.MEAN,) if 2 * price < (price + 100) / 2 else ()
    assert found.get("b-1", ()) == mean + expected


@pytest.mark.parametrize(("price", "expected"), [(199, (Trigger.MEAN,)), (200, ()), (201, ())])
def test_share_of_the_mean(price: int, expected: tuple[Trigger, ...]) -> None:
    # Mean of 200, 300, 300, 800 is 400: half of it is 200. The second lowest is 300.
    found = triggers({"b-1": price, "b-2": 300, "b-3": 300, "b-4": 1_000 - price}, None, NATIONAL, Regime.GP)
    assert found.get("b-1", ()) == expected


def test_the_check_is_a_rule_with_a_date_and_a_switch() -> None:
    quotes = {"b-1": 1, "b-2": 1_000}
    assert triggers(quotes, 1_000, NATIONAL, Regime.GP) != {}
    assert triggers(quotes, 1_000, BEFORE, Regime.GP) == {}
    assert triggers(quotes, 1_000, REPLAY, Regime.GP) == {}


def test_few_quotes() -> None:
    assert triggers({}, 1_000, NATIONAL, Regime.GP) == {}
    assert triggers({"b-1": 500}, None, NATIONAL, Regime.GP) == {}


@pytest.mark.parametrize(("price", "expected"), [(649, (Trigger.MEAN,)), (650, ())])
def test_shares_that_the_documents_raise(price: int, expected: tuple[Trigger, ...]) -> None:
    shares = AbnormalShares(mean="65", second_lowest="50", ceiling="45")
    quotes = {"b-1": price, "b-2": 1_000, "b-3": 2_000 - price}  # mean 1000
    found = triggers({**quotes, "b-3": 3_000 - price - 1_000}, None, NATIONAL, Regime.GP, shares)
    assert found.get("b-1", ()) == expected
    assert triggers(quotes, None, NATIONAL, Regime.GP).get("b-1", ()) == ()
