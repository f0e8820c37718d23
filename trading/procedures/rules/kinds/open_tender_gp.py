"""Open tender under 政府采购法 (公开招标): B4.1 without prequalification, evaluated by the lowest price (MET-01).

The golden table that a lawyer signs is tests/vectors/kinds/open_tender_gp.md.
"""

from __future__ import annotations

from typing import Final

from trading.kernel.roles import Role
from trading.procedures.rules import guards
from trading.procedures.rules.lifecycle import Act, LotPhase, ProcedureKind, ProcedurePhase, Step
from trading.procedures.rules.policies import LowestEvaluatedPrice, MinimumOfBids, SealedBidding
from trading.rulebook.keys import Key, Regime

_DRAFTER: Final = frozenset({Role.AGENCY})
_REVIEWER: Final = frozenset({Role.REVIEWER})
_AGENCY: Final = frozenset({Role.AGENCY, Role.REVIEWER})
_PLATFORM: Final = frozenset({Role.SYSTEM})

_PROCEDURE: Final = (
    Step(
        act=Act.SUBMIT,
        source=ProcedurePhase.DRAFT,
        target=ProcedurePhase.REVIEW,
        by=_DRAFTER,
        rules=("B4.1", "B4.11"),
    ),
    Step(
        act=Act.RETURN,
        source=ProcedurePhase.REVIEW,
        target=ProcedurePhase.DRAFT,
        by=_REVIEWER,
        guards=(guards.require_second_person, guards.require_return_reason),
        rules=("MB-01", "B4.11"),
    ),
    Step(
        act=Act.PUBLISH,
        source=ProcedurePhase.REVIEW,
        target=ProcedurePhase.PUBLISHED,
        by=_REVIEWER,
        guards=(guards.require_second_person,),
        rules=("MB-01", "NOT-04"),
        lots=Act.OPEN,
    ),
    Step(
        act=Act.CANCEL,
        source=ProcedurePhase.PUBLISHED,
        target=ProcedurePhase.CANCELLED,
        by=_REVIEWER,
        guards=(guards.require_second_person, guards.require_cancellation_ground),
        rules=("MB-01", "EVL-08", "NOT-10"),
        lots=Act.CANCEL,
    ),
)

_BIDDING: Final = (
    Step(
        act=Act.OPEN,
        source=LotPhase.DRAFT,
        target=LotPhase.OPEN,
        by=_REVIEWER,
        guards=(
            guards.require_lawful_deadline,
            guards.require_document_supply,
            guards.require_ceiling,
            guards.require_opening_policy,
        ),
        rules=("DOC-04", "DOC-02", "DOC-09", "SUB-07"),
    ),
    Step(
        act=Act.EXTEND,
        source=LotPhase.OPEN,
        target=LotPhase.OPEN,
        by=_REVIEWER | _PLATFORM,
        guards=(
            guards.require_second_person,
            guards.require_extension_later,
            guards.require_extension_margin,
            guards.require_clarification_lead,
        ),
        rules=("MB-01", "MB-02", "NOT-05"),
    ),
    Step(
        act=Act.AMEND,
        source=LotPhase.OPEN,
        target=LotPhase.OPEN,
        by=_REVIEWER,
        guards=(
            guards.require_second_person,
            guards.require_deadline_kept,
            guards.require_extension_margin,
            guards.require_clarification_lead,
        ),
        rules=("MB-01", "MB-02", "NOT-05", "DOC-18"),
    ),
    Step(
        act=Act.CLOSE,
        source=LotPhase.OPEN,
        target=LotPhase.CLOSED,
        by=_PLATFORM,
        guards=(guards.require_deadline_passed,),
        rules=("OPN-01", "TIM-09"),
    ),
)

_OPENING: Final = (
    Step(
        act=Act.FAIL,
        source=LotPhase.CLOSED,
        target=LotPhase.FAILED,
        by=_AGENCY | _PLATFORM,
        guards=(guards.require_too_few_bids,),
        rules=("OPN-02", "NOT-10"),
    ),
    Step(
        act=Act.ORDER_OPENING,
        source=LotPhase.CLOSED,
        target=LotPhase.OPENING,
        by=_AGENCY | {Role.SUPERVISOR},
        guards=(guards.require_opening_allowed,),
        rules=("OPN-02", "OPN-03"),
    ),
    Step(
        act=Act.COMPLETE_OPENING,
        source=LotPhase.OPENING,
        target=LotPhase.OPENED,
        by=_AGENCY | _PLATFORM | {Role.SUPERVISOR},
        guards=(guards.require_all_decided,),
        rules=("OPN-04", "OPN-13"),
    ),
)

_AWARD: Final = (
    Step(
        act=Act.FAIL,
        source=LotPhase.OPENED,
        target=LotPhase.FAILED,
        by=_AGENCY | _PLATFORM,
        guards=(guards.require_too_few_valid,),
        rules=("OPN-15", "EVL-05", "NOT-10"),
    ),
    Step(
        act=Act.EVALUATE,
        source=LotPhase.OPENED,
        target=LotPhase.EVALUATED,
        by=_AGENCY | _PLATFORM,
        guards=(guards.require_enough_valid,),
        rules=("OPN-15", "EVL-05", "MET-01"),
    ),
    Step(
        act=Act.DETERMINE,
        source=LotPhase.EVALUATED,
        target=LotPhase.DETERMINED,
        by=_AGENCY,
        guards=(guards.require_ranking_order,),
        rules=("AWD-09", "AWD-10"),
    ),
    Step(
        act=Act.CONCLUDE,
        source=LotPhase.DETERMINED,
        target=LotPhase.CONCLUDED,
        by=_REVIEWER,
        guards=(guards.require_second_person,),
        rules=("MB-01", "AWD-11", "NOT-09"),
    ),
)

# A cancelled procedure takes every unfinished lot along; a determined award is no longer cancelled this way.
_CANCELLATION: Final = tuple(
    Step(
        act=Act.CANCEL,
        source=phase,
        target=LotPhase.CANCELLED,
        by=_REVIEWER,
        guards=(guards.require_cancellation_ground,),
        rules=("EVL-08",),
    )
    for phase in (LotPhase.OPEN, LotPhase.CLOSED, LotPhase.OPENING, LotPhase.OPENED, LotPhase.EVALUATED)
)

OPEN_TENDER_GP: Final = ProcedureKind(
    code="open_tender_gp",
    regime=Regime.GP,
    title_zh="公开招标（政府采购）",
    title_en="Open tender (government procurement)",
    rules=("MTD-01", "B4.1"),
    submission=SealedBidding(stages=("all",), parts=("main", "price")),
    competition=MinimumOfBids(minimum=Key.BIDDERS_MIN, recount=Key.RECOUNT_AFTER_DECRYPT),
    selection=LowestEvaluatedPrice(),
    steps=_PROCEDURE + _BIDDING + _OPENING + _AWARD + _CANCELLATION,
)
