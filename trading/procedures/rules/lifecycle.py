"""Phases, acts and ``advance``: the only function that moves a phase.

A kind of procedure is a table of steps. An act that the table does not have in the present phase is refused (B4.1); one
that it has is open to the roles named there and only if every guard of the step lets it pass. Windows such as "bidding
open" are computed from instants and never stored (architecture: Rules as data).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from trading.kernel.calendar import WorkCalendar
from trading.kernel.errors import NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures.rules.policies import MinimumOfBids, PanelBody, Periods, SealedBidding, Selection
from trading.procedures.rules.spec import LotSpec
from trading.rulebook.keys import Regime
from trading.rulebook.model import Edition


class ProcedurePhase(StrEnum):
    """Where a whole procedure stands."""

    DRAFT = "draft"
    REVIEW = "review"
    PUBLISHED = "published"
    CANCELLED = "cancelled"


class LotPhase(StrEnum):
    """Where one lot and stage stands. ``OPEN`` takes bids; ``CLOSED`` is the latch that ``act_begin`` reads."""

    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"
    OPENING = "opening"
    OPENED = "opened"
    EVALUATED = "evaluated"
    DETERMINED = "determined"
    CONCLUDED = "concluded"  # result published; the contract is due
    CONTRACTED = "contracted"
    CONTRACT_PUBLISHED = "contract_published"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether the competition for the lot is over; a cancellation of the procedure leaves such a lot alone."""
        return self in _FINISHED


_FINISHED: Final = frozenset(
    {
        LotPhase.CONCLUDED,
        LotPhase.CONTRACTED,
        LotPhase.CONTRACT_PUBLISHED,
        LotPhase.FAILED,
        LotPhase.CANCELLED,
    }
)

# Members of the two enums may carry equal strings ("draft"), so phases are always compared with ``is``.
Phase: TypeAlias = ProcedurePhase | LotPhase


class Act(StrEnum):
    """What somebody does to a procedure or a lot."""

    SUBMIT = "submit"
    RETURN = "return"
    PUBLISH = "publish"
    CANCEL = "cancel"
    OPEN = "open"
    EXTEND = "extend"
    AMEND = "amend"
    CLOSE = "close"
    FAIL = "fail"
    ORDER_OPENING = "order_opening"
    COMPLETE_OPENING = "complete_opening"
    EVALUATE = "evaluate"
    DETERMINE = "determine"
    CONCLUDE = "conclude"
    ANNOUNCE_FAILURE = "announce_failure"
    SIGN_CONTRACT = "sign_contract"
    PUBLISH_CONTRACT = "publish_contract"
    FILE_CONTRACT = "file_contract"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the guards look at, loaded by the use case. A fact that a guard of the act needs and is None is a bug.

    Attributes:
        at: Instant of the act, ms, from the one platform clock.
        edition: The edition stored with the procedure; before publication the one in force at ``at``.
        periods: Where the kind's times before the deadline stand in the edition.
        drafted_by: Account that drafted what is acted on.
        close_at: Deadline in force (ms); for ``open`` the deadline to be published.
        new_close_at: Deadline after the change, for ``extend`` and ``amend``.
        supply_ends_at: End of the supply of the documents (ms); None means until the deadline.
        questions_until: Instant until which questions are taken (ms); None means until the deadline.
        affects_bids: Whether the change may affect the preparation of bids (NOT-05).
        ceiling: Price ceiling in minor units; None is none.
        policy_fixed: Whether the opening policy of the lot is fixed (SB1 S3.3).
        bids: Valid bids at the close.
        undecided_bids: Bids of the open order without a recorded verdict.
        effective_bids: Bids that opened with verdict OK.
        conforming_bids: Effective bids that examination found valid.
        report_signed: Whether every member of the committee has signed the report of the evaluation.
        terms: What the documents say about the lot: method, criteria, deductions.
        ranked_at: When the bids were ranked (ms).
        first_ranked: Bid that the ranking puts first.
        chosen: Bid to which the award goes.
        concluded_at: When the result was published, and the award letter with it (ms).
        awarded: Supplier and price (minor units) of the award.
        contracted: Supplier and price that the contract names.
        reason: Ground of a return or cancellation, in words.
    """

    at: int
    edition: Edition
    regime: Regime
    calendar: WorkCalendar
    periods: Periods
    drafted_by: str | None = None
    close_at: int | None = None
    new_close_at: int | None = None
    supply_ends_at: int | None = None
    questions_until: int | None = None
    affects_bids: bool | None = None
    ceiling: int | None = None
    policy_fixed: bool | None = None
    bids: int | None = None
    undecided_bids: int | None = None
    effective_bids: int | None = None
    conforming_bids: int | None = None
    report_signed: bool | None = None
    terms: LotSpec | None = None
    ranked_at: int | None = None
    first_ranked: str | None = None
    chosen: str | None = None
    concluded_at: int | None = None
    awarded: tuple[str, int] | None = None
    contracted: tuple[str, int] | None = None
    reason: str | None = None


Guard: TypeAlias = Callable[[Facts, Actor], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a kind's table.

    ``lots`` is the act that every unfinished lot takes in the same transaction, if the step moves the whole procedure;
    ``rules`` are the rule ids that the step carries out, those of its guards included.
    """

    act: Act
    source: Phase
    target: Phase
    by: frozenset[Role]
    guards: tuple[Guard, ...] = ()
    rules: tuple[str, ...]
    lots: Act | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureKind:
    """One way of buying: its table of steps and the policies whose behaviour differs between kinds."""

    code: str
    regime: Regime
    title_zh: str
    title_en: str
    rules: tuple[str, ...]
    submission: SealedBidding
    competition: MinimumOfBids
    selection: Selection
    panel: PanelBody
    periods: Periods
    steps: tuple[Step, ...]

    def step(self, phase: Phase, act: Act) -> Step | None:
        """Return the step for ``act`` in ``phase``, or None if the table has none."""
        return next((step for step in self.steps if step.source is phase and step.act is act), None)

    def acts(self, phase: Phase) -> tuple[Act, ...]:
        """Return the acts that the table has in ``phase``, in its order; guards and roles are not asked."""
        return tuple(step.act for step in self.steps if step.source is phase)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A lawful move: to be recorded first and stored then."""

    act: Act
    source: Phase
    target: Phase
    rules: tuple[str, ...]
    lots: Act | None


def advance(kind: ProcedureKind, phase: Phase, act: Act, actor: Actor, facts: Facts) -> Transition:
    """Decide whether ``actor`` may do ``act`` in ``phase``, and where it leads.

    Raises:
        RuleBroken: ``act.wrong_phase`` (B4.1), or the code and rule id of the first guard that refuses.
        NotPermitted: The step exists but is not for any role of the actor.
        ValueError: A fact that a guard needs is missing. A bug.
    """
    step = kind.step(phase, act)
    if step is None:
        raise RuleBroken("act.wrong_phase", "B4.1", act=act.value, phase=phase.value)
    if not actor.roles & step.by:
        raise NotPermitted(f"{act} is for {', '.join(sorted(step.by))}")
    for guard in step.guards:
        guard(facts, actor)
    return Transition(act=act, source=phase, target=step.target, rules=step.rules, lots=step.lots)
