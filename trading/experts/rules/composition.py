"""Who must sit in an evaluation committee: size, parity, share of experts, chair, draw (EXP-01 to 06, 10, 11, 18).

Every number comes from the edition that governs the procedure. A refusal names the rule it breaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from trading.experts.rules.requirements import Basis, Trait, has_lead, requirement_of
from trading.experts.rules.strata import is_legal
from trading.kernel.calendar import WorkCalendar
from trading.kernel.errors import RuleBroken
from trading.rulebook.keys import Key
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
    """A committee as it stands; ``draw`` is None while no draw has begun.

    ``large`` (EXP-04), ``traits`` and ``remote`` (several sites) as the plan says.
    """

    draw: str | None
    members: tuple[Member, ...]
    state: CommitteeState
    large: bool = False
    traits: frozenset[Trait] = frozenset()
    remote: bool = False

    @property
    def sitting(self) -> tuple[Member, ...]:
        """Return the members who have not left."""
        return tuple(member for member in self.members if member.state in SITTING)

    @property
    def experts(self) -> tuple[Member, ...]:
        """Return the experts who have not left."""
        return tuple(member for member in self.sitting if member.kind == "expert")


@dataclass(frozen=True, slots=True)
class Numbers:
    """How many members, how many of them experts, and how many of these in law."""

    size: int
    experts: int
    legal: int


def require_lawful(committee: Committee, edition: Edition, basis: Basis) -> None:
    """Require that a committee may evaluate.

    Args:
        committee: With its members so far; whoever was recused or replaced does not count.
        edition: Of the procedure.
        basis: Regime, body and budget of the procedure with the traits of the plan.

    Raises:
        RuleBroken: ``committee.not_drawn`` (EXP-10), or as ``require_composition``.
    """
    if committee.draw is None or committee.state not in {"drawn", "seated"}:
        raise RuleBroken("committee.not_drawn", "EXP-10", state=committee.state)
    legal = sum(is_legal(member.stratum) for member in committee.experts)
    require_composition(Numbers(len(committee.sitting), len(committee.experts), legal), edition, basis)


def require_composition(numbers: Numbers, edition: Edition, basis: Basis) -> None:
    """Require a lawful size, parity and share of experts, of a plan or of a committee.

    Raises:
        RuleBroken: ``committee.too_small`` and ``committee.even`` with the rule of the size (EXP-01 under the law of
            tenders, EXP-02 for water works, EXP-03 in government procurement, EXP-04 for a large budget or a complex
            procedure, EXP-05 for groups); ``committee.experts_too_few`` (EXP-01, EXP-03, EXP-05);
            ``committee.no_legal_expert`` (EXP-05).
    """
    required, regime, size = requirement_of(basis, edition), basis.regime, numbers.size
    if not edition.allows(required.minimum, regime, size):
        least = edition.count(required.minimum, regime)
        raise RuleBroken("committee.too_small", required.size_rule, size=size, minimum=least)
    if edition.flag(Key.COMMITTEE_ODD, regime) and size % 2 == 0:
        raise RuleBroken("committee.even", required.size_rule, size=size)
    if not edition.allows(Key.COMMITTEE_EXPERT_SHARE, regime, Fraction(numbers.experts, size)):
        share = edition.fraction(Key.COMMITTEE_EXPERT_SHARE, regime)
        needed = -(-size * share.numerator // share.denominator)
        facts = {"experts": numbers.experts, "size": size, "needed": needed}
        raise RuleBroken("committee.experts_too_few", required.share_rule, **facts)
    if numbers.legal < required.legal:
        raise RuleBroken("committee.no_legal_expert", "EXP-05", legal=numbers.legal, needed=required.legal)


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


def require_draw_time(at: int, evaluation_at: int, edition: Edition, basis: Basis, calendar: WorkCalendar) -> None:
    """Refuse a draw that begins earlier than the law lets it, or after the evaluation was to begin (EXP-11).

    Both instants in ms. The lead is counted in whole working days: a draw on the second working day before the day of
    the evaluation is lawful. Negotiation, consultation and several sites have no lead, nor has the law of tenders.

    Raises:
        RuleBroken: ``committee.draw_early`` or ``committee.draw_late`` (EXP-11), ``calendar.missing`` (TIM-07).
    """
    if at >= evaluation_at:
        raise RuleBroken("committee.draw_late", "EXP-11", evaluation_at=evaluation_at)
    if not has_lead(basis):
        return
    lead = edition.days(Key.DRAW_EARLIEST, basis.regime)
    if calendar.last_day(calendar.date_of(at), lead) < calendar.date_of(evaluation_at):
        raise RuleBroken("committee.draw_early", "EXP-11", evaluation_at=evaluation_at, lead_days=lead.count)
