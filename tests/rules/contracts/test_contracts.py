"""A contract between the parties of the award at its price, and the time limits around it (CON-01 to CON-03)."""
# ruff: noqa: ANN401 - a builder takes any field

from __future__ import annotations

from typing import Any

import pytest

from tests.build.tenders import CALENDAR, NATIONAL, REVIEWER, code, facts, ms
from trading.contracts.rules.documents import build_contract, parse_contract
from trading.contracts.rules.limits import contract_limits
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.procedures.rules import guards
from trading.procedures.rules.kinds.open_tender_gp import OPEN_TENDER_GP
from trading.procedures.rules.lifecycle import Act, LotPhase, advance
from trading.rulebook.keys import Regime

CONCLUDED = ms("2026-04-10 15:00:00")  # day 30 is Sunday 10 May, the next working day Monday 11 May
ENDS = ms("2026-05-12 00:00:00")
AWARD = (code("D"), 100_000_00)


def fields(**changes: Any) -> dict[str, Any]:
    party = {"name_en": "x", "name_zh": "某"}
    base = {
        "agency": {"code": code("B"), **party},
        "award_h": "ab" * 32,
        "bid": "b-1",
        "buyer": {"code": code("A"), **party},
        "created": CONCLUDED,
        "currency": "CNY",
        "lot": "1",
        "number": "合-1",
        "price": AWARD[1],
        "sign_before": ENDS,
        "stage": "all",
        "supplier": {"code": AWARD[0], **party},
        "tender": "T-2026-1",
        "terms_en": "As tendered.",
        "terms_zh": "按招标文件。",
        "title_en": "Lot 1",
        "title_zh": "第一包",
    }
    return base | changes


def test_a_contract_round_trips() -> None:
    found = parse_contract(build_contract(fields()))
    assert found.place == ("T-2026-1", "1", "all")
    assert (found.supplier["code"], found.price) == AWARD


@pytest.mark.parametrize("name", sorted(fields()))
def test_every_field_must_be_there(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        build_contract({key: value for key, value in fields().items() if key != name})


def test_something_else_is_no_contract() -> None:
    with pytest.raises(InvalidInput):
        parse_contract(b"{}")


@pytest.mark.parametrize(
    ("contracted", "expected"),
    [
        (AWARD, None),
        ((AWARD[0], AWARD[1] - 1), "contract.other_than_award"),
        ((AWARD[0], AWARD[1] + 1), "contract.other_than_award"),
        ((code("E"), AWARD[1]), "contract.other_than_award"),
    ],
)
def test_another_price_or_party_is_refused(contracted: tuple[str, int], expected: str | None) -> None:  # CON-01
    given = facts(awarded=AWARD, contracted=contracted)
    if expected is None:
        guards.require_contract_of_award(given, REVIEWER)
        return
    with pytest.raises(RuleBroken) as refusal:
        guards.require_contract_of_award(given, REVIEWER)
    assert (refusal.value.code, refusal.value.rule_id) == (expected, "CON-01")


@pytest.mark.parametrize(("at", "late"), [(ENDS - 1, False), (ENDS, True), (ENDS + 1, True)])
def test_the_time_to_sign_is_exact(at: int, *, late: bool) -> None:  # CON-01, TIM-01
    given = facts(at=at, concluded_at=CONCLUDED, awarded=AWARD, contracted=AWARD)
    if not late:
        moved = advance(OPEN_TENDER_GP, LotPhase.CONCLUDED, Act.SIGN_CONTRACT, REVIEWER, given)
        assert moved.target is LotPhase.CONTRACTED
        return
    with pytest.raises(RuleBroken) as refusal:
        advance(OPEN_TENDER_GP, LotPhase.CONCLUDED, Act.SIGN_CONTRACT, REVIEWER, given)
    assert refusal.value.code == "contract.too_late"
    assert refusal.value.facts == {"ends_at": ENDS, "within_days": 30}


def test_limits_run_from_the_result_and_from_the_signing() -> None:
    signed = ms("2026-04-30 09:00:00")  # a Thursday before the holiday of the first of May
    given: dict[str, Any] = {"concluded_at": CONCLUDED, "published_at": None, "filed_at": None}
    before = contract_limits(NATIONAL, Regime.GP, CALENDAR, signed_at=None, **given)
    assert [(each.name, each.rule, each.ends_at) for each in before] == [("sign", "CON-01", ENDS)]
    assert (before[0].kept(ENDS - 1), before[0].kept(ENDS)) == (True, False)
    after = contract_limits(NATIONAL, Regime.GP, CALENDAR, signed_at=signed, **given)
    ends = {each.name: CALENDAR.date_of(each.ends_at - 1).isoformat() for each in after}
    assert ends == {"sign": "2026-05-11", "publish": "2026-05-07", "file": "2026-05-13"}  # CON-02, CON-03
    assert after[0].kept(ENDS + 1)  # what was done in time stays in time
