"""What a release says at every state: exact money, dates of China, stable ids, nothing of bids before the opening."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.build.ocds_cases import BIDDERS, CLOSE, LATER, NAMES, REFERENCE, Tender, whole_tender
from trading.notices.rules import announcement
from trading.notices.rules.exact_json import dumps, loads
from trading.notices.rules.ocds import Case, compiled, ocid, record_package, reference_of, release, release_id
from trading.notices.rules.ocds.terms import date_time, value

BASE = "https://ggzy.example"


def newest(state: str) -> dict[str, Any]:
    """Return the newest release at a state, as it is read back."""
    tender = next(tender for name, tender in whole_tender() if name == state)
    *_, case = tender.published_cases()
    found: dict[str, Any] = loads(dumps(release(case)))
    return found


def test_the_tags_of_a_whole_tender() -> None:
    tender = next(tender for name, tender in whole_tender() if name == "failed the other lot")
    tags = [release(case)["tag"][0] for case in tender.published_cases()]
    assert tags == [
        "tender",
        "tenderAmendment",
        "tenderUpdate",
        "tenderUpdate",
        "tenderUpdate",
        "award",
        "contract",
        "tenderUpdate",
    ]


def test_a_second_result_notice_updates_the_award() -> None:
    tender = next(tender for name, tender in whole_tender() if name == "awarded")
    tender.announce("1")
    *_, case = tender.published_cases()
    assert release(case)["tag"] == ["awardUpdate"]
    assert len(release(case)["awards"]) == 1


@pytest.mark.parametrize("state", ["published", "amended", "answered", "closed"])
def test_nothing_tells_of_bids_before_the_opening(state: str) -> None:
    """The facts of bids are there, and a case that holds them all says the same as one that holds none."""
    tender = next(tender for name, tender in whole_tender() if name == state)
    *_, case = tender.published_cases()
    told = dumps(release(case)).decode()
    assert "bids" not in release(case)
    assert not any(word in told for word in (*BIDDERS, *BIDDERS.values(), "tenderer", "numberOf"))
    assert dumps(release(replace(case, bidders={}, names={}))) == dumps(
        release(replace(case, names={}, bidders=dict(BIDDERS)))
    )


def test_one_opened_lot_tells_nothing_of_the_other() -> None:
    made = newest("opened one lot")
    assert {lot for bid in made["bids"]["details"] for lot in bid["relatedLots"]} == {"1"}
    assert "numberOfTenderers" not in made["tender"]
    assert made["bids"]["statistics"] == [{"id": "1-bids", "measure": "bids", "value": 3, "relatedLot": "1"}]
    assert newest("opened")["tender"]["numberOfTenderers"] == 4


def test_bids_are_pending_until_the_result_ranks_them() -> None:
    opened = {bid["id"]: bid for bid in newest("opened")["bids"]["details"]}
    assert opened["b-2"]["value"] == {"amount": Decimal("880000.00"), "currency": "CNY"}
    assert opened["b-2"]["status"] == "pending"
    assert "rank" not in opened["b-2"]
    assert (opened["b-6"]["status"], opened["b-6"]["description"]) == ("withdrawn", "BIDDER_NO_FACTOR")
    awarded = {bid["id"]: bid for bid in newest("awarded")["bids"]["details"]}
    assert [(awarded[bid]["status"], awarded[bid].get("rank")) for bid in ("b-1", "b-2", "b-3", "b-4")] == [
        ("valid", 2),
        ("valid", 1),
        ("disqualified", None),
        ("pending", None),
    ]


def test_award_and_contract() -> None:
    made = newest("contracted")
    (award,), (contract,) = made["awards"], made["contracts"]
    assert award["status"] == "active"
    assert award["relatedBids"] == ["b-2"]
    assert award["suppliers"] == [{"id": f"CN-USCC-{BIDDERS['b-2']}", "name": NAMES[BIDDERS["b-2"]].name_zh}]
    assert contract["awardID"] == award["id"]
    assert contract["value"] == award["value"] == {"amount": Decimal("880000.00"), "currency": "CNY"}
    roles = {party["id"]: party["roles"] for party in made["parties"]}
    assert roles[f"CN-USCC-{BIDDERS['b-2']}"] == ["tenderer", "supplier"]


@pytest.mark.parametrize(
    ("state", "status", "lots"),
    [
        ("published", "active", ["active", "active"]),
        ("awarded", "active", ["complete", "active"]),
        ("failed the other lot", "complete", ["complete", "unsuccessful"]),
        ("cancelled", "cancelled", ["cancelled", "cancelled"]),
        ("failed", "unsuccessful", ["unsuccessful"]),
    ],
)
def test_where_tender_and_lots_stand(state: str, status: str, lots: list[str]) -> None:
    made = newest(state)["tender"]
    assert (made["status"], [lot["status"] for lot in made["lots"]]) == (status, lots)


def test_a_correction_of_one_lot_leaves_the_other() -> None:
    """Its notice names the lots that it moves; text and the other lot stay as they were offered."""
    tender = Tender()
    tender.publish()
    tender.lots = ("2",)
    tender.amend()
    *_, case = tender.published_cases()
    made = release(case)["tender"]
    assert [lot["tenderPeriod"]["endDate"][:10] for lot in made["lots"]] == ["2026-03-31", "2026-04-15"]
    assert len(made["items"]) == 4
    assert made["amendments"][0]["description"] == (
        "lot 1 close: 2026-03-31T10:00:00+08:00 → 2026-04-15T10:00:00+08:00"
    )


def test_a_deadline_that_moved_by_rule_is_an_amendment_without_a_notice() -> None:  # MB-03
    tender = Tender()
    tender.publish()
    tender.amend()
    tender.extend("2", LATER + 7_200_000)
    *_, corrected, case = tender.published_cases()
    made = release(case)
    assert made["tag"] == ["tenderAmendment"]
    assert [lot["tenderPeriod"]["endDate"][11:16] for lot in made["tender"]["lots"]] == ["10:00", "12:00"]
    first, second = made["tender"]["amendments"]
    assert (second["id"], second["amendsReleaseID"], second["releaseID"]) == (
        "schedule-2-3",
        first["releaseID"],
        made["id"],
    )
    assert second["description"] == "lot 2 close: 2026-04-15T10:00:00+08:00 → 2026-04-15T12:00:00+08:00"
    assert second["rationale"] == "按规则顺延（clock）"
    notices = [each for each in made["tender"]["documents"] if each["documentType"] == "tenderNotice"]
    assert notices == [
        each for each in release(corrected)["tender"]["documents"] if each["documentType"] == "tenderNotice"
    ]
    told = announcement.item(case, "log.ggzy.example/audit")
    assert told.title_en == "Deadline moved by rule: Servers"
    assert "2026-04-15T12:00:00+08:00" in told.summary_zh
    assert told.url == f"https://ggzy.example/procedures/{REFERENCE}"


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    match value:
        case dict():
            for name, item in value.items():
                yield from leaves(item, f"{path}/{name}")
        case list():
            for item in value:
                yield from leaves(item, path)
        case _:
            yield path, value


def test_every_value_has_its_form() -> None:
    dated, amounts = 0, 0
    for _state, tender in whole_tender():
        for case in tender.published_cases():
            for path, item in leaves(release(case)):
                assert item is not None, path
                assert item != "", path
                assert not isinstance(item, float), path
                if path.rpartition("/")[2] in {"date", "startDate", "endDate", "datePublished", "dateSigned"}:
                    assert re.fullmatch(r"2026-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?\+08:00", str(item)), path
                    dated += 1
                if path.endswith("/amount"):
                    assert isinstance(item, Decimal), path
                    amounts += 1
    assert dated > 100
    assert amounts > 50


def test_a_release_made_again_is_the_same_and_ids_are_unique() -> None:
    seen: dict[str, bytes] = {}
    for _state, tender in whole_tender():
        for case in tender.published_cases():
            made = release(case)
            assert seen.setdefault(made["id"], dumps(made)) == dumps(made) or made["tag"] != ["contract"]
            assert made["ocid"] == f"ocds-abc123-{REFERENCE}"
            assert made["id"] == release_id(made["ocid"], case.published.h)


def test_references_lead_somewhere() -> None:
    for _state, tender in whole_tender():
        *_, case = tender.published_cases()
        made = release(case)
        parties = {each["id"] for each in made["parties"]}
        lots = {each["id"] for each in made["tender"]["lots"]}
        named = [made["buyer"], made["tender"]["procuringEntity"], *made["tender"].get("tenderers", [])]
        named += [each for bid in made.get("bids", {}).get("details", []) for each in bid["tenderers"]]
        named += [each for award in made.get("awards", []) for each in award.get("suppliers", [])]
        assert {each["id"] for each in named} <= parties
        assert {each["relatedLot"] for each in made["tender"]["items"]} <= lots
        assert {lot for award in made.get("awards", []) for lot in award["relatedLots"]} <= lots
        bids = {bid["id"] for bid in made.get("bids", {}).get("details", [])}
        assert {bid for award in made.get("awards", []) for bid in award.get("relatedBids", [])} <= bids
        awards = {award["id"] for award in made.get("awards", [])}
        assert {contract["awardID"] for contract in made.get("contracts", [])} <= awards


def cases(state: str) -> list[Case]:
    return list(next(tender for name, tender in whole_tender() if name == state).published_cases())


def test_the_record_holds_every_release_and_the_newest_state() -> None:
    releases = [release(case) for case in cases("failed the other lot")]
    (record,) = record_package(list(reversed(releases)), uri=BASE, base_url=BASE)["records"]
    assert [each["id"] for each in record["releases"]] == [each["id"] for each in releases]
    merged = record["compiledRelease"]
    assert merged["tag"] == ["compiled"]
    assert merged["date"] == releases[-1]["date"]
    assert merged["tender"]["status"] == "complete"
    assert [award["status"] for award in merged["awards"]] == ["active", "unsuccessful"]
    assert [bid["status"] for bid in merged["bids"]["details"]][:3] == ["valid", "valid", "disqualified"]


def test_merging_replaces_removes_and_joins_by_id() -> None:
    first = {"ocid": "o", "id": "1", "date": "2026-01-01T00:00:00+08:00", "tag": ["tender"], "tender": {"id": "t"}}
    first["tender"] = {"id": "t", "title": "old", "items": [{"id": "a", "q": 1}, {"id": "b"}], "methods": ["x", "y"]}
    second = {**first, "id": "2", "date": "2026-01-02T00:00:00+08:00"}
    second["tender"] = {"id": "t", "title": None, "items": [{"id": "a", "q": 2}, {"id": "c"}], "methods": ["z"]}
    merged = compiled([second, first])
    assert merged["tender"] == {"id": "t", "items": [{"id": "a", "q": 2}, {"id": "b"}, {"id": "c"}], "methods": ["z"]}
    with pytest.raises(ValueError, match="one procedure"):
        compiled([first, {**second, "ocid": "other"}])
    with pytest.raises(ValueError, match="one procedure"):
        compiled([])


def test_identifiers_of_the_publisher() -> None:
    own = ocid("ocds-abc123", REFERENCE)
    assert reference_of("ocds-abc123", own) == REFERENCE
    assert reference_of("ocds-xyz999", own) is None
    assert reference_of("ocds-abc123", "ocds-abc123-") is None


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1, "CNY", "0.01"), (123_456_789_012_345_678, "CNY", "1234567890123456.78"), (5, "JPY", "5"), (0, "CNY", "0.00")],
)
def test_money_is_an_exact_number(minor: int, currency: str, text: str) -> None:
    raw = dumps(value(minor, currency)).decode()
    assert raw == f'{{"amount":{text},"currency":"{currency}"}}'
    assert dumps(loads(raw.encode())).decode() == raw


def test_dates_carry_the_offset_of_china() -> None:
    assert date_time(CLOSE) == "2026-03-31T10:00:00+08:00"
    assert date_time(CLOSE + 7) == "2026-03-31T10:00:00.007+08:00"


@pytest.mark.parametrize("bad", [1.5, {1, 2}, Decimal("NaN"), object()])
def test_a_float_is_no_number_here(bad: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        dumps({"x": bad})


def test_exact_json_is_json() -> None:
    value = {"a": [1, True, None, '文\n"'], "b": {}}
    assert json.loads(dumps(value)) == value
