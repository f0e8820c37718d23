"""The steps that procedures with sealed bids share, and where their kinds differ (B4.1, B4.3).

A kind is one frozen value; what it takes from here are rows of its own table, which a lawyer signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.kernel.roles import Role
from trading.procedures.rules import guards
from trading.procedures.rules.lifecycle import Act, Guard, LotPhase, ProcedurePhase, Step
from trading.procedures.rules.policies import Category, Method

_DRAFTER: Final = frozenset({Role.AGENCY})
_REVIEWER: Final = frozenset({Role.REVIEWER})
_AGENCY: Final = frozenset({Role.AGENCY, Role.REVIEWER})
_PLATFORM: Final = frozenset({Role.SYSTEM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Where the tables of kinds with sealed bids differ.

    Attributes:
        methods: Methods that the documents may choose from.
        categories: What may be bought.
        rule: The rule that admits the kind (MTD-…).
        publishing: Rules of the notice.
        bidding: Rules of the publication of a lot.
        evaluating: Rules of the ranking.
        ranked: Guards of the ranking that come before the report of the committee.
        determining: Rules of the award.
        determined: Guards of the award that come before the order of the ranking.
        silent: Whether the platform awards for a buyer that stays silent.
        concluding: Rules of the result notice.
        filed: Whether the contract is published and filed with the finance department.
    """

    methods: tuple[Method, ...]
    categories: tuple[Category, ...]
    rule: str
    publishing: tuple[str, ...]
    bidding: tuple[str, ...]
    evaluating: tuple[str, ...]
    ranked: tuple[Guard, ...]
    determining: tuple[str, ...]
    determined: tuple[Guard, ...]
    silent: bool
    concluding: tuple[str, ...]
    filed: bool


def steps_of(kind: Differences) -> tuple[Step, ...]:
    """Return the whole table of a kind."""
    return (
        *_procedure(kind),
        _open(kind),
        *_BIDDING,
        *_OPENING,
        _FAILURE,
        _evaluate(kind),
        *_award(kind),
        *_contract(kind),
        *_CANCELLATION,
    )


def _procedure(kind: Differences) -> tuple[Step, ...]:
    return (
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
            rules=("MB-01", *kind.publishing),
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


def _open(kind: Differences) -> Step:
    return Step(
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
            guards.method_of_kind(kind.methods, kind.categories, kind.rule),
            guards.require_lawful_criteria,
            guards.require_lawful_formula,
            guards.require_lawful_preference,
            guards.require_lawful_shares,
            guards.require_opening_policy,
        ),
        rules=kind.bidding,
    )


_BIDDING: Final = (
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

_FAILURE: Final = Step(
    act=Act.FAIL,
    source=LotPhase.OPENED,
    target=LotPhase.FAILED,
    by=_AGENCY | _PLATFORM,
    guards=(guards.require_too_few_valid,),
    rules=("OPN-15", "EVL-05", "NOT-10"),
)


def _evaluate(kind: Differences) -> Step:
    return Step(
        act=Act.EVALUATE,
        source=LotPhase.OPENED,
        target=LotPhase.EVALUATED,
        by=_AGENCY | _PLATFORM,
        guards=(guards.require_enough_valid, *kind.ranked, guards.require_committee_report),
        rules=kind.evaluating,
    )


def _award(kind: Differences) -> tuple[Step, ...]:
    return (
        Step(
            act=Act.DETERMINE,
            source=LotPhase.EVALUATED,
            target=LotPhase.DETERMINED,
            by=_AGENCY | _PLATFORM if kind.silent else _AGENCY,
            guards=(*kind.determined, guards.require_ranking_order),
            rules=kind.determining,
        ),
        Step(
            act=Act.CONCLUDE,
            source=LotPhase.DETERMINED,
            target=LotPhase.CONCLUDED,
            by=_REVIEWER,
            guards=(guards.require_second_person,),
            rules=("MB-01", *kind.concluding),
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


def _contract(kind: Differences) -> tuple[Step, ...]:
    """Filing with the finance department and publication run side by side, both from the signing."""
    signing = Step(
        act=Act.SIGN_CONTRACT,
        source=LotPhase.CONCLUDED,
        target=LotPhase.CONTRACTED,
        by=_AGENCY | {Role.BIDDER},
        guards=(guards.require_contract_of_award, guards.require_contract_in_time),
        rules=("CON-01", "CON-09"),
    )
    if not kind.filed:
        return (signing,)
    publishing = Step(
        act=Act.PUBLISH_CONTRACT,
        source=LotPhase.CONTRACTED,
        target=LotPhase.CONTRACT_PUBLISHED,
        by=_REVIEWER,
        guards=(guards.require_second_person,),
        rules=("MB-01", "CON-02", "NOT-12"),
    )
    filing = tuple(
        Step(act=Act.FILE_CONTRACT, source=phase, target=phase, by=_AGENCY, rules=("CON-03",))
        for phase in (LotPhase.CONTRACTED, LotPhase.CONTRACT_PUBLISHED)
    )
    return (signing, publishing, *filing)


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
