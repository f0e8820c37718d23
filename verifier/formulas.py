"""What each method compares bids by, recomputed for RK-01 from notice, edition and record (B10.5, MET-01 to MET-07)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from verifier.benchmark import LOWEST, benchmark_of, choice_of, is_drawn, points_of
from verifier.evidence import Document, Logged
from verifier.hashing import LABEL_RANK_COEFFICIENT, tuple_hash
from verifier.lot import Lot
from verifier.report import Check
from verifier.scoring import deviations_found, digits, evaluated_price, half_up, percents_of, scores

FORMULA_VERSION = 1
FORMULA_OF = {
    "lowest_evaluated_price": "MET-01",
    "comprehensive_scoring": "MET-02",
    "consultation_scoring": "MET-03",
    "lowest_final_quote": "MET-04",
    "lowest_price_evaluated_tl": "MET-05",
    "comprehensive_evaluation_tl": "MET-06",
    "price_first": "MET-07",
    "quality_first": "MET-07",
}
OLDER = ("MET-01", "MET-02")  # records of these may name no formula: version 1
# What the notice must say of the formula of a method, beyond what the shape of notices asks.
FORMULA_FIELDS = {
    "MET-03": ("technical",),
    "MET-05": ("factors",),
    "MET-06": (
        *("above", "band", "below", "benchmarks", "ceiling_reduction", "ceiling_weight", "floor"),
        *("reduction", "technical", "ties", "trim"),
    ),
    "MET-07": ("elimination",),
}
TIE_STEPS = ("price", "technical")
KEY_DECIMALS = "evaluation.score_decimals"
KEY_BENCHMARK_DECIMALS = "benchmark.score_decimals"
KEY_ELIMINATED_MIN = "framework.eliminated_min"


@dataclass
class Recomputed:
    """What bids are compared by: the smaller ``orders`` come first; ``places`` are admitted or awarded."""

    prices: dict[str, int] = field(default_factory=dict)
    orders: dict[str, tuple[Fraction | int, ...]] = field(default_factory=dict)
    scores: dict[str, str] = field(default_factory=dict)
    points: dict[str, str] = field(default_factory=dict)
    places: int = 1
    workings: dict[str, Any] | None = None


@dataclass
class Ranked:
    """A ranking that is recomputed: its record, its terms, and the conforming bids with what was granted to them."""

    lot: Lot
    check: Check
    logged: Logged
    row: dict[str, Any]
    edition: Document
    valid: list[str]
    granted: dict[str, str | None]
    identities: Callable[[], list[str] | None]  # of all opened bids, None if the tier hides them

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        """The lines of the conforming bids by bid."""
        return {item["bid"]: item for item in self.logged.body["items"] if item["bid"] in self.valid}

    def deducted(self) -> dict[str, int]:
        """Return the quotes less what was granted."""
        given = self.granted
        return {bid: evaluated_price(item["price"], given.get(bid), self.row) for bid, item in self.items.items()}

    def number(self, key: str) -> int:
        """Return an integer of the edition, -1 if it has none."""
        values = [line["value"] for line in self.edition.value["parameters"] if line["key"] == key]
        return values[0] if values and isinstance(values[0], int) else -1

    @property
    def criteria(self) -> list[dict[str, Any]]:
        """The criteria of the notice."""
        return self.row.get("criteria") or []

    @property
    def full(self) -> Fraction:
        """The full points of the price."""
        return sum((Fraction(each["max"]) for each in self.criteria if each["kind"] == "price"), Fraction(0))

    def totals(self, priced: dict[str, Fraction], key: str) -> dict[str, str]:
        """Return the total of every conforming bid as text."""
        return scores(self.lot, self.check, self.logged, self.criteria, priced, self.number(key))

    def technical(self, bid: str) -> Fraction:
        """Return the members' points for the technical criteria, all together."""
        names = self.row["formula"]["technical"]
        lines = self.items[bid].get("scores") or []
        return sum((Fraction(line["sum"]) for line in lines if line["criterion"] in names), Fraction(0))


def check_formula(check: Check, logged: Logged, row: dict[str, Any]) -> bool:
    """Say whether the formula that the record names is known here; one of another method is a fault."""
    wanted = FORMULA_OF.get(row["method"])
    named = logged.body.get("formula")
    if named is None and wanted in OLDER:
        return True
    text = f"names the formula {named}, the method {row['method']} has {wanted}"
    if wanted is not None and not check.require(logged.place, text, holds=named is not None and named["id"] == wanted):
        return False
    if wanted is None or named is None or named["version"] != FORMULA_VERSION:
        check.gap(logged.place, f"method {row['method']} with formula {named} is not recomputed yet")
        return False
    told = row.get("formula") or {}
    whole = set(FORMULA_FIELDS.get(wanted, ())) <= set(told) and set(told.get("ties", ())) <= set(TIE_STEPS)
    return check.require(logged.place, "the notice does not fix the parameters of its formula", holds=whole)


def recompute(ranked: Ranked) -> Recomputed:
    """Return what the conforming bids are compared by; what cannot be recomputed is a failure of the check."""
    method = ranked.row["method"]
    if method in ("lowest_evaluated_price", "lowest_final_quote", "price_first"):
        found = _by_prices(ranked.deducted())
    elif method == "lowest_price_evaluated_tl":
        found = _by_prices(_with_deviations(ranked))
    elif method == "comprehensive_evaluation_tl":
        return _by_benchmark(ranked)
    else:
        found = _by_quotient(ranked)
    if method in ("price_first", "quality_first"):
        found.places = _admitted(ranked)
        found.workings = {"places": found.places}
    return found


def _by_prices(prices: dict[str, int]) -> Recomputed:
    return Recomputed(prices=prices, orders={bid: (price,) for bid, price in prices.items()})


def _with_deviations(ranked: Ranked) -> dict[str, int]:
    """Add every quantified deviation that the record names to the price (MET-05)."""
    factors = {each["id"]: each for each in ranked.row["formula"]["factors"]}
    found, prices = deviations_found(ranked.lot, ranked.logged.n), {}
    for bid, price in ranked.deducted().items():
        told = ranked.items[bid].get("deviations") or []
        text = f"bid {bid}: deviations {told}, the committee found {found.get(bid)}"
        ranked.check.require(ranked.logged.place, text, holds=bid not in found or told == found[bid])
        total = Fraction(price)
        for line in ranked.items[bid].get("deviations") or []:
            factor, units = factors.get(line["id"]), Fraction(line["units"])
            known = factor is not None and units >= 0
            ranked.check.require(ranked.logged.place, f"bid {bid}: unknown deviation {line['id']}", holds=known)
            if factor is not None:
                cost = Fraction(factor["value"])
                total += units * (cost if factor["unit"] == "amount" else cost / 100 * ranked.items[bid]["price"])
        prices[bid] = half_up(total)
    return prices


def _by_quotient(ranked: Ranked) -> Recomputed:
    """Points by the lowest price over the own one: MET-02, MET-03; none for the price where quality comes first."""
    prices, method = ranked.deducted(), ranked.row["method"]
    lowest = min(prices.values())
    if not ranked.check.require(ranked.logged.place, "an evaluated price is not above zero", holds=lowest > 0):
        return Recomputed(prices=prices)
    totals = ranked.totals({bid: ranked.full * Fraction(lowest, own) for bid, own in prices.items()}, KEY_DECIMALS)
    found = Recomputed(prices=prices, scores=totals)
    for bid, price in prices.items():
        order: tuple[Fraction | int, ...] = (-Fraction(totals.get(bid, "0")),)
        if method != "quality_first":
            order += (price,)
        if method == "consultation_scoring":
            order += (-ranked.technical(bid),)
        found.orders[bid] = order
    return found


def _by_benchmark(ranked: Ranked) -> Recomputed:
    """MET-06: the draw, the benchmark, the points of the price with the bonus of 46号 9, and the ties."""
    formula, check, place = ranked.row["formula"], ranked.check, ranked.logged.place
    shown = ranked.logged.body.get("workings") or {}
    seed = _seed(ranked, shown.get("seed"))
    chosen = choice_of(formula, seed)
    lowest = chosen["benchmark"] == LOWEST
    prices = ranked.deducted() if lowest else {bid: item["price"] for bid, item in ranked.items.items()}
    base = benchmark_of(list(prices.values()), chosen, formula, ranked.row["ceiling"])
    decimals = ranked.number(KEY_BENCHMARK_DECIMALS)
    known = base is not None and base > 0 and decimals >= 0
    if not check.require(place, "the benchmark cannot be recomputed", holds=known) or base is None:
        return Recomputed(prices=prices)
    units = {}
    for bid, price in prices.items():
        bonus = 0 if lowest else percents_of(ranked.granted.get(bid), ranked.row) / 100
        units[bid] = half_up(points_of(ranked.full, price, base, formula) * (1 + bonus) * 10**decimals)
    totals = ranked.totals({bid: Fraction(each, 10**decimals) for bid, each in units.items()}, KEY_BENCHMARK_DECIMALS)
    found = Recomputed(prices=prices, scores=totals)
    found.points = {bid: digits(each, decimals) for bid, each in units.items()}
    for bid in prices:
        steps = {"price": prices[bid], "technical": -ranked.technical(bid)}
        found.orders[bid] = (-Fraction(totals.get(bid, "0")), *(steps[step] for step in formula["ties"]))
    found.workings = {**chosen, "price": str(base), "seed": seed.hex() if is_drawn(formula) else None}
    return found


def _seed(ranked: Ranked, shown: str | None) -> bytes:
    """Return the seed of the draw: recomputed where the tier shows the price identities, else the one that is told."""
    if not is_drawn(ranked.row["formula"]):
        return b""
    identities = ranked.identities()
    if identities is not None:
        return seed_over(LABEL_RANK_COEFFICIENT, identities)
    ranked.check.note(ranked.logged.place, "the seed of the draw needs the price identities, which this tier lacks")
    return bytes.fromhex(shown or "")


def seed_over(label: str, identities: list[str]) -> bytes:
    """Return the tuple hash over the price identities of the opened bids, in order of bid id."""
    return tuple_hash(label, *(identity.encode() for identity in identities))


def _admitted(ranked: Ranked) -> int:
    """Return how many a framework agreement admits: all but the share that is left out, rounded up (MET-07)."""
    suppliers = len(ranked.valid)
    out = suppliers * Fraction(ranked.row["formula"]["elimination"]) / 100
    whole = -(-out.numerator // out.denominator)
    return suppliers - min(suppliers, max(whole, ranked.number(KEY_ELIMINATED_MIN)))
