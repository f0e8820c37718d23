"""The tender of works: its table against the one that a lawyer signs, and what the law of tenders has of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.build.scores import CRITERIA
from tests.build.tenders import AGENCY, CLOSE_AT, NATIONAL, PLATFORM, REVIEWER, facts, lot, ms, spec
from trading.kernel.errors import NotPermitted, RuleBroken
from trading.procedures.rules.kinds.open_tender_gp import OPEN_TENDER_GP
from trading.procedures.rules.kinds.works_tender_tl import WORKS_TENDER_TL
from trading.procedures.rules.lifecycle import Act, Facts, LotPhase, advance
from trading.procedures.rules.phase_table import table
from trading.procedures.rules.spec import parse_spec
from trading.rulebook.keys import Key, Regime

GOLDEN = (Path(__file__).parents[2] / "vectors" / "kinds" / "works_tender_tl.md").read_text()
FORMULA: dict[str, Any] = {
    "above": "1.2",
    "band": "0",
    "below": "0.8",
    "benchmarks": ["mean"],
    "ceiling_reduction": [],
    "ceiling_weight": [],
    "floor": "0",
    "reduction": ["1", "2"],
    "technical": ["plan"],
    "ties": ["price"],
    "trim": [],
}
RANKED_AT = ms("2026-04-08 15:00:00")


def works(**changes: Any) -> Facts:  # noqa: ANN401 - fields of the lot
    terms = {
        "category": "works",
        "criteria": [each.to_json() for each in CRITERIA],
        "formula": FORMULA,
        "method": "comprehensive_evaluation_tl",
        "preference": {"consortium": "2", "small_micro": "5"},
    }
    declared = parse_spec(spec(kind="works_tender_tl", lots=[lot(**{**terms, **changes})])).lots[0]
    return facts(regime=Regime.TL, periods=WORKS_TENDER_TL.periods, terms=declared)


def refusal(given: Facts) -> tuple[str, str | None] | None:
    try:
        advance(WORKS_TENDER_TL, LotPhase.DRAFT, Act.OPEN, REVIEWER, given)
    except RuleBroken as broken:
        return broken.code, broken.rule_id
    return None


def test_the_table_is_the_one_that_was_signed() -> None:
    assert [line for line in GOLDEN.splitlines() if line.startswith("|")] == list(table(WORKS_TENDER_TL))
    assert list(table(WORKS_TENDER_TL)) != list(table(OPEN_TENDER_GP))  # control


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"category": "goods"}, ("category.not_of_kind", "MTD-01")),
        ({"method": "comprehensive_scoring", "formula": None}, ("method.not_of_kind", "MTD-01")),
        ({"formula": None}, ("formula.missing", "MET-06")),
        ({"formula": {**FORMULA, "reduction": ["10.1"]}}, ("formula.coefficients", "MET-06")),
        ({"formula": {**FORMULA, "above": "0.8"}}, ("formula.slopes", "MET-06")),
        ({"preference": {"consortium": "2", "small_micro": "6"}}, ("preference.out_of_range", "PRF-03")),
    ],
)
def test_what_the_documents_may_say(changes: dict[str, Any], expected: tuple[str, str] | None) -> None:
    assert refusal(works(**changes)) == expected


def test_works_are_not_of_the_tender_of_goods_and_services() -> None:  # MTD-01
    given = replace(works(), regime=Regime.GP, periods=OPEN_TENDER_GP.periods)
    with pytest.raises(RuleBroken, match=r"method\.not_of_kind"):
        advance(OPEN_TENDER_GP, LotPhase.DRAFT, Act.OPEN, REVIEWER, given)


def test_documents_are_supplied_for_five_days() -> None:  # DOC-01: days, not the working days of DOC-02
    five = ms("2026-03-08 00:00:00")  # a Sunday, five days after the day of the notice: the next working day's start
    given = replace(works(), supply_ends_at=five - 1)
    assert refusal(given) == ("documents.supply_too_short", "DOC-01")
    assert refusal(replace(works(), supply_ends_at=ms("2026-03-10 00:00:00"))) is None
    assert refusal(replace(works(), close_at=CLOSE_AT - 30 * 86_400_000)) == ("deadline.too_early", "DOC-04")


def test_candidates_are_on_display_for_three_days_before_an_award() -> None:  # AWD-03
    chosen = replace(works(), ranked_at=RANKED_AT, first_ranked="b-1", chosen="b-1")
    ends_at = chosen.calendar.end_of_period(RANKED_AT, NATIONAL.days(Key.CANDIDATES_DISPLAY_TL, Regime.TL))

    def at(instant: int) -> Facts:
        return replace(chosen, at=instant)

    with pytest.raises(RuleBroken, match=r"award\.candidates_on_display"):
        advance(WORKS_TENDER_TL, LotPhase.EVALUATED, Act.DETERMINE, AGENCY, at(ends_at - 1))
    for instant in (ends_at, ends_at + 1):
        move = advance(WORKS_TENDER_TL, LotPhase.EVALUATED, Act.DETERMINE, AGENCY, at(instant))
        assert move.target is LotPhase.DETERMINED
    with pytest.raises(NotPermitted):  # the silence of AWD-09 is of government procurement alone
        advance(WORKS_TENDER_TL, LotPhase.EVALUATED, Act.DETERMINE, PLATFORM, at(ends_at))


def test_contracts_of_works_are_signed_and_not_filed_with_finance() -> None:  # CON-01; CON-02 and CON-03 are GP
    assert WORKS_TENDER_TL.acts(LotPhase.CONCLUDED) == (Act.SIGN_CONTRACT,)
    assert WORKS_TENDER_TL.acts(LotPhase.CONTRACTED) == ()
