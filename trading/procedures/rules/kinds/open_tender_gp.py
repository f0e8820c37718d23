"""Open tender under 政府采购法 (公开招标): B4.1 without prequalification.

Bids are ranked by the lowest evaluated price (MET-01) or by scores (MET-02), as the documents say.

The golden table that a lawyer signs is tests/vectors/kinds/open_tender_gp.md.
"""

from __future__ import annotations

from typing import Final

from trading.kernel.roles import Role
from trading.procedures.rules import guards
from trading.procedures.rules.criteria import Category
from trading.procedures.rules.lifecycle import Act, LotPhase, ProcedureKind, ProcedurePhase, Step
from trading.procedures.rules.policies import Method, MinimumOfBids, PanelBody, SealedBidding, Selection
from trading.rulebook.keys import Key, Regime

_METHODS: Final = (Method.LOWEST_EVALUATED_PRICE, Method.COMPREHENSIVE_SCORING)  # 87-53
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
            guards.require_known_calendar,
            guards.require_document_supply,
            guards.require_questions_cutoff,
            guards.require_ceiling,
            guards.method_of_kind(_METHODS, (Category.GOODS, Category.SERVICES), "MTD-01"),
            guards.require_lawful_criteria,
            guards.require_lawful_formula,
            guards.require_lawful_preference,
            guards.require_lawful_shares,
            guards.require_opening_policy,
        ),
        rules=(
            *("DOC-04", "TIM-07", "DOC-02", "OBJ-09", "DOC-09", "MTD-01", "DOC-15", "MET-02"),
            *("PRF-01", "PRF-02", "PRF-06", "B10.3", "SUB-07"),
        ),
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
        guards=(guards.require_enough_valid, guards.require_committee_report),
        rules=("OPN-15", "EVL-05", "EXP-03", "EXP-20", "MET-01", "MET-02"),
    ),
    Step(
        act=Act.DETERMINE,
        source=LotPhase.EVALUATED,
        target=LotPhase.DETERMINED,
        by=_AGENCY | _PLATFORM,
        guards=(guards.require_silence, guards.require_ranking_order),
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
    Step(
        act=Act.ANNOUNCE_FAILURE,
        source=LotPhase.FAILED,
        target=LotPhase.FAILED,
        by=_REVIEWER,
        guards=(guards.require_second_person,),
        rules=("MB-01", "NOT-10"),
    ),
)

# Filing with the finance department and publication run side by side, both from the signing.
_CONTRACT: Final = (
    Step(
        act=Act.SIGN_CONTRACT,
        source=LotPhase.CONCLUDED,
        target=LotPhase.CONTRACTED,
        by=_AGENCY | {Role.BIDDER},
        guards=(guards.require_contract_of_award, guards.require_contract_in_time),
        rules=("CON-01", "CON-09"),
    ),
    Step(
        act=Act.PUBLISH_CONTRACT,
        source=LotPhase.CONTRACTED,
        target=LotPhase.CONTRACT_PUBLISHED,
        by=_REVIEWER,
        guards=(guards.require_second_person,),
        rules=("MB-01", "CON-02", "NOT-12"),
    ),
    *(
        Step(act=Act.FILE_CONTRACT, source=phase, target=phase, by=_AGENCY, rules=("CON-03",))
        for phase in (LotPhase.CONTRACTED, LotPhase.CONTRACT_PUBLISHED)
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
    selection=Selection(methods=_METHODS),
    panel=PanelBody.TENDER,
    steps=_PROCEDURE + _BIDDING + _OPENING + _AWARD + _CONTRACT + _CANCELLATION,
)
