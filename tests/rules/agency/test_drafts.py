"""What was typed becomes a specification, or every problem with the step and field where it is mended."""
# ruff: noqa: ANN401 - a builder takes any field

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from tests.build.tenders import CALENDAR, CLOSE_AT, NATIONAL, code, item, lot, ms, spec
from trading.agency.rules import amending
from trading.agency.rules.comparison import differences
from trading.agency.rules.content import BANDS_SAMPLE, CRITERION, TRIM_SAMPLE, Content, Step, new_content
from trading.agency.rules.specification import Outcome, specification
from trading.agency.rules.tasks import Standing, tasks
from trading.procedures.rules.abnormal_shares import AbnormalShares
from trading.procedures.rules.dates import Law
from trading.procedures.rules.extension import MEASURED, ExtensionRule, usual_rule
from trading.procedures.rules.policies import OPEN_TENDER_PERIODS, Method
from trading.procedures.rules.spec import DocumentSpec, parse_spec
from trading.rulebook.keys import Regime

LAW = Law(edition=NATIONAL, regime=Regime.GP, calendar=CALENDAR, periods=OPEN_TENDER_PERIODS)
FILE = DocumentSpec(name="b.pdf", sha256="ab" * 32, size=1, media="application/pdf")


def content() -> Content:
    made = new_content()
    made["subject"] |= {"title_zh": "题", "title_en": "t", "buyer": code("A"), "supervisor": code("C")}
    made["lots"][0] |= {
        "title_zh": "包",
        "title_en": "lot",
        "budget": "1,000,000.00",
        "items": [{"code": "1", "name_zh": "物", "name_en": "thing", "quantity": "12.50", "unit": "件"}],
    }
    made["dates"] |= {"close_day": "2026-03-31"}
    return made


def outcome(typed: Content, *documents: DocumentSpec) -> Outcome:
    return specification(
        typed,
        agency=code("B"),
        documents=documents,
        calendar=CALENDAR,
        cutoff=LAW.questions_cutoff,
        usual=usual_rule(NATIONAL, Regime.GP, MEASURED),
    )


def problems(typed: Content) -> list[tuple[Step, int | None, str, str]]:
    return [(each.step, each.lot, each.field, each.code) for each in outcome(typed).problems]


def with_lot(**changes: Any) -> Content:
    typed = content()
    typed["lots"][0] |= changes
    return typed


def with_dates(**changes: Any) -> Content:
    typed = content()
    typed["dates"] |= changes
    return typed


def rule_of(**changes: Any) -> ExtensionRule | None:
    found = outcome(with_dates(**changes)).spec
    assert found is not None
    return found.extension_rule


def test_consent_to_an_extension_is_offered_with_its_usual_length() -> None:  # MB-03
    usual = ExtensionRule(
        extend_ms=7_200_000, look_back_ms=7_200_000, min_outage_ms=600_000, triggers=tuple(sorted(MEASURED))
    )
    assert rule_of() == usual
    assert rule_of(extend_minutes="30") == replace(usual, extend_ms=1_800_000)
    assert rule_of(extension="no") is rule_of(extension="") is None


def test_a_draft_from_before_the_question_consents_to_nothing() -> None:
    typed = content()
    for name in ("extension", "triggers", "extend_minutes"):
        del typed["dates"][name]
    found = outcome(typed).spec
    assert found is not None
    assert found.extension_rule is None


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"extend_minutes": "29"}, "extend_minutes", "out_of_range"),
        ({"extend_minutes": str(7 * 24 * 60 + 1)}, "extend_minutes", "out_of_range"),
        ({"extend_minutes": "two hours"}, "extend_minutes", "not_integer"),
        ({"triggers": []}, "triggers", "not_a_choice"),
        ({"triggers": ["clock", "weather"]}, "triggers", "not_a_choice"),
    ],
)
def test_consent_that_cannot_stand(changes: dict[str, Any], field: str, code: str) -> None:
    assert problems(with_dates(**changes)) == [(Step.DATES, None, field, code)]


def test_a_complete_draft_is_a_specification() -> None:
    found = outcome(content(), FILE, replace(FILE, name="a.pdf")).spec
    assert found is not None
    assert found.close == CLOSE_AT
    assert found.lots[0].ceiling == found.lots[0].budget == 100_000_000  # DOC-09
    assert found.lots[0].items[0].quantity == "12.5"
    assert [each.name for each in found.documents] == ["a.pdf", "b.pdf"]
    assert found.questions_until == ms("2026-03-26 17:00:00")  # three working days before the deadline (OBJ-09)
    assert (found.supply_ends_at, found.bid_validity_days) == (None, 90)


def test_raised_shares_of_the_price_check_stand_in_the_specification() -> None:  # B10.3
    typed = {"abnormal_mean": "60", "abnormal_second_lowest": " 55.5 ", "abnormal_ceiling": "50"}
    found = outcome(with_lot(**typed), FILE).spec
    assert found is not None
    assert found.lots[0].abnormal == AbnormalShares(mean="60", second_lowest="55.5", ceiling="50")
    plain = outcome(content(), FILE).spec
    assert plain is not None
    assert plain.lots[0].abnormal is None


def test_an_empty_draft_names_its_gaps() -> None:
    found = problems(new_content())
    assert {step for step, *_ in found} == {Step.SUBJECT, Step.LOTS, Step.DATES}
    assert (Step.DATES, None, "close_day", "not_integer") in found
    assert (Step.SUBJECT, None, "buyer", "blank") in found
    assert (Step.LOTS, 0, "items", "out_of_range") in found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"budget": "viel"}, [(Step.LOTS, 0, "budget", "not_integer")]),
        ({"ceiling": "1.005"}, [(Step.LOTS, 0, "ceiling", "not_integer")]),
        ({"ceiling": "-1"}, [(Step.LOTS, 0, "ceiling", "out_of_range")]),
        ({"method": "beauty"}, [(Step.METHOD, 0, "method", "not_a_choice")]),
        ({"small_micro": "10", "consortium": ""}, [(Step.METHOD, 0, "consortium", "blank")]),
        (
            {"abnormal_mean": "60", "abnormal_second_lowest": "half", "abnormal_ceiling": "50"},
            [(Step.METHOD, 0, "abnormal_second_lowest", "bad_form")],
        ),
        ({"items": [item(quantity="0")]}, [(Step.LOTS, 0, "items.0.quantity", "bad_form")]),
        ({"items": [item(quantity="drei")]}, [(Step.LOTS, 0, "items.0.quantity", "bad_form")]),
    ],
)
def test_problems_of_a_lot_stand_at_their_field(changes: dict[str, Any], expected: list[Any]) -> None:
    assert problems(with_lot(**changes)) == expected


def criterion(**changes: str) -> dict[str, str]:
    texts = {"title_zh": "质保", "title_en": "Warranty", "text_zh": "按月", "text_en": "By months"}
    return {**CRITERION, "id": "warranty", "kind": "objective", "max": "5", "step": "1", **texts, **changes}


def test_bands_are_typed_as_lines() -> None:
    bands = "0-12: 2 | 不足一年 | under a year\n12－: 5 ｜ 一年以上 ｜ a year or more"
    typed = with_lot(method="comprehensive_scoring", criteria=[criterion(bands=bands.replace("－", "–"))])
    found = outcome(typed).spec
    assert found is not None
    lot_spec = found.lots[0]
    assert lot_spec.method is Method.COMPREHENSIVE_SCORING
    assert lot_spec.criteria is not None
    assert [(band.low, band.high, band.points) for band in lot_spec.criteria[0].bands] == [
        ("0", "12", "2"),
        ("12", None, "5"),
    ]
    wrong = with_lot(method="comprehensive_scoring", criteria=[criterion(bands="much")])
    assert problems(wrong) == [(Step.METHOD, 0, "criteria.0.bands", "not_object")]


@pytest.mark.parametrize("field", ["close_day", "close_time"])
def test_a_deadline_needs_day_and_time(field: str) -> None:
    typed = content()
    typed["dates"][field] = "soon"
    assert problems(typed) == [(Step.DATES, None, "close_day", "not_integer")]


def test_a_correction_that_changes_nothing_is_the_published_specification() -> None:
    base = parse_spec(spec(questions_until=CLOSE_AT - 600_000_000, supply_ends_at=ms("2026-03-20 12:00:00")))
    typed = amending.typed_from(base, CALENDAR)
    found = amending.amended(typed, base, documents=(), calendar=CALENDAR, cutoff=LAW.questions_cutoff)
    assert found.spec == base


def test_a_correction_takes_the_questions_along() -> None:
    base = parse_spec(spec(questions_until=ms("2026-03-26 17:00:00")))
    typed = deepcopy(amending.typed_from(base, CALENDAR))
    typed["dates"] |= {"close_day": "2026-04-10", "questions_day": ""}
    typed["lots"][0]["ceiling"] = "9999.99"
    found = amending.amended(typed, base, documents=(FILE,), calendar=CALENDAR, cutoff=LAW.questions_cutoff).spec
    assert found is not None
    assert found.questions_until == ms("2026-04-07 17:00:00")
    assert (found.lots[0].ceiling, found.documents) == (999_999, (FILE,))
    typed["lots"][0]["ceiling"] = "x"
    broken = amending.amended(typed, base, documents=(), calendar=CALENDAR, cutoff=LAW.questions_cutoff)
    assert [(each.step, each.field) for each in broken.problems] == [(Step.SUBJECT, "ceiling")]


def test_differences_are_told_field_by_field() -> None:
    old = parse_spec(spec()).to_json()
    new = parse_spec(spec(title_zh="新", lots=[lot(), lot("2")])).to_json()
    found = {each.field: (each.old, each.new) for each in differences(old, new)}
    assert found["title_zh"] == ("服务器采购", "新")
    assert found["lots.1"][0] == ""
    assert "第2包" in found["lots.1"][1]
    assert differences(old, old) == []


def next_tasks(phase: str, *acts: tuple[str, int], procedure: str = "published") -> list[tuple[str, int | None]]:
    records = [{"kind": kind, "at": at, "body": {"lot": "1"}} for kind, at in acts]
    standing = [Standing(number="1", phase=phase, close_at=CLOSE_AT)]
    found = tasks(procedure, standing, records, edition=NATIONAL, regime=Regime.GP, calendar=CALENDAR)
    return [(each.name, each.due_at) for each in found]


def test_tasks_carry_their_legal_instant() -> None:
    friday = ms("2026-04-10 15:00:00")
    assert next_tasks("draft", procedure="review") == [("review", None)]
    assert next_tasks("open") == [("wait", CLOSE_AT)]
    assert next_tasks("evaluated", ("bids.ranked", friday)) == [("award", ms("2026-04-18 00:00:00"))]  # AWD-09
    assert next_tasks("determined", ("award.determined", friday)) == [("result", ms("2026-04-15 00:00:00"))]  # AWD-11
    assert next_tasks("concluded", ("result.published", friday)) == [("contract", ms("2026-05-12 00:00:00"))]  # CON-01
    signed = ("contract.signed", friday)
    both = [("publish_contract", ms("2026-04-15 00:00:00")), ("file_contract", ms("2026-04-22 00:00:00"))]
    assert next_tasks("contracted", signed) == both  # CON-02, CON-03
    assert next_tasks("contract_published", signed, ("contract.filed", friday)) == []
    assert next_tasks("failed") == [("failure", None)]
    assert next_tasks("failed", ("failure.published", friday)) == []
    assert next_tasks("cancelled", procedure="cancelled") == []
    assert next_tasks("evaluated", ("bids.ranked", ms("2026-12-30 09:00:00"))) == [("award", None)]  # TIM-07


def test_the_sample_of_bands_is_one() -> None:
    typed = with_lot(method="comprehensive_scoring", criteria=[criterion(bands=BANDS_SAMPLE)])
    found = outcome(typed).spec
    assert found is not None
    assert found.lots[0].criteria is not None
    assert [band.points for band in found.lots[0].criteria[0].bands] == ["2", "5"]


def works(**changes: Any) -> Content:
    typed = with_lot(
        category="works",
        method="comprehensive_evaluation_tl",
        benchmarks=["mean", "median"],
        reduction="1, 2，3.5",
        above="1.2",
        below="0.8",
        trim=TRIM_SAMPLE,
        technical="plan",
        criteria=[{**CRITERION, "id": "price", "kind": "price", "max": "100", "step": "0"}],
        **changes,
    )
    typed["lots"][0]["criteria"][0] |= dict.fromkeys(("title_zh", "title_en", "text_zh", "text_en"), "x")
    typed["subject"]["kind"] = "works_tender_tl"
    return typed


def test_a_works_tender_is_typed_with_its_benchmark_and_coefficients() -> None:  # MET-06
    found = outcome(works()).spec
    assert found is not None
    assert found.kind == "works_tender_tl"
    formula = found.to_json()["lots"][0]["formula"]
    assert (formula["benchmarks"], formula["reduction"]) == (["mean", "median"], ["1", "2", "3.5"])
    assert formula["trim"] == [
        {"highest": 1, "lowest": 0, "quotes": 5},
        {"highest": 1, "lowest": 1, "quotes": 7},
    ]
    assert (formula["ties"], formula["floor"]) == (["price", "technical"], "0")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"benchmarks": []}, "benchmarks"),
        ({"benchmarks": ["guess"]}, "benchmarks"),
        ({"reduction": "one"}, "reduction"),
        ({"trim": "5 1 0"}, "trim"),
        ({"above": "steep"}, "above"),
        ({"ties": "price, luck"}, "ties"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_told_at_its_field(changes: dict[str, Any], field: str) -> None:
    assert (Step.METHOD, 0, field) in {each[:3] for each in problems(works() | {"lots": _changed(changes)})}


def _changed(changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**works()["lots"][0], **changes}]


def test_a_draft_without_a_kind_is_of_the_first_one() -> None:
    typed = content()
    del typed["subject"]["kind"]
    found = outcome(typed).spec
    assert found is not None
    assert found.kind == "open_tender_gp"
    typed["subject"]["kind"] = "beauty_contest"
    again = outcome(typed).spec
    assert again is not None
    assert again.kind == "open_tender_gp"


def test_a_request_for_quotation_is_typed() -> None:  # MTD-06, MET-04
    typed = with_lot(method="lowest_final_quote")
    typed["subject"]["kind"] = "request_for_quotation"
    found = outcome(typed).spec
    assert found is not None
    assert (found.kind, found.lots[0].method, found.lots[0].formula) == (
        "request_for_quotation",
        Method.LOWEST_FINAL_QUOTE,
        None,
    )
