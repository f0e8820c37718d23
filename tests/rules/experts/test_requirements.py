"""Every rule of composition with the cases on both sides of its boundary (EXP-01 to EXP-06, EXP-10, EXP-11).

One table serves two tests: the rule that the evaluation asks before it starts, and the plan of such a committee. The
control asks each unlawful committee again under a weaker law, which lets it pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import pytest

from tests.rules.experts.test_composition import calendar
from trading.experts.rules.composition import (
    Committee,
    Member,
    Numbers,
    require_composition,
    require_draw_time,
    require_lawful,
)
from trading.experts.rules.plan import parse_plan, write_plan
from trading.experts.rules.requirements import Basis, Trait, has_lead, requirement_of
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.procedures.rules.policies import PanelBody
from trading.rulebook.keys import Key, Regime
from trading.rulebook.loader import NATIONAL, builtin, rule
from trading.rulebook.model import Edition

EDITION = builtin().newest(NATIONAL)
YUAN = 100
TL = Basis(regime=Regime.TL, body=PanelBody.TENDER, budget=None)
WATER = replace(TL, traits=frozenset({Trait.WATER_WORKS}))
GP = Basis(regime=Regime.GP, body=PanelBody.TENDER, budget=9_999_999 * YUAN + 99)
LARGE = replace(GP, budget=10_000_000 * YUAN)
COMPLEX = replace(GP, large=True)
NEGOTIATION = replace(GP, body=PanelBody.NEGOTIATION)
INQUIRY = replace(GP, body=PanelBody.INQUIRY)
CONSULTATION = replace(GP, body=PanelBody.CONSULTATION)


def above(basis: Basis) -> Basis:
    return replace(basis, traits=frozenset({Trait.ABOVE_LIMIT}))


def in_law(basis: Basis) -> Basis:
    return replace(basis, traits=frozenset({Trait.LEGAL_EXPERT}))


@dataclass(frozen=True)
class Case:
    """``experts`` of which ``legal`` in law, ``representatives``; what is refused with which rule, if anything."""

    basis: Basis
    experts: int
    representatives: int
    refused: tuple[str, str] | None = None
    legal: int = 0


SMALL, EVEN, FEW, LAW = (
    "committee.too_small",
    "committee.even",
    "committee.experts_too_few",
    "committee.no_legal_expert",
)
CASES = (
    # The law of tenders: five, odd, two thirds.
    Case(TL, 3, 0, (SMALL, "EXP-01")),
    Case(TL, 4, 0, (SMALL, "EXP-01")),
    Case(TL, 4, 1),
    Case(TL, 5, 1, (EVEN, "EXP-01")),
    Case(TL, 3, 2, (FEW, "EXP-01")),
    Case(TL, 6, 3),  # exactly two thirds
    Case(TL, 5, 4, (FEW, "EXP-01")),
    # Water works: seven.
    Case(WATER, 5, 0, (SMALL, "EXP-02")),
    Case(WATER, 6, 0, (SMALL, "EXP-02")),
    Case(WATER, 5, 2),
    Case(WATER, 6, 2, (EVEN, "EXP-02")),
    Case(WATER, 4, 3, (FEW, "EXP-01")),
    # Government procurement: five below ten million and no great matter.
    Case(GP, 4, 0, (SMALL, "EXP-03")),
    Case(GP, 4, 1),
    Case(GP, 6, 0, (EVEN, "EXP-03")),
    Case(GP, 3, 2, (FEW, "EXP-03")),
    Case(replace(GP, traits=frozenset({Trait.WATER_WORKS})), 5, 0),  # a rule of the other law
    # From ten million on, or a great matter: seven.
    Case(LARGE, 5, 0, (SMALL, "EXP-04")),
    Case(LARGE, 6, 0, (SMALL, "EXP-04")),
    Case(LARGE, 5, 2),
    Case(LARGE, 8, 0, (EVEN, "EXP-04")),
    Case(LARGE, 4, 3, (FEW, "EXP-03")),
    Case(COMPLEX, 4, 1, (SMALL, "EXP-04")),
    Case(COMPLEX, 6, 1),
    # Groups: three; from the limit of public tenders five, but for a consultation.
    *(case for body in (NEGOTIATION, INQUIRY, CONSULTATION) for case in (
        Case(body, 2, 0, (SMALL, "EXP-05")),
        Case(body, 1, 1, (SMALL, "EXP-05")),
        Case(body, 2, 1),
        Case(body, 3, 1, (EVEN, "EXP-05")),
        Case(body, 1, 2, (FEW, "EXP-05")),
    )),
    *(case for body in (NEGOTIATION, INQUIRY) for case in (
        Case(above(body), 3, 0, (SMALL, "EXP-05")),
        Case(above(body), 4, 0, (SMALL, "EXP-05")),
        Case(above(body), 4, 1),
    )),
    Case(above(CONSULTATION), 2, 1),
    # A complex negotiation or consultation has an expert in law; an inquiry never needs one.
    *(case for body in (NEGOTIATION, CONSULTATION) for case in (
        Case(in_law(body), 2, 1, (LAW, "EXP-05")),
        Case(in_law(body), 2, 1, legal=1),
    )),
    Case(in_law(INQUIRY), 2, 1),
)  # fmt: skip


def committee(case: Case) -> Committee:
    strata = ["C2300-P"] * case.legal + ["A0501-C"] * (case.experts - case.legal)
    members = [
        *(
            Member(seat=f"m-{number}", kind="expert", stratum=stratum, state="present")
            for number, stratum in enumerate(strata)
        ),
        *(
            Member(seat=f"m-r{number}", kind="representative", stratum=None, state="present")
            for number in range(case.representatives)
        ),
    ]
    return Committee(draw="D-1", members=tuple(members), state="seated")


def refusal(case: Case, edition: Edition = EDITION) -> tuple[str, str] | None:
    try:
        require_lawful(committee(case), edition, case.basis)
    except RuleBroken as broken:
        return broken.code, broken.rule_id or ""
    return None


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_committee_is_lawful_or_refused_with_its_rule(case: Case) -> None:
    assert refusal(case) == case.refused
    if case.refused is not None:
        assert rule(case.refused[1]).article  # shown beside the refusal


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_plan_is_measured_as_its_committee_will_be(case: Case) -> None:
    numbers = Numbers(case.experts + case.representatives, case.experts, case.legal)
    if case.refused is None:
        require_composition(numbers, EDITION, case.basis)
    else:
        with pytest.raises(RuleBroken) as error:
            require_composition(numbers, EDITION, case.basis)
        assert (error.value.code, error.value.rule_id) == case.refused


def test_the_table_has_every_rule_on_both_sides() -> None:
    refused = {case.refused for case in CASES if case.refused}
    assert {
        (code, name) for code in (SMALL, EVEN) for name in ("EXP-01", "EXP-02", "EXP-03", "EXP-04", "EXP-05")
    } <= refused
    assert {(FEW, name) for name in ("EXP-01", "EXP-03", "EXP-05")} | {(LAW, "EXP-05")} <= refused
    for case in CASES:
        assert any(other.refused is None and other.basis == case.basis for other in CASES)


def weaker(edition: Edition) -> Edition:
    """Return a law without limits: one member, any parity, no share, nobody in law."""
    changes: dict[Key, int | bool | str] = {
        Key.COMMITTEE_MIN: 1, Key.COMMITTEE_MIN_LARGE: 1, Key.COMMITTEE_MIN_TL: 1, Key.COMMITTEE_MIN_WATER: 1,
        Key.GROUP_MIN: 1, Key.GROUP_MIN_LARGE: 1, Key.GROUP_LEGAL_MIN: 0, Key.COMMITTEE_ODD: False,
        Key.COMMITTEE_EXPERT_SHARE: "0/1",
    }  # fmt: skip
    rows = {key: replace(row, value=changes.get(key, row.value)) for key, row in edition.parameters.items()}
    return replace(edition, parameters=rows)


def test_the_numbers_are_those_of_the_edition() -> None:
    """Control: under a weaker edition nothing of the table is refused, so no number stands in the code."""
    assert [case for case in CASES if refusal(case, weaker(EDITION))] == []


def test_a_law_without_committees_is_a_bug() -> None:
    with pytest.raises(ValueError, match="no committee"):
        requirement_of(replace(GP, regime=Regime.LAND), EDITION)


@pytest.mark.parametrize(
    ("basis", "free"),
    [
        (GP, False),
        (INQUIRY, False),
        (NEGOTIATION, True),
        (CONSULTATION, True),
        (replace(GP, remote=True), True),
        (TL, True),
    ],
    ids=str,
)
def test_the_lead_of_a_draw(basis: Basis, free: bool) -> None:  # noqa: FBT001 - a column of the table
    """EXP-11: not for negotiation and consultation, nor at several sites; EXP-12 has no number."""
    days = calendar()
    first, evaluation = days.start_of(date(2026, 3, 3)), days.start_of(date(2026, 3, 17))
    assert has_lead(basis) is not free
    if free:
        require_draw_time(first, evaluation, EDITION, basis, days)
    else:
        with pytest.raises(RuleBroken, match=r"committee\.draw_early"):
            require_draw_time(first, evaluation, EDITION, basis, days)
    with pytest.raises(RuleBroken, match=r"committee\.draw_late"):
        require_draw_time(evaluation, evaluation, EDITION, basis, days)


PLAN = {
    "created": 1,
    "evaluation_at": 2,
    "large": False,
    "place_en": "Room 3, Linjiang",
    "place_zh": "临江三号评标室",
    "representatives": 1,
    "strata": [{"id": "A0501-C", "need": 2}, {"id": "A0501-N", "need": 2, "site": "1"}],
    "tender": "T-1",
}
SITES = [{"id": "1", "place_en": "Room 1, Heshan", "place_zh": "鹤山一号评标室"}]


def test_a_seat_has_the_site_of_its_stratum() -> None:
    plan = parse_plan(write_plan({**PLAN, "sites": SITES, "traits": ["legal_expert"]}))
    assert plan.remote
    assert (plan.site_of("A0501-C"), plan.site_of("A0501-N"), plan.site_of(None)) == (None, "1", None)
    assert plan.meeting_of("A0501-C") == {"at": 2, "place_en": "Room 3, Linjiang", "place_zh": "临江三号评标室"}
    assert plan.meeting_of("A0501-N") == {"at": 2, "place_en": "Room 1, Heshan", "place_zh": "鹤山一号评标室"}
    assert plan.traits == {Trait.LEGAL_EXPERT}


@pytest.mark.parametrize(
    "change", [{}, {"sites": SITES, "strata": PLAN["strata"][:1]}, {"sites": [{**SITES[0], "id": "2"}]}]  # type: ignore[index]
)  # fmt: skip
def test_sites_and_strata_fit_together(change: dict[str, object]) -> None:
    with pytest.raises((InvalidInput, ValueError), match="sites"):
        parse_plan(write_plan({**PLAN, **change}))
