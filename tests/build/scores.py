"""A criteria tree, sheets and an examined field of bids to vary."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from tests.build.tenders import NATIONAL
from trading.evaluation.rules.ranking import OpenedBid, RankingRules
from trading.evaluation.rules.scoring import Sheet
from trading.procedures.rules.criteria import Band, Criterion, CriterionKind, Preference
from trading.procedures.rules.policies import Method, TieRule
from trading.rulebook.keys import Regime


def band(low: str, high: str | None, points: str) -> Band:
    return Band(low=low, high=high, points=points, text_zh=f"{low} 起", text_en=f"from {low}")


def criterion(name: str, kind: CriterionKind, most: str, step: str = "0.5", bands: tuple[Band, ...] = ()) -> Criterion:
    return Criterion(
        id=name,
        kind=kind,
        max=most,
        step=step,
        title_zh=f"因素{name}",
        title_en=f"Criterion {name}",
        text_zh="按招标文件。",
        text_en="As the documents say.",
        bands=bands,
    )


CRITERIA = (
    criterion("price", CriterionKind.PRICE, "40", "0"),
    criterion(
        "warranty",
        CriterionKind.OBJECTIVE,
        "10",
        "0",
        (band("0", "2", "0"), band("2", "4", "5"), band("4", None, "10")),
    ),
    criterion("plan", CriterionKind.SUBJECTIVE, "50"),
)
PREFERENCE = Preference(small_micro="10", consortium="4")


def rules(**changes: Any) -> RankingRules:  # noqa: ANN401 - a builder takes any field
    fields: dict[str, Any] = {
        "lot": "1",
        "stage": "all",
        "currency": "CNY",
        "method": Method.COMPREHENSIVE_SCORING,
        "tie_rule": TieRule.PRICE_IDENTITY_LOTTERY,
        "ceiling": 100_000,
        "regime": Regime.GP,
        "edition": NATIONAL,
        "criteria": CRITERIA,
        "preference": PREFERENCE,
    }
    return RankingRules(**(fields | changes))


def bid(name: str, price: int) -> OpenedBid:
    identity = f"AGE-SECRET-KEY-1{hashlib.sha256(name.encode()).hexdigest().upper()}"
    return OpenedBid(bid=f"b-{name}", bidder=f"ORG{name}", currency="CNY", price=price, identity_price=identity)


def sheet(seat: str, points: Mapping[str, tuple[str, str]]) -> Sheet:
    """Return a sheet; ``points`` gives warranty and plan of each bid."""
    return Sheet(
        seat=seat,
        points={
            name: {"warranty": Fraction(first), "plan": Fraction(second)} for name, (first, second) in points.items()
        },
    )
