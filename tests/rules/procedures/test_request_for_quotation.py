"""The request for quotation: its table against the one that a lawyer signs, its times, and what may be bought."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.build.tenders import CALENDAR, NATIONAL, REVIEWER, facts, lot, ms, spec
from trading.kernel.calendar import WorkingDays, is_days_before, shifted_deadline
from trading.kernel.errors import RuleBroken
from trading.procedures.rules import guards
from trading.procedures.rules.kinds.open_tender_gp import OPEN_TENDER_GP
from trading.procedures.rules.kinds.request_for_quotation import REQUEST_FOR_QUOTATION
from trading.procedures.rules.lifecycle import Act, Facts, LotPhase, advance
from trading.procedures.rules.phase_table import table
from trading.procedures.rules.policies import PanelBody
from trading.procedures.rules.spec import parse_spec

GOLDEN = (Path(__file__).parents[2] / "vectors" / "kinds" / "request_for_quotation.md").read_text()
FIRST = ms("2026-03-05 00:00:00")  # a Thursday, three working days after Monday 2 March
DAY = 86_400_000


def quotation(**changes: Any) -> Facts:  # noqa: ANN401 - fields of the lot
    terms = {"category": "goods", "criteria": None, "formula": None, "method": "lowest_final_quote", **changes}
    declared = parse_spec(spec(kind="request_for_quotation", lots=[lot(**terms)])).lots[0]
    return facts(periods=REQUEST_FOR_QUOTATION.periods, terms=declared)


def refusal(given: Facts) -> tuple[str, str | None] | None:
    try:
        advance(REQUEST_FOR_QUOTATION, LotPhase.DRAFT, Act.OPEN, REVIEWER, given)
    except RuleBroken as broken:
        return broken.code, broken.rule_id
    return None


def test_the_table_is_the_one_that_was_signed() -> None:  # MTD-06, B4.4
    assert [line for line in GOLDEN.splitlines() if line.startswith("|")] == list(table(REQUEST_FOR_QUOTATION))
    assert list(table(REQUEST_FOR_QUOTATION)) != list(table(OPEN_TENDER_GP))  # control
    assert REQUEST_FOR_QUOTATION.panel is PanelBody.INQUIRY  # EXP-05


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"category": "services"}, ("category.not_of_kind", "MTD-06")),
        ({"category": "works"}, ("category.not_of_kind", "MTD-06")),
        ({"method": "lowest_evaluated_price"}, ("method.not_of_kind", "MTD-06")),
    ],
)
def test_what_the_documents_may_say(changes: dict[str, Any], expected: tuple[str, str] | None) -> None:
    assert refusal(quotation(**changes)) == expected


def test_a_tender_is_not_ranked_as_a_quotation() -> None:
    given = replace(quotation(), periods=OPEN_TENDER_GP.periods)
    with pytest.raises(RuleBroken, match=r"method\.not_of_kind"):
        advance(OPEN_TENDER_GP, LotPhase.DRAFT, Act.OPEN, REVIEWER, given)


def test_suppliers_have_three_working_days() -> None:  # DOC-22, 74-45
    assert refusal(replace(quotation(), close_at=FIRST - 1000)) == ("deadline.too_early", "DOC-22")
    for close_at in (FIRST + DAY, FIRST + DAY + 1000):  # with the day on which the notice still runs
        assert refusal(replace(quotation(), close_at=close_at)) is None
    tender = replace(quotation(), close_at=FIRST + DAY, periods=OPEN_TENDER_GP.periods)  # control: a tender has twenty
    with pytest.raises(RuleBroken, match=r"deadline\.too_early"):
        guards.require_lawful_deadline(tender, REVIEWER)


def test_its_notice_stands_for_three_working_days() -> None:  # NOT-25
    short = replace(quotation(), supply_ends_at=FIRST + DAY - 1)
    assert refusal(short) == ("documents.supply_too_short", "NOT-25")
    assert refusal(replace(short, supply_ends_at=FIRST + DAY)) is None


def test_a_change_comes_three_working_days_before() -> None:  # NOT-05, 74-45
    friday, wednesday = ms("2026-03-06 18:00:00"), ms("2026-03-11 10:00:00")
    three = WorkingDays(count=3)
    assert is_days_before(friday, wednesday, three, CALENDAR)
    assert shifted_deadline(friday, wednesday, three, CALENDAR) == wednesday
    tuesday = wednesday - DAY
    assert not is_days_before(friday, tuesday, three, CALENDAR)
    assert shifted_deadline(friday, tuesday, three, CALENDAR) == wednesday
    change = replace(quotation(), at=friday, close_at=tuesday, new_close_at=tuesday, affects_bids=True)
    with pytest.raises(RuleBroken) as refused:
        guards.require_clarification_lead(change, REVIEWER)
    assert (refused.value.code, refused.value.facts["earliest"]) == ("clarification.too_late", wednesday)
    guards.require_clarification_lead(replace(change, new_close_at=wednesday), REVIEWER)


def test_its_numbers_are_of_the_edition() -> None:
    periods, regime = REQUEST_FOR_QUOTATION.periods, REQUEST_FOR_QUOTATION.regime
    for key in (periods.preparation, periods.supply, periods.lead):
        assert NATIONAL.days(key, regime) == WorkingDays(count=3)
