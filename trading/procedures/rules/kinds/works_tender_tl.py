"""Open tender of works under 招标投标法 (工程公开招标): B4.1 without prequalification.

Bids are ranked by the lowest price with quantified deviations (MET-05), or by comprehensive evaluation with a benchmark
price (MET-06) whose coefficients the documents fix or leave to a public draw. The candidates are on
display before the award (AWD-03).

The golden table that a lawyer signs is tests/vectors/kinds/works_tender_tl.md.
"""

from __future__ import annotations

from typing import Final

from trading.procedures.rules import guards
from trading.procedures.rules.kinds.sealed import Differences, steps_of
from trading.procedures.rules.lifecycle import ProcedureKind
from trading.procedures.rules.policies import (
    WORKS_TENDER_PERIODS,
    Category,
    Method,
    MinimumOfBids,
    PanelBody,
    SealedBidding,
    Selection,
)
from trading.rulebook.keys import Key, Regime

_DIFFERENCES: Final = Differences(
    methods=(Method.COMPREHENSIVE_EVALUATION_TL, Method.LOWEST_PRICE_EVALUATED_TL),  # 12号令 29
    categories=(Category.WORKS,),
    rule="MTD-01",
    publishing=("NOT-03",),
    bidding=(
        *("DOC-04", "TIM-07", "DOC-01", "OBJ-02", "DOC-09", "MTD-01", "DOC-15", "MET-05", "MET-06"),
        *("PRF-03", "PRF-04", "SUB-07"),
    ),
    evaluating=("OPN-15", "EVL-05", "EXP-01", "EXP-20", "MET-05", "MET-06"),
    ranked=(),
    determining=("AWD-03", "AWD-04"),
    determined=(guards.require_candidates_shown,),
    silent=False,
    concluding=("AWD-07", "NOT-08"),
    filed=False,
)

WORKS_TENDER_TL: Final = ProcedureKind(
    code="works_tender_tl",
    regime=Regime.TL,
    title_zh="工程公开招标（招标投标法）",
    title_en="Open tender of works (law of tenders)",
    rules=("MTD-01", "B4.1"),
    submission=SealedBidding(stages=("all",), parts=("main", "price")),
    competition=MinimumOfBids(minimum=Key.BIDDERS_MIN, recount=Key.RECOUNT_AFTER_DECRYPT),
    selection=Selection(methods=_DIFFERENCES.methods, categories=_DIFFERENCES.categories),
    panel=PanelBody.TENDER,
    periods=WORKS_TENDER_PERIODS,
    steps=steps_of(_DIFFERENCES),
)
