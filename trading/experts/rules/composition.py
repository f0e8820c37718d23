"""Who must sit in an evaluation committee: size, parity, share of experts, chair, draw (EXP-03, 04, 06, 10, 11, 18).

Every number comes from the edition that governs the procedure. A refusal names the rule it breaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from trading.kernel.calendar import WorkCalendar
from trading.kernel.errors import RuleBroken
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

MemberKind = Literal["expert", "representative"]
MemberState = Literal["expected", "present", "recused", "replaced"]
CommitteeState = Literal["planned", "drawing", "drawn", "seated"]
SITTING: Final = frozenset({"expected", "present"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One seat. ``seat`` (``m-…``, random) is the only name of a member in records before the result.

    ``declared`` is whether its expert has declared to have no interest in any bidder.
    """

    seat: str
    kind: MemberKind
    stratum: str | None
    state: MemberState
    declared: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Committee:
    """A committee as it stands; ``draw`` is None while no draw has begun. ``large`` as the plan says (EXP-04)."""

    draw: str | None
    members: tuple[Member, ...]
    state: CommitteeState
    large: bool = False

    @property
    def sitting(self) -> tuple[Member, ...]:
        """Return the members who have not left."""
        return tuple(member for member in self.members if member.state in SITTING)

    @property
    def experts(self) -> tuple[Member, ...]:
        """Return the experts who have not left."""
        return tuple(member for member in self.sitting if member.kind == "expert")


def require_lawful(committee: Committee, edition: Edition, regime: Regime, budget: int | None) -> None:
    """Require that a committee may evaluate.

    Args:
        committee: With its members so far; whoever was recused or replaced does not count.
        edition: Of the procedure.
        regime: Of the procedure.
        budget: Of the whole procedure in minor units; None if no lot has a ceiling.

    Raises:
        RuleBroken: ``committee.not_drawn`` (EXP-10), ``committee.too_small`` (EXP-04 for a large budget or a complex
            procedure, else EXP-03), ``committee.even`` or ``committee.experts_too_few`` (EXP-03).
    """
    if committee.draw is None or committee.state not in {"drawn", "seated"}:
        raise RuleBroken("committee.not_drawn", "EXP-10", state=committee.state)
    sitting = committee.sitting
    require_numbers(len(sitting), len(committee.experts), edition, regime, budget, large=committee.large)


def require_numbers(
    size: int, experts: int, edition: Edition, regime: Regime, budget: int | None, *, large: bool
) -> None:
    """Require a lawful size, parity and share of experts, of a plan or of a committee.

    Raises:
        RuleBroken: As ``require_lawful``, the draw apart.
    """
    key, rule = Key.COMMITTEE_MIN, "EXP-03"
    if large or is_large(edition, regime, budget):
        key, rule = Key.COMMITTEE_MIN_LARGE, "EXP-04"
    if not edition.allows(key, regime, size):
        raise RuleBroken("committee.too_small", rule, size=size, minimum=edition.count(key, regime))
    if edition.flag(Key.COMMITTEE_ODD, regime) and size % 2 == 0:
        raise RuleBroken("committee.even", rule, size=size)
    if not edition.allows(Key.COMMITTEE_EXPERT_SHARE, regime, Fraction(experts, size)):
        share = edition.fraction(Key.COMMITTEE_EXPERT_SHARE, regime)
        needed = -(-size * share.numerator // share.denominator)
        raise RuleBroken("committee.experts_too_few", "EXP-03", experts=experts, size=size, needed=needed)


def is_large(edition: Edition, regime: Regime, budget: int | None) -> bool:
    """Say whether the budget (minor units) asks for the larger committee (EXP-04)."""
    return budget is not None and budget >= edition.money(Key.COMMITTEE_LARGE_BUDGET, regime).minor


def require_chair(committee: Committee, seat: str) -> None:
    """Refuse a representative of the buyer as chair.

    Raises:
        RuleBroken: ``committee.chair`` (EXP-06): no expert who sits has this seat.
    """
    if seat not in {member.seat for member in committee.experts}:
        raise RuleBroken("committee.chair", "EXP-06", seat=seat)


def require_present(committee: Committee) -> None:
    """Require that nobody is missing when the sitting starts.

    Raises:
        RuleBroken: ``committee.absent`` (EXP-18).
    """
    missing = [member.seat for member in committee.sitting if member.state != "present"]
    if missing:
        raise RuleBroken("committee.absent", "EXP-18", missing=len(missing))


def require_declared(committee: Committee) -> None:
    """Require that every expert who sits has declared his interests; who has one does not sit (EXP-15, EXP-16).

    Raises:
        RuleBroken: ``committee.undeclared`` (EXP-16).
    """
    missing = [member.seat for member in committee.experts if not member.declared]
    if missing:
        raise RuleBroken("committee.undeclared", "EXP-16", missing=len(missing))


def require_draw_time(at: int, evaluation_at: int, edition: Edition, regime: Regime, calendar: WorkCalendar) -> None:
    """Refuse a draw that begins earlier than the law lets it, or after the evaluation was to begin (EXP-11).

    Both instants in ms. The lead is counted in whole working days: a draw on the second working day before the day of
    the evaluation is lawful.

    Raises:
        RuleBroken: ``committee.draw_early`` or ``committee.draw_late`` (EXP-11), ``calendar.missing`` (TIM-07).
    """
    if at >= evaluation_at:
        raise RuleBroken("committee.draw_late", "EXP-11", evaluation_at=evaluation_at)
    lead = edition.days(Key.DRAW_EARLIEST, regime)
    if calendar.last_day(calendar.date_of(at), lead) < calendar.date_of(evaluation_at):
        raise RuleBroken("committee.draw_early", "EXP-11", evaluation_at=evaluation_at, lead_days=lead.count)
