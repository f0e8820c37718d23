"""Committees by the book: each refusal names its rule, and the numbers are those of the edition."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from trading.experts.rules.composition import (
    Committee,
    Member,
    MemberKind,
    MemberState,
    Numbers,
    require_chair,
    require_composition,
    require_draw_time,
    require_lawful,
    require_present,
)
from trading.experts.rules.exclusions import Grounds, reason_of, reasons
from trading.experts.rules.pool import Entrant
from trading.experts.rules.requirements import Basis
from trading.kernel.calendar import CHINA, CalendarDay, WorkCalendar
from trading.kernel.errors import RuleBroken
from trading.procedures.rules.policies import PanelBody
from trading.rulebook.keys import Regime
from trading.rulebook.loader import NATIONAL, builtin

EDITION = builtin().newest(NATIONAL)
TEN_MILLION = 10_000_000 * 100
HOUR = 3_600_000


def member(number: int, kind: MemberKind, state: MemberState = "present") -> Member:
    return Member(seat=f"m-{number}", kind=kind, stratum=None if kind == "representative" else "S", state=state)


def committee(experts: int, representatives: int = 0, **fields: Any) -> Committee:  # noqa: ANN401 - of the value
    members = [member(n, "expert") for n in range(experts)]
    members += [member(experts + n, "representative") for n in range(representatives)]
    values: dict[str, Any] = {"draw": "D-1", "members": tuple(members), "state": "seated"}
    return Committee(**(values | fields))


def basis(budget: int | None = None, *, large: bool = False) -> Basis:
    return Basis(regime=Regime.GP, body=PanelBody.TENDER, budget=budget, large=large)


def refusal(found: Committee, budget: int | None = None) -> tuple[str, str | None]:
    with pytest.raises(RuleBroken) as error:
        require_lawful(found, EDITION, basis(budget, large=found.large))
    return error.value.code, error.value.rule_id


@pytest.mark.parametrize(
    ("experts", "representatives", "budget", "large"),
    [(5, 0, None, False), (4, 1, TEN_MILLION - 1, False), (5, 2, TEN_MILLION, False), (6, 1, None, True)],
)
def test_lawful(experts: int, representatives: int, budget: int | None, large: bool) -> None:  # noqa: FBT001
    require_lawful(committee(experts, representatives, large=large), EDITION, basis(budget, large=large))


def test_the_size_has_its_rule() -> None:
    assert refusal(committee(4)) == ("committee.too_small", "EXP-03")
    assert refusal(committee(5), TEN_MILLION) == ("committee.too_small", "EXP-04")
    assert refusal(committee(5, large=True)) == ("committee.too_small", "EXP-04")
    assert refusal(committee(6)) == ("committee.even", "EXP-03")
    assert refusal(committee(8), TEN_MILLION) == ("committee.even", "EXP-04")


def test_two_thirds_are_experts() -> None:
    assert refusal(committee(3, 2)) == ("committee.experts_too_few", "EXP-03")  # 60 per cent
    require_lawful(committee(6, 3), EDITION, basis())  # exactly two thirds
    assert refusal(committee(4, 3)) == ("committee.experts_too_few", "EXP-03")


def test_only_a_drawn_committee_evaluates() -> None:
    assert refusal(committee(5, draw=None)) == ("committee.not_drawn", "EXP-10")
    assert refusal(committee(5, state="drawing")) == ("committee.not_drawn", "EXP-10")
    require_lawful(committee(5, state="drawn"), EDITION, basis())


@pytest.mark.parametrize("state", ["recused", "replaced"])
def test_who_has_left_does_not_count(state: MemberState) -> None:
    found = committee(5)
    members = (*found.members[:4], member(4, "expert", state))
    assert refusal(committee(0, members=members)) == ("committee.too_small", "EXP-03")
    require_lawful(committee(0, members=(*members, member(9, "expert"))), EDITION, basis())


def test_a_representative_does_not_chair() -> None:
    found = committee(4, 1)
    require_chair(found, "m-0")
    for seat in ("m-4", "m-99"):
        with pytest.raises(RuleBroken) as error:
            require_chair(found, seat)
        assert (error.value.code, error.value.rule_id) == ("committee.chair", "EXP-06")


def test_everybody_is_present() -> None:
    require_present(committee(5))
    missing = (*committee(4).members, member(4, "expert", "expected"))
    with pytest.raises(RuleBroken) as error:
        require_present(committee(0, members=missing))
    assert (error.value.code, error.value.rule_id) == ("committee.absent", "EXP-18")


def test_a_plan_is_held_against_the_same_numbers() -> None:
    require_composition(Numbers(5, 4, 0), EDITION, basis())
    with pytest.raises(RuleBroken, match=r"committee\.experts_too_few"):
        require_composition(Numbers(5, 3, 0), EDITION, basis())


def calendar() -> WorkCalendar:
    first = date(2026, 3, 1)
    days = [first + timedelta(days=n) for n in range(40)]
    return WorkCalendar.from_rows(
        CalendarDay(day=day, is_workday=day.weekday() < 5, name="", source="test") for day in days
    )


def test_the_earliest_draw_counts_working_days() -> None:
    """EXP-11: for an evaluation on Tuesday 10 March the draw may begin on Friday 6 March, not on Thursday."""
    days = calendar()
    evaluation = days.start_of(date(2026, 3, 10)) + 9 * HOUR
    friday, thursday = days.start_of(date(2026, 3, 6)), days.start_of(date(2026, 3, 6)) - 1
    assert days.zone is CHINA
    require_draw_time(friday, evaluation, EDITION, basis(), days)
    require_draw_time(evaluation - 1, evaluation, EDITION, basis(), days)
    with pytest.raises(RuleBroken) as early:
        require_draw_time(thursday, evaluation, EDITION, basis(), days)
    assert (early.value.code, early.value.rule_id) == ("committee.draw_early", "EXP-11")
    with pytest.raises(RuleBroken, match=r"committee\.draw_late"):
        require_draw_time(evaluation, evaluation, EDITION, basis(), days)


GROUNDS = Grounds(
    buyer="BUYER",
    agency="AGENCY",
    supervisor="SUPER",
    bidders=frozenset({"FIRM"}),
    suspended=frozenset({"E2"}),
    worked=frozenset({"E3"}),
    conflicts=frozenset({"E4"}),
    seated=frozenset({"E5"}),
    seated_units=frozenset({"SEATED"}),
)


@pytest.mark.parametrize(
    ("expert", "unit", "reason"),
    [
        ("E1", "OTHER", ""),
        ("E1", "", ""),
        ("E1", "BUYER", "buyer_staff"),
        ("E1", "AGENCY", "agency_staff"),
        ("E1", "SUPER", "supervisor_staff"),
        ("E1", "FIRM", "employer"),
        ("E2", "FIRM", "suspended"),
        ("E3", "OTHER", "worked_for_agency"),
        ("E4", "OTHER", "conflict"),
        ("E5", "OTHER", "seated"),
        ("E1", "SEATED", "seated"),
    ],
)
def test_exclusions(expert: str, unit: str, reason: str) -> None:
    """EXP-06, EXP-15, EXP-16 as registered reasons; the first that applies is the one that is committed to."""
    assert reason_of(Entrant(id=expert, stratum="S", unit=unit), GROUNDS) == reason


def test_an_expert_without_employer_is_nobodys_staff() -> None:
    empty = Grounds(buyer="B", agency="A", supervisor="S")
    assert reasons([Entrant(id="E1", stratum="S", unit=""), Entrant(id="E2", stratum="S", unit="B")], empty) == {
        1: "buyer_staff"
    }
