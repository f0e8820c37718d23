"""Open tender under 政府采购法 (公开招标): B4.1 without prequalification.

Bids are ranked by the lowest evaluated price (MET-01) or by scores (MET-02), as the documents say.

The golden table that a lawyer signs is tests/vectors/kinds/open_tender_gp.md.
"""

from __future__ import annotations

from typing import Final

from trading.procedures.rules import guards
from trading.procedures.rules.kinds.sealed import Differences, steps_of
from trading.procedures.rules.lifecycle import ProcedureKind
from trading.procedures.rules.policies import (
    OPEN_TENDER_PERIODS,
    Category,
    Method,
    MinimumOfBids,
    PanelBody,
    SealedBidding,
    Selection,
)
from trading.rulebook.keys import Key, Regime

_DIFFERENCES: Final = Differences(
    methods=(Method.LOWEST_EVALUATED_PRICE, Method.COMPREHENSIVE_SCORING),  # 87-53
    categories=(Category.GOODS, Category.SERVICES),
    rule="MTD-01",
    publishing=("NOT-04",),
    bidding=(
        *("DOC-04", "TIM-07", "DOC-02", "OBJ-09", "DOC-09", "MTD-01", "DOC-15", "MET-02"),
        *("PRF-01", "PRF-02", "PRF-06", "B10.3", "SUB-07"),
    ),
    evaluating=("OPN-15", "EVL-05", "EXP-03", "EXP-20", "MET-01", "MET-02"),
    ranked=(),
    determining=("AWD-09", "AWD-10"),
    determined=(guards.require_silence,),
    silent=True,
    concluding=("AWD-11", "NOT-09"),
    filed=True,
)

OPEN_TENDER_GP: Final = ProcedureKind(
    code="open_tender_gp",
    regime=Regime.GP,
    title_zh="公开招标（政府采购）",
    title_en="Open tender (government procurement)",
    rules=("MTD-01", "B4.1"),
    submission=SealedBidding(stages=("all",), parts=("main", "price")),
    competition=MinimumOfBids(minimum=Key.BIDDERS_MIN, recount=Key.RECOUNT_AFTER_DECRYPT),
    selection=Selection(methods=_DIFFERENCES.methods, categories=_DIFFERENCES.categories),
    panel=PanelBody.TENDER,
    periods=OPEN_TENDER_PERIODS,
    steps=steps_of(_DIFFERENCES),
)
