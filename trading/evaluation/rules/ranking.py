"""The ranking of a lot by the lowest evaluated price (MET-01; 87-54, 56), exact and independent of the order of input.

* A quote in another currency, one that is not above zero, and one above the ceiling are invalid (EVL-02) and have no
  rank; a quote at the ceiling is not above it (TIM-02).
* Fewer conforming bids than the edition's minimum: the lot fails and nobody is ranked (OPN-15, EVL-05).
* Equal prices are ties (并列): they share a rank, and the next rank leaves a gap (1, 2, 2, 4).
* Ties at the lowest price are put in order by the lottery that the documents fixed (AWD-10): its seed is made of the
  price identities of all opened bids, which every bidder sealed before anyone could know the others', so nobody steers
  it and everybody can recompute it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, assert_never

from trading.kernel.digests import RANK_TIE, sha256, tuple_hash
from trading.procedures.rules.failure import Failure, failure_after_opening
from trading.procedures.rules.policies import Method, TieRule
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

ABOVE_CEILING = "above_ceiling"
NOT_POSITIVE = "not_positive"
OTHER_CURRENCY = "other_currency"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedBid:
    """One bid that opened with verdict OK. ``price`` is the quote read out, in minor units of ``currency`` (OPN-16)."""

    bid: str
    bidder: str
    currency: str
    price: int
    identity_price: str  # age identity that opens the price part, as in the transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingRules:
    """How this lot is ranked: all of it stood in the notice before the first bid. ``ceiling`` in minor units."""

    lot: str
    stage: str
    currency: str
    method: Method
    tie_rule: TieRule
    ceiling: int | None
    regime: Regime
    edition: Edition


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedBid:
    """One line of the ranking; ``rank`` is None for an excluded bid, whose ``reason`` says why."""

    bid: str
    bidder: str
    price: int
    evaluated_price: int  # the quote less policy deductions; the contract price stays ``price``
    rank: int | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """The bids that were equal at the lowest price, sorted by id, and the seed that put them in order."""

    bids: tuple[str, ...]
    rule: str
    seed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The result: items sorted by bid id, and either a failure or a first bid."""

    items: tuple[RankedBid, ...]
    tie: Tie | None
    failure: Failure | None

    @property
    def first(self) -> RankedBid | None:
        """The bid of rank 1; None iff the lot failed."""
        return next((item for item in self.items if item.rank == 1), None)

    def body(self, rules: RankingRules) -> dict[str, Any]:
        """Return the body of the record ``bids.ranked``; a failed lot has none (``ValueError``)."""
        if self.failure is not None:
            raise ValueError("a failed lot is not ranked")
        tie = self.tie
        return {
            "currency": rules.currency,
            "edition_sha256": rules.edition.digest.hex(),
            "items": [{name: getattr(item, name) for name in RankedBid.__slots__} for item in self.items],
            "lot": rules.lot,
            "method": rules.method.value,
            "stage": rules.stage,
            "tie": None if tie is None else {"bids": list(tie.bids), "rule": tie.rule, "seed": tie.seed.hex()},
        }


def rank(bids: Iterable[OpenedBid], rules: RankingRules) -> Ranking:
    """Rank the opened bids of one lot and stage.

    Args:
        bids: Every bid that opened with verdict OK, in any order; two of one id are a bug (``ValueError``).
        rules: Method, tie rule, ceiling and edition of the lot.
    """
    opened = sorted(bids, key=lambda bid: bid.bid)
    if len({bid.bid for bid in opened}) != len(opened):
        raise ValueError("one bid twice")
    match rules.method:
        case Method.LOWEST_EVALUATED_PRICE:
            return _lowest_first(opened, rules)
        case _:
            assert_never(rules.method)


def _lowest_first(opened: list[OpenedBid], rules: RankingRules) -> Ranking:
    reasons = {bid.bid: _reason(bid, rules) for bid in opened}
    conforming = [bid for bid in opened if reasons[bid.bid] is None]
    failure = failure_after_opening(rules.edition, rules.regime, effective=len(opened), conforming=len(conforming))
    tie = None if failure else _tie_at_the_top(conforming, opened, rules.tie_rule)
    ranks = {} if failure else _ranks(conforming, tie)
    items = tuple(
        RankedBid(
            bid=bid.bid,
            bidder=bid.bidder,
            price=bid.price,
            evaluated_price=evaluated_price(bid),
            rank=ranks.get(bid.bid),
            reason=reasons[bid.bid],
        )
        for bid in opened
    )
    return Ranking(items=items, tie=tie, failure=failure)


def evaluated_price(bid: OpenedBid) -> int:
    """Return P' of B10.4 in minor units: the quote, as this release grants no deduction."""
    return bid.price


def _reason(bid: OpenedBid, rules: RankingRules) -> str | None:
    """Say why a bid is invalid: the quote itself counts against the ceiling, never the evaluated price (EVL-02)."""
    if bid.currency != rules.currency:
        return OTHER_CURRENCY
    if bid.price <= 0:
        return NOT_POSITIVE
    checked = rules.edition.flag(Key.EXCLUDE_ABOVE_CEILING, rules.regime)
    return ABOVE_CEILING if checked and rules.ceiling is not None and bid.price > rules.ceiling else None


def _tie_at_the_top(conforming: list[OpenedBid], opened: list[OpenedBid], rule: TieRule) -> Tie | None:
    lowest = min(evaluated_price(bid) for bid in conforming)
    tied = tuple(bid.bid for bid in conforming if evaluated_price(bid) == lowest)
    if len(tied) == 1:
        return None
    match rule:
        case TieRule.PRICE_IDENTITY_LOTTERY:
            return Tie(bids=tied, rule="AWD-10", seed=lottery_seed(opened))
        case _:
            assert_never(rule)


def lottery_seed(opened: Iterable[OpenedBid]) -> bytes:
    """Return the seed: the tuple hash over the price identity of every opened bid, in order of bid id (AWD-10)."""
    ordered = sorted(opened, key=lambda bid: bid.bid)
    return tuple_hash(RANK_TIE, *(bid.identity_price.encode("ascii") for bid in ordered))


def ticket(seed: bytes, bid: str) -> bytes:
    """Return the ticket of one tied bid; the smallest comes first (AWD-10)."""
    return sha256(seed + bid.encode("ascii"))


def _ranks(conforming: list[OpenedBid], tie: Tie | None) -> dict[str, int]:
    prices = [evaluated_price(bid) for bid in conforming]
    ranks = {bid.bid: 1 + sum(price < evaluated_price(bid) for price in prices) for bid in conforming}
    if tie is not None:
        drawn = sorted(tie.bids, key=lambda bid: ticket(tie.seed, bid))
        ranks |= {bid: place for place, bid in enumerate(drawn, start=1)}
    return ranks
