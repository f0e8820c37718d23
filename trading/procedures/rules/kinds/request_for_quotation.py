"""Request for quotation under 政府采购法 (询价): B4.4, for goods of uniform specification that are in stock.

Every supplier quotes once, sealed, and nothing is negotiated (74-46): the quotation is the final quote, and the lowest
of those that meet the requirements comes first (MET-04).

The golden table that a lawyer signs is tests/vectors/kinds/request_for_quotation.md.
"""

from __future__ import annotations

from typing import Final

from trading.procedures.rules import guards
from trading.procedures.rules.kinds.sealed import Differences, steps_of
from trading.procedures.rules.lifecycle import ProcedureKind
from trading.procedures.rules.policies import (
    RFQ_PERIODS,
    Category,
    Method,
    MinimumOfBids,
    PanelBody,
    SealedBidding,
    Selection,
)
from trading.rulebook.keys import Key, Regime

_DIFFERENCES: Final = Differences(
    methods=(Method.LOWEST_FINAL_QUOTE,),  # 74-48
    categories=(Category.GOODS,),  # 政府采购法 32
    rule="MTD-06",
    publishing=("NOT-25",),
    bidding=(
        *("DOC-22", "TIM-07", "NOT-25", "OBJ-09", "DOC-09", "MTD-06", "MET-04"),
        *("PRF-01", "PRF-02", "PRF-06", "B10.3", "SUB-07"),
    ),
    evaluating=("OPN-15", "EVL-05", "EXP-05", "EXP-20", "MET-04", "AWD-02"),
    ranked=(),
    determining=("AWD-09", "AWD-10"),
    determined=(guards.require_silence,),
    silent=True,
    concluding=("AWD-11", "NOT-09"),
    filed=True,
)

REQUEST_FOR_QUOTATION: Final = ProcedureKind(
    code="request_for_quotation",
    regime=Regime.GP,
    title_zh="询价（政府采购）",
    title_en="Request for quotation (government procurement)",
    rules=("MTD-06", "B4.4"),
    submission=SealedBidding(stages=("all",), parts=("main", "price")),
    competition=MinimumOfBids(minimum=Key.BIDDERS_MIN, recount=Key.RECOUNT_AFTER_DECRYPT),
    selection=Selection(methods=_DIFFERENCES.methods, categories=_DIFFERENCES.categories),
    panel=PanelBody.INQUIRY,
    periods=RFQ_PERIODS,
    steps=steps_of(_DIFFERENCES),
)
