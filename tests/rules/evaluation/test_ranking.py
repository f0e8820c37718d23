"""The ranking by the lowest evaluated price: MET-01, EVL-02, EVL-05, OPN-15 and the lottery of AWD-10."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random  # noqa: TID251 - the type of Hypothesis' own chance
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.tenders import NATIONAL, REPLAY
from trading.evaluation.rules.ranking import OpenedBid, Ranking, RankingRules, lottery_seed, rank, ticket
from trading.kernel import canonical
from trading.procedures.rules.policies import Method, TieRule
from trading.rulebook.keys import Regime
from trading.rulebook.model import Edition

VECTOR: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "ranking.json").read_text())


def rules(*, ceiling: int | None = 1_000, edition: Edition = NATIONAL) -> RankingRules:
    return RankingRules(
        lot="1",
        stage="all",
        currency="CNY",
        method=Method.LOWEST_EVALUATED_PRICE,
        tie_rule=TieRule.PRICE_IDENTITY_LOTTERY,
        ceiling=ceiling,
        regime=Regime.GP,
        edition=edition,
    )


def bid(name: str, price: int, currency: str = "CNY") -> OpenedBid:
    identity = f"AGE-SECRET-KEY-1{hashlib.sha256(name.encode()).hexdigest().upper()}"
    return OpenedBid(bid=f"b-{name}", bidder=f"ORG{name}", currency=currency, price=price, identity_price=identity)


def bids(*prices: int) -> list[OpenedBid]:
    return [bid(f"{place}", price) for place, price in enumerate(prices, start=1)]


def ranks(ranking: Ranking) -> list[int | None]:
    return [item.rank for item in ranking.items]


def test_the_lowest_price_is_first() -> None:  # MET-01
    found = rank(bids(300, 100, 200), rules())
    assert ranks(found) == [3, 1, 2]
    assert found.first is not None
    assert (found.first.bid, found.first.price, found.first.evaluated_price) == ("b-2", 100, 100)
    assert found.tie is None
    assert found.failure is None


@pytest.mark.parametrize(("price", "reason"), [(999, None), (1_000, None), (1_001, "above_ceiling")])
def test_ceiling(price: int, reason: str | None) -> None:  # EVL-02, TIM-02
    found = rank(bids(price, 500, 501, 502), rules())
    assert found.items[0].reason == reason
    assert (found.items[0].rank is None) == (reason is not None)


@pytest.mark.parametrize(
    ("price", "currency", "reason"),
    [(1, "CNY", None), (0, "CNY", "not_positive"), (-1, "CNY", "not_positive"), (1, "JPY", "other_currency")],
)
def test_what_is_no_price_in_the_currency_of_the_lot_is_not_ranked(
    price: int, currency: str, reason: str | None
) -> None:  # EVL-02
    for edition in (NATIONAL, REPLAY):
        found = rank([bid("0", price, currency), *bids(500, 501, 502)], rules(edition=edition))
        assert (found.items[0].reason, found.items[0].rank) == (reason, 1 if reason is None else None)
        assert found.failure is None


def test_no_ceiling_excludes_nobody() -> None:  # EVL-02
    assert ranks(rank(bids(10**15, 500, 501), rules(ceiling=None))) == [3, 1, 2]
    assert ranks(rank(bids(10**15, 500, 501), rules(edition=REPLAY))) == [3, 1, 2]


def test_too_few_opened_bids_fail_the_lot() -> None:  # OPN-15
    found = rank(bids(1, 2), rules())
    assert found.failure is not None
    assert (found.failure.rule, found.failure.reason) == ("OPN-15", "fewer_than_three_after_opening")
    assert (ranks(found), found.first) == ([None, None], None)
    with pytest.raises(ValueError, match="not ranked"):
        found.body(rules())


def test_too_few_conforming_bids_fail_the_lot() -> None:  # EVL-05
    found = rank(bids(1, 2, 1_001), rules())
    assert found.failure is not None
    assert found.failure.rule == "EVL-05"
    assert rank(bids(1, 2, 1_000), rules()).failure is None


def test_the_replay_ranks_a_single_bid_but_not_none() -> None:  # OPN-15
    assert ranks(rank(bids(7), rules(edition=REPLAY))) == [1]
    nothing = rank([], rules(edition=REPLAY))
    assert nothing.failure is not None
    assert nothing.failure.rule == "OPN-15"


def test_equal_prices_below_the_first_share_a_rank() -> None:  # MET-01 并列
    assert ranks(rank(bids(100, 200, 200, 300), rules())) == [1, 2, 2, 4]


def test_a_tie_at_the_top_is_drawn() -> None:  # AWD-10
    opened = bids(100, 100, 100, 200)
    found = rank(opened, rules())
    assert found.tie is not None
    assert found.tie.bids == ("b-1", "b-2", "b-3")
    assert found.tie.rule == "AWD-10"
    order = sorted(found.tie.bids, key=lambda name: hashlib.sha256(found.tie.seed + name.encode()).digest())  # type: ignore[union-attr] # checked above
    drawn = {item.bid: item.rank for item in found.items}
    assert [drawn[name] for name in order] == [1, 2, 3]
    assert drawn["b-4"] == 4


def test_the_seed_is_the_tuple_hash_over_all_opened_bids() -> None:  # AWD-10
    opened = bids(100, 100, 2_000)
    parts = [entry.identity_price.encode() for entry in opened]
    expected = hashlib.sha256(b"mingbiao/rank/tie\0" + b"".join(len(p).to_bytes(8, "big") + p for p in parts)).digest()
    assert lottery_seed(reversed(opened)) == expected
    assert ticket(expected, "b-1") == hashlib.sha256(expected + b"b-1").digest()
    replayed = rank(opened, rules(edition=REPLAY))
    assert replayed.tie is not None
    assert replayed.tie.seed == expected


def test_every_identity_counts_for_the_seed() -> None:
    """Negative control: leaving out the bid above the ceiling, or changing any identity, gives another seed."""
    opened = bids(100, 100, 2_000)
    assert lottery_seed(opened[:2]) != lottery_seed(opened)
    for place in range(3):
        changed = [*opened]
        changed[place] = replace(opened[place], bidder="X", identity_price="AGE-SECRET-KEY-1OTHER")
        assert lottery_seed(changed) != lottery_seed(opened)


def test_body_golden() -> None:
    opened = [OpenedBid(**entry) for entry in VECTOR["opened"]]
    body = rank(opened, rules()).body(rules())
    assert body["edition_sha256"] == NATIONAL.digest.hex()
    assert body["formula"] == {"id": "MET-01", "version": 1}  # older records name none
    assert {key: value for key, value in body.items() if key not in {"edition_sha256", "formula"}} == VECTOR["body"]
    canonical.check(body)


def test_one_bid_twice_is_a_bug() -> None:
    with pytest.raises(ValueError, match="one bid twice"):
        rank([bid("1", 5), bid("1", 6)], rules())


PRICES = st.lists(st.integers(min_value=1, max_value=1_100), min_size=3, max_size=12)


@given(PRICES, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_input_changes_nothing(prices: Sequence[int], chance: Random) -> None:
    opened = bids(*prices)
    shuffled = [*opened]
    chance.shuffle(shuffled)
    assert rank(shuffled, rules()) == rank(opened, rules())


@given(PRICES)
@settings(deadline=None)
def test_the_ranking_is_total(prices: Sequence[int]) -> None:
    found = rank(bids(*prices), rules())
    ranked = [item for item in found.items if item.rank is not None]
    if found.failure:
        assert ranked == []
        return
    assert {item.rank is None for item in found.items if item.price > 1_000} <= {True}
    assert sum(item.rank == 1 for item in ranked) == 1
    for one in ranked:
        below = sum(other.price < one.price for other in ranked)
        tied = found.tie is not None and one.bid in found.tie.bids
        assert below + 1 == one.rank or (tied and below == 0)
    lottery = [item.rank for item in ranked if found.tie and item.bid in found.tie.bids]
    assert sorted(rank_ for rank_ in lottery if rank_) == list(range(1, len(lottery) + 1))


@given(PRICES, st.integers(min_value=0, max_value=11), st.integers(min_value=1, max_value=1_000))
@settings(deadline=None)
def test_a_lower_quote_never_ranks_worse(prices: list[int], place: int, price: int) -> None:
    name = bids(*prices)[place % len(prices)].bid
    lower = [
        bid(entry.bid[2:], min(price, entry.price) if entry.bid == name else entry.price) for entry in bids(*prices)
    ]
    before, after = rank(bids(*prices), rules()), rank(lower, rules())
    (old,) = (item.rank for item in before.items if item.bid == name)
    (new,) = (item.rank for item in after.items if item.bid == name)
    if before.tie is None and after.tie is None and old is not None:
        assert new is not None
        assert new <= old
