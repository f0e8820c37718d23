"""The ranking of a lot by the lowest evaluated price (MET-01) or by scores (MET-02): exact, order-free.

* A quote in another currency, one that is not above zero, and one above the ceiling are invalid (EVL-02) and have no
  rank; a quote at the ceiling is not above it (TIM-02). So are bids that the examination found invalid.
* Fewer conforming bids than the edition's minimum: the lot fails and nobody is ranked (OPN-15, EVL-05).
* The evaluated price P' is the quote less the deduction that was granted (B10.4), rounded half up to the minor unit.
* By price, the lowest P' comes first. By scores, the highest total does, and of equal totals the lower P' (87-57).
* What is still equal is a tie (并列): equal bids share a rank, and the next rank leaves a gap (1, 2, 2, 4).
* Ties at the top are put in order by the lottery that the documents fixed (AWD-10): its seed is made of the price
  identities of all opened bids, which every bidder sealed before anyone could know the others', so nobody steers it and
  everybody can recompute it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from trading.evaluation.rules.examination import Examined, evaluated_price
from trading.evaluation.rules.scoring import Scorecard, Sheet, total_scores
from trading.kernel.digests import RANK_TIE, sha256, tuple_hash
from trading.procedures.rules.criteria import Criterion, Preference
from trading.procedures.rules.failure import Failure, failure_after_opening
from trading.procedures.rules.policies import Method, TieRule
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

ABOVE_CEILING: Final = "above_ceiling"
NOT_POSITIVE: Final = "not_positive"
OTHER_CURRENCY: Final = "other_currency"
_TIE_RULE: Final = "AWD-10"


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
    criteria: tuple[Criterion, ...] = ()
    preference: Preference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedBid:
    """One line of the ranking; ``rank`` is None for an excluded bid, whose ``reason`` says why.

    ``scores`` holds for each criterion but the price the sum over all members, from which anyone recomputes ``score``.
    """

    bid: str
    bidder: str
    price: int
    evaluated_price: int  # the quote less the deduction granted; the contract price stays ``price``
    preference: str | None
    rank: int | None
    reason: str | None
    score: str | None
    scores: tuple[tuple[str, str], ...] | None

    def body(self) -> dict[str, Any]:
        """Return the line as it stands in the record."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "scores"}
        lines = None if self.scores is None else [{"criterion": name, "sum": points} for name, points in self.scores]
        return {**plain, "scores": lines}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """The bids that were equal at the top, sorted by id, and the seed that put them in order."""

    bids: tuple[str, ...]
    rule: str
    seed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The result: items sorted by bid id, and either a failure or a first bid. ``members`` whose sheets were summed."""

    items: tuple[RankedBid, ...]
    tie: Tie | None
    failure: Failure | None
    members: int | None = None

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
            "items": [item.body() for item in self.items],
            "lot": rules.lot,
            "members": self.members,
            "method": rules.method.value,
            "stage": rules.stage,
            "tie": None if tie is None else {"bids": list(tie.bids), "rule": tie.rule, "seed": tie.seed.hex()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What a conforming bid is compared by: the smaller ``order`` comes first."""

    bid: str
    order: tuple[int, int]
    evaluated: int
    card: Scorecard | None = field(default=None)


def rank(
    bids: Iterable[OpenedBid],
    rules: RankingRules,
    *,
    examined: Mapping[str, Examined] | None = None,
    sheets: Sequence[Sheet] = (),
) -> Ranking:
    """Rank the opened bids of one lot and stage.

    Args:
        bids: Every bid that opened with verdict OK, in any order; two of one id are a bug (``ValueError``).
        rules: Method, tie rule, ceiling, criteria, deductions and edition of the lot.
        examined: What qualification, conformity and price examination found, by bid; a bid without an entry conforms.
        sheets: The signed sheet of every member, each with every conforming bid; only for scoring.
    """
    opened = sorted(bids, key=lambda bid: bid.bid)
    if len({bid.bid for bid in opened}) != len(opened):
        raise ValueError("one bid twice")
    found = examined or {}
    reasons = {bid.bid: _reason(bid, rules, found) for bid in opened}
    conforming = [bid for bid in opened if reasons[bid.bid] is None]
    prices = {bid.bid: evaluated_price(bid.price, _preference(bid, found), rules.preference) for bid in opened}
    failure = failure_after_opening(rules.edition, rules.regime, effective=len(opened), conforming=len(conforming))
    standings = {} if failure else {each.bid: each for each in _standings(conforming, prices, rules, sheets)}
    tie = _tie_at_the_top(standings, opened, rules.tie_rule)
    ranks = _ranks(standings, tie)
    items = tuple(
        _line(bid, prices[bid.bid], _preference(bid, found), ranks.get(bid.bid), reasons[bid.bid], standings)
        for bid in opened
    )
    scored = bool(standings) and rules.method is Method.COMPREHENSIVE_SCORING
    return Ranking(items=items, tie=tie, failure=failure, members=len(sheets) if scored else None)


def _line(
    bid: OpenedBid,
    evaluated: int,
    preference: str | None,
    place: int | None,
    reason: str | None,
    standings: Mapping[str, _Standing],
) -> RankedBid:
    standing = standings.get(bid.bid)
    card = None if standing is None else standing.card
    return RankedBid(
        bid=bid.bid,
        bidder=bid.bidder,
        price=bid.price,
        evaluated_price=evaluated,
        preference=preference,
        rank=place,
        reason=reason,
        score=None if card is None else card.score_text,
        scores=None if card is None else card.sums,
    )


def _preference(bid: OpenedBid, examined: Mapping[str, Examined]) -> str | None:
    found = examined.get(bid.bid)
    return None if found is None else found.preference


def _standings(
    conforming: list[OpenedBid], prices: Mapping[str, int], rules: RankingRules, sheets: Sequence[Sheet]
) -> list[_Standing]:
    match rules.method:
        case Method.LOWEST_EVALUATED_PRICE:
            return [_Standing(bid=bid.bid, order=(0, prices[bid.bid]), evaluated=prices[bid.bid]) for bid in conforming]
        case Method.COMPREHENSIVE_SCORING:
            own = {bid.bid: prices[bid.bid] for bid in conforming}
            decimals = rules.edition.count(Key.SCORE_DECIMALS, rules.regime)
            cards = total_scores(own, rules.criteria, sheets, decimals)
            return [
                _Standing(bid=bid, order=(-cards[bid].score, price), evaluated=price, card=cards[bid])
                for bid, price in own.items()
            ]
        case _:
            assert_never(rules.method)


def _reason(bid: OpenedBid, rules: RankingRules, examined: Mapping[str, Examined]) -> str | None:
    """Say why a bid is invalid: the quote itself counts against the ceiling, never the evaluated price (EVL-02)."""
    if bid.currency != rules.currency:
        return OTHER_CURRENCY
    if bid.price <= 0:
        return NOT_POSITIVE
    checked = rules.edition.flag(Key.EXCLUDE_ABOVE_CEILING, rules.regime)
    if checked and rules.ceiling is not None and bid.price > rules.ceiling:
        return ABOVE_CEILING
    found = examined.get(bid.bid)
    return None if found is None else found.exclusion


def quote_reason(bid: OpenedBid, rules: RankingRules) -> str | None:
    """Return why the quote alone makes a bid invalid, before anybody examined it; None if it does not."""
    return _reason(bid, rules, {})


def _tie_at_the_top(standings: Mapping[str, _Standing], opened: list[OpenedBid], rule: TieRule) -> Tie | None:
    if not standings:
        return None
    best = min(each.order for each in standings.values())
    tied = tuple(bid for bid, each in standings.items() if each.order == best)
    if len(tied) == 1:
        return None
    match rule:
        case TieRule.PRICE_IDENTITY_LOTTERY:
            return Tie(bids=tied, rule=_TIE_RULE, seed=lottery_seed(opened))
        case _:
            assert_never(rule)


def lottery_seed(opened: Iterable[OpenedBid]) -> bytes:
    """Return the seed: the tuple hash over the price identity of every opened bid, in order of bid id (AWD-10)."""
    ordered = sorted(opened, key=lambda bid: bid.bid)
    return tuple_hash(RANK_TIE, *(bid.identity_price.encode("ascii") for bid in ordered))


def ticket(seed: bytes, bid: str) -> bytes:
    """Return the ticket of one tied bid; the smallest comes first (AWD-10)."""
    return sha256(seed + bid.encode("ascii"))


def _ranks(standings: Mapping[str, _Standing], tie: Tie | None) -> dict[str, int]:
    orders = [each.order for each in standings.values()]
    ranks = {bid: 1 + sum(order < each.order for order in orders) for bid, each in standings.items()}
    if tie is not None:
        drawn = sorted(tie.bids, key=lambda bid: ticket(tie.seed, bid))
        ranks |= {bid: place for place, bid in enumerate(drawn, start=1)}
    return ranks
