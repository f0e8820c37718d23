"""The ranking of a lot by the method of its notice (MET-01 to MET-07): exact, order-free.

* A quote in another currency, one that is not above zero, and one above the ceiling are invalid (EVL-02) and have no
  rank; a quote at the ceiling is not above it (TIM-02). So are bids that the examination found invalid.
* Fewer conforming bids than the edition's minimum: the lot fails and nobody is ranked (OPN-15, EVL-05).
* The evaluated price P' is the quote less the deductions that were granted (B10.4), rounded half up to the minor unit.
* What bids are compared by is the formula of the method (``standings``); the record names it with its version.
* What is still equal is a tie (并列): equal bids share a rank, and the next rank leaves a gap (1, 2, 2, 4).
* Ties at the top, or where a framework agreement stops admitting, are put in order by the lottery that the documents
  fixed (AWD-10): its seed is made of the price identities of all opened bids, which every bidder sealed before anyone
  could know the others', so nobody steers it and everybody can recompute it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

from trading.evaluation.rules.examination import Examined, evaluated_price
from trading.evaluation.rules.opened import OpenedBid, RankingRules
from trading.evaluation.rules.scoring import Sheet
from trading.evaluation.rules.standings import VERSION, Field, Standing, Standings, standings
from trading.kernel.digests import RANK_TIE, sha256, tuple_hash
from trading.procedures.rules.criteria import decimal_of
from trading.procedures.rules.failure import Failure, failure_after_opening
from trading.procedures.rules.policies import Method, TieRule
from trading.rulebook.keys import Key

__all__ = ["OpenedBid", "RankedBid", "Ranking", "RankingRules", "Tie", "lottery_seed", "quote_reason", "rank", "ticket"]

ABOVE_CEILING: Final = "above_ceiling"
NOT_POSITIVE: Final = "not_positive"
OTHER_CURRENCY: Final = "other_currency"
_TIE_RULE: Final = "AWD-10"


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
    price_points: str | None = None  # where they are rounded on their own (MET-06)
    deviations: tuple[tuple[str, str], ...] | None = None  # units of each quantified deviation (MET-05)

    def body(self) -> dict[str, Any]:
        """Return the line as it stands in the record."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in _OF_METHODS}
        lines = None if self.scores is None else [{"criterion": name, "sum": points} for name, points in self.scores]
        more: dict[str, Any] = {} if self.price_points is None else {"price_points": self.price_points}
        if self.deviations is not None:
            more = {"deviations": [{"id": name, "units": units} for name, units in self.deviations]}
        return {**plain, **more, "scores": lines}


_OF_METHODS: Final = frozenset({"scores", "price_points", "deviations"})


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
    version: int = VERSION
    workings: Mapping[str, Any] | None = None  # benchmark and coefficients (MET-06), number admitted (MET-07)

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
            "formula": {"id": rules.method.rule, "version": self.version},
            "items": [item.body() for item in self.items],
            "lot": rules.lot,
            "members": self.members,
            "method": rules.method.value,
            "stage": rules.stage,
            "tie": None if tie is None else {"bids": list(tie.bids), "rule": tie.rule, "seed": tie.seed.hex()},
            **({} if self.workings is None else {"workings": dict(self.workings)}),
        }


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
    granted = {bid.bid: _preference(bid, found) for bid in opened}
    failure = failure_after_opening(rules.edition, rules.regime, effective=len(opened), conforming=len(conforming))
    compared = Standings(lines={})
    if failure is None:
        identities = [bid.identity_price for bid in opened]
        compared = standings(Field(conforming=conforming, granted=granted, identities=identities, sheets=sheets), rules)
    tie = _tie_at_the_cut(compared, opened, rules.tie_rule)
    ranks = _ranks(compared.lines, tie)
    items = tuple(
        _line(bid, granted[bid.bid], ranks.get(bid.bid), reasons[bid.bid], compared.lines.get(bid.bid), rules)
        for bid in opened
    )
    scored = bool(compared.lines) and rules.method.scored
    members = len(sheets) if scored else None
    return Ranking(items=items, tie=tie, failure=failure, members=members, workings=compared.workings)


def _line(
    bid: OpenedBid,
    granted: str | None,
    place: int | None,
    reason: str | None,
    standing: Standing | None,
    rules: RankingRules,
) -> RankedBid:
    card = None if standing is None else standing.card
    units = tuple((name, decimal_of(count)) for name, count in sorted(bid.deviations.items()))
    works = rules.method is Method.LOWEST_PRICE_EVALUATED_TL
    plain = evaluated_price(bid.price, granted, rules.preference)
    return RankedBid(
        bid=bid.bid,
        bidder=bid.bidder,
        price=bid.price,
        evaluated_price=plain if standing is None else standing.evaluated,
        preference=granted,
        rank=place,
        reason=reason,
        score=None if card is None else card.score_text,
        scores=None if card is None else card.sums,
        price_points=None if standing is None else standing.points,
        deviations=units if works else None,
    )


def _preference(bid: OpenedBid, examined: Mapping[str, Examined]) -> str | None:
    found = examined.get(bid.bid)
    return None if found is None else found.preference


def _reason(bid: OpenedBid, rules: RankingRules, examined: Mapping[str, Examined]) -> str | None:
    """Say why a bid is invalid: the quote itself counts against the ceiling, never the evaluated price (EVL-02)."""
    if bid.currency != rules.currency:
        return OTHER_CURRENCY
    if bid.price <= 0:
        return NOT_POSITIVE
    key = Key.EXCLUDE_ABOVE_CEILING
    checked = rules.edition.has(key, rules.regime) and rules.edition.flag(key, rules.regime)
    if checked and rules.ceiling is not None and bid.price > rules.ceiling:
        return ABOVE_CEILING
    found = examined.get(bid.bid)
    return None if found is None else found.exclusion


def quote_reason(bid: OpenedBid, rules: RankingRules) -> str | None:
    """Return why the quote alone makes a bid invalid, before anybody examined it; None if it does not."""
    return _reason(bid, rules, {})


def _tie_at_the_cut(compared: Standings, opened: list[OpenedBid], rule: TieRule) -> Tie | None:
    """Return the equal bids among whom a place is left for some only; where one is awarded, those equal at the top."""
    if not compared.lines:
        return None
    last = sorted(each.order for each in compared.lines.values())[compared.places - 1]
    tied = tuple(bid for bid, each in compared.lines.items() if each.order == last)
    before = sum(each.order < last for each in compared.lines.values())
    if before + len(tied) <= compared.places:
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


def _ranks(lines: Mapping[str, Standing], tie: Tie | None) -> dict[str, int]:
    orders = [each.order for each in lines.values()]
    ranks = {bid: 1 + sum(order < each.order for order in orders) for bid, each in lines.items()}
    if tie is not None:
        drawn = sorted(tie.bids, key=lambda bid: ticket(tie.seed, bid))
        ranks |= {bid: place for place, bid in enumerate(drawn, start=ranks[tie.bids[0]])}
    return ranks
