"""RK-01 on every golden case of the formulas (MET-01 to MET-07): recomputed, and lies about it are found."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.build.golden_formulas import Golden, cases
from tests.build.tenders import NATIONAL
from tests.verifier.test_scoring import LOT, REPORT, TENDER, Story
from trading.evaluation.rules.documents import SHEET
from trading.kernel.canonical import loads_object
from trading.kernel.digests import RANK_COEFFICIENT, tuple_hash
from trading.procedures.rules.criteria import decimal_of
from verifier import checks_ranking
from verifier.evidence import Document

CASES = cases()
DRAWN = {
    "benchmarks": ["mean", "composite", "median"],
    "reduction": ["0", "0.5", "1", "1.5", "2"],
    "ceiling_reduction": ["2", "4"],
    "ceiling_weight": ["20", "30", "40"],
}


def story_of(golden: Golden) -> Story:
    """The golden case as records, with the ranking that the platform would have recorded."""
    told, rules = Story(), golden.rules
    edition = told.add("mb.edition", NATIONAL.document())
    row = {
        **LOT,
        "ceiling": rules.ceiling,
        "criteria": [each.to_json() for each in rules.criteria] or None,
        "currency": "CNY",
        "formula": golden.formula,
        "method": golden.method.value,
        "preference": None if rules.preference is None else rules.preference.to_json(),
        "tie_rule": "price_identity_lottery",
    }
    notice = Document("1" * 64, "mb.notice", b"", {"tender": TENDER, "edition_sha256": edition, "lots": [row]}, [])
    told.documents[notice.sha256] = notice
    told.record("tender.published", notice_sha256=notice.sha256, **LOT)
    for bid in golden.bids:
        told.record("bid.started", bid=bid.bid, **LOT)
        told.record("bid.opened", bid=bid.bid, bidder=bid.bidder, price={"currency": "CNY", "total": bid.price})
    told.record("opening.completed", transcript_sha256s=[], **LOT)
    seats = sorted(sheet.seat for sheet in golden.sheets) or ["m-0"]
    told.record("evaluation.started", lots=[LOT], seats=seats)
    for name, found in golden.examined.items():
        outcome = "conforming" if found.exclusion is None else "invalid"
        units = golden_units(golden, name)
        told.record(
            "bid.examined",
            **{**units, **LOT},
            bid=name,
            step="conformity",
            outcome=outcome,
            preference=found.preference,
        )
    if golden.sheets:
        told.record("scores.opened", sheets=sorted(signed(told, golden)), **LOT)
    for seat in seats:
        told.record("report.signed", seat=seat, report_sha256=REPORT)
    body = golden.ranking().body(rules)
    told.record("bids.ranked", **{**deepcopy(body), "edition_sha256": edition})
    return told


def golden_units(golden: Golden, name: str) -> dict[str, Any]:
    """The deviations that the committee found of a bid; nothing where the documents quantify none."""
    found = next(bid for bid in golden.bids if bid.bid == name).deviations
    body = [{"id": each, "units": decimal_of(units)} for each, units in sorted(found.items())]
    return {"deviations": body} if "factor" in golden.case else {}


def signed(told: Story, golden: Golden) -> list[str]:
    found = []
    for sheet in golden.sheets:
        items = [
            {
                "bid": bid,
                "scores": [
                    {"comment": None, "criterion": name, "points": decimal_of(points)} for name, points in rows.items()
                ],
            }
            for bid, rows in sorted(sheet.points.items())
        ]
        body = {"items": items, "reason": None, "salt": "0" * 64, "seat": sheet.seat, "tender": TENDER, "version": 1}
        found.append(told.add("mb.score-sheet", SHEET.write({**body, **LOT})))
        told.record("sheet.signed", seat=sheet.seat, version=1, sheet_commit=found[-1], **LOT)
    for sheet, commit in zip(golden.sheets, found, strict=True):
        told.record("sheet.handed_in", reason=None, seat=sheet.seat, version=1, sheet_commit=commit, **LOT)
    return found


def golden_of(name: str) -> Golden:
    return next(golden for golden in CASES if golden.name == name)


def drawn_case() -> Golden:
    """A works lot whose documents leave benchmark and coefficients to the draw."""
    fixed = golden_of("met06_comprehensive_evaluation-2")
    case = {**fixed.case, "formula": {**fixed.case["formula"], **DRAWN}}
    fields = {name: getattr(fixed, name) for name in ("method", "regime", "rule", "article")}
    return Golden(name="drawn", case=case, **fields)


@pytest.mark.parametrize("golden", [*CASES, drawn_case()], ids=lambda golden: golden.name)
def test_the_golden_ranking_is_recomputed(golden: Golden) -> None:
    assert story_of(golden).complaints() == []


def test_an_older_record_names_no_formula() -> None:
    for name in ("met01_lowest_evaluated_price-1", "met02_comprehensive_scoring-1"):
        told = story_of(golden_of(name))
        del told.body("bids.ranked")["formula"]
        assert told.complaints() == []
    told = story_of(golden_of("met03_consultation-1"))
    del told.body("bids.ranked")["formula"]
    assert any("names the formula None" in text for text in told.complaints())


def first(told: Story) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in told.body("bids.ranked")["items"] if each["rank"] == 1)
    return found


def second_first(told: Story) -> None:
    items = {each["rank"]: each for each in told.body("bids.ranked")["items"]}
    items[1]["rank"], items[2]["rank"] = 2, 1


def cheaper(told: Story) -> None:
    first(told)["evaluated_price"] -= 1


def other_formula(told: Story) -> None:
    told.body("bids.ranked")["formula"]["id"] = "MET-08"


def other_version(told: Story) -> None:
    told.body("bids.ranked")["formula"]["version"] = 2


LIES: list[tuple[Callable[[Story], None], str]] = [
    (second_first, "recomputed"),
    (cheaper, "recomputed"),
    (other_formula, "names the formula"),
    (other_version, "is not recomputed yet"),
]


@pytest.mark.parametrize("golden", CASES[::2], ids=lambda golden: golden.name)
@pytest.mark.parametrize(("lie", "said"), LIES, ids=[lie.__name__ for lie, _ in LIES])
def test_a_lie_about_a_ranking_is_found(golden: Golden, lie: Callable[[Story], None], said: str) -> None:
    told = story_of(golden)
    lie(told)
    assert any(said in text for text in told.complaints()), told.complaints()


@pytest.mark.parametrize("change", [{"price": "1"}, {"reduction": "4"}, {"benchmark": "median"}, {"seed": "0" * 64}])
def test_a_lie_about_the_benchmark_is_found(change: dict[str, str]) -> None:
    told = story_of(golden_of("met06_comprehensive_evaluation-1"))
    told.body("bids.ranked")["workings"].update(change)
    assert any("workings" in text for text in told.complaints())


def test_a_raised_price_score_is_found() -> None:
    told = story_of(golden_of("met06_comprehensive_evaluation-1"))
    first(told)["price_points"] = "99.00"
    assert any("price points" in text for text in told.complaints())


def test_fewer_weeks_of_delay_are_found() -> None:
    told = story_of(golden_of("met05_works_price-1"))
    told.body("bids.ranked")["items"][0]["deviations"][0]["units"] = "0"
    assert any("recomputed" in text for text in told.complaints())


def test_one_more_admitted_is_found() -> None:
    told = story_of(golden_of("met07_price_first-1"))
    told.body("bids.ranked")["workings"]["places"] = 5
    assert any("workings" in text for text in told.complaints())


def test_a_notice_without_parameters_is_found() -> None:
    for name in ("met03_consultation-1", "met05_works_price-1", "met06_comprehensive_evaluation-1"):
        told = story_of(golden_of(name))
        told.documents["1" * 64].value["lots"][0]["formula"] = None
        assert "the notice does not fix the parameters of its formula" in told.complaints()


def test_the_draw_follows_from_the_identities_of_the_opened_bids(monkeypatch: pytest.MonkeyPatch) -> None:
    golden = drawn_case()
    identities = [bid.identity_price for bid in golden.bids]
    monkeypatch.setattr(checks_ranking, "price_identities", lambda _lot: identities)
    assert story_of(golden).complaints() == []
    seed = tuple_hash(RANK_COEFFICIENT, *(each.encode() for each in identities)).hex()
    assert story_of(golden).body("bids.ranked")["workings"]["seed"] == seed
    monkeypatch.setattr(checks_ranking, "price_identities", lambda _lot: [*identities[:-1], "AGE-SECRET-KEY-1OTHER"])
    assert any("workings" in text for text in story_of(golden).complaints())


def test_the_documents_of_these_stories_are_canonical() -> None:
    told = story_of(drawn_case())
    assert all(loads_object(each.data) for each in told.documents.values() if each.data)
