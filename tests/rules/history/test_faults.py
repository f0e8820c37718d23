"""Each thing that is wrong is told with its code and path; what is right is not."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from tests.build.ocds_cases import whole_tender
from tests.repo.tree import ROOT
from tests.support.ocds_schema import DATA, require_data
from tests.support.ocds_shape import shape
from trading.history.rules.digest import digest
from trading.history.rules.faults import MOST, faults_of, parse
from trading.notices.rules.exact_json import dumps, loads
from trading.notices.rules.ocds import record_package, release

SOUND: dict[str, Any] = {
    "ocid": "ocds-abc123-1",
    "id": "1",
    "date": "2026-05-12T10:00:00+08:00",
    "tag": ["tender"],
    "initiationType": "tender",
    "title_zh": None,
    "parties": [{"id": "p", "name": "医院", "name_en": "Hospital"}],
    "buyer": {"id": "p", "name": "医院"},
    "tender": {
        "id": "t",
        "title": "设备",
        "title_en": "Equipment",
        "status": "active",
        "value": {"amount": 1.5, "currency": "CNY"},
        "lots": [{"id": "1"}],
        "items": [{"id": "i", "relatedLot": "1", "quantity": 3}],
        "tenderPeriod": {"startDate": "2026-05-12T00:00:00Z", "endDate": "2026-06-12T00:00:00Z"},
        "documents": [{"id": "d", "url": "https://example.org/d"}],
    },
    "awards": [{"id": 7}],
    "contracts": [{"id": "c", "awardID": 7}],
}
del SOUND["title_zh"]


def told(value: object) -> list[tuple[str, str]]:
    found, faults = parse(json.dumps(value).encode())
    return [(each.code, each.path) for each in [*faults, *faults_of(found)]]


def changed(path: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    made: dict[str, Any] = json.loads(json.dumps(SOUND))
    *way, last = path.split("/")
    place: Any = made
    for each in way:
        place = place[int(each)] if each.isdigit() else place[each]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return made


def test_what_is_sound_has_no_fault() -> None:
    assert told(SOUND) == []
    for _state, tender in whole_tender():
        for case in tender.published_cases():
            found, faults = parse(dumps(release(case)))
            assert [*faults, *faults_of(found)] == []


@pytest.mark.parametrize(
    ("path", "value", "code", "at"),
    [
        ("ocid", ..., "member.missing", "ocid"),
        ("ocid", "", "text.empty", "ocid"),
        ("id", None, "value.null", "id"),
        ("fecha", "x", "member.unknown", "fecha"),
        ("date", "2026-02-30T00:00:00Z", "date.wrong", "date"),
        ("date", "2026-05-12", "date.wrong", "date"),
        ("date", 5, "type.wrong", "date"),
        ("tag", "tender", "type.wrong", "tag"),
        ("tag", [], "list.empty", "tag"),
        ("tag", ["planned"], "code.unknown", "tag/0"),
        ("tender", [], "type.wrong", "tender"),
        ("tender/value/amount", -1, "money.negative", "tender/value/amount"),
        ("tender/value/amount", "1", "type.wrong", "tender/value/amount"),
        ("tender/value/amount", True, "type.wrong", "tender/value/amount"),
        ("tender/value/currency", ..., "money.no_currency", "tender/value/currency"),
        ("tender/value/currency", "金", "code.unknown", "tender/value/currency"),
        ("tender/tenderPeriod/endDate", "2026-05-11T23:59:59Z", "date.order", "tender/tenderPeriod"),
        ("tender/documents/0/url", "not a uri", "uri.wrong", "tender/documents/0/url"),
        ("tender/items/0/id", ..., "member.missing", "tender/items/0/id"),
        ("tender/items/0/relatedLot", "2", "reference.missing", "tender/items/0/relatedLot"),
        ("contracts/0/awardID", "8", "reference.missing", "contracts/0/awardID"),
        ("buyer/id", "q", "reference.missing", "buyer/id"),
        ("awards", [{"id": 7}, {"id": "7"}], "id.repeated", "awards"),
    ],
)
def test_each_fault_is_told_where_it_is(path: str, value: object, code: str, at: str) -> None:
    assert told(changed(path, value)) == [(code, at)]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"ocid": ', "json.broken"),
        (b"", "json.broken"),
        (b"[" * 200_000, "json.broken"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "json.broken"),
        (b'{"ocid": "\xff"}', "json.encoding"),
        (b'{"ocid": "a", "ocid": "b"}', "json.repeated"),
        (b'{"ocid": NaN}', "json.constant"),
    ],
)
def test_what_is_no_json_is_told_and_kept(raw: bytes, code: str) -> None:
    value, faults = parse(raw)
    assert [each.code for each in faults] == [code]
    digest(value)


def test_a_record_is_looked_into() -> None:
    wrong = changed("date", "yesterday")
    record = {
        "ocid": "ocds-abc123-1",
        "releases": [SOUND, wrong, {"url": "https://x", "date": "x"}],
        "compiledRelease": wrong,
    }
    assert told(record) == [("date.wrong", "releases/1/date"), ("date.wrong", "compiledRelease/date")]
    assert digest(record).kind == "record"
    *_, (_state, tender) = whole_tender()
    made = [loads(dumps(release(case))) for case in tender.published_cases()]
    package = record_package(made, uri="https://x", base_url="https://x")
    assert faults_of(loads(dumps(package))["records"][0]) == []


def test_a_row_with_very_many_faults_says_how_many_more_there_are() -> None:
    found = faults_of(parse(json.dumps(SOUND).encode())[0] | {f"x{number}": 1 for number in range(MOST + 5)})
    assert len(found) == MOST + 1
    assert (found[-1].code, found[-1].detail) == ("faults.more", "5")


def test_hostile_values_are_shown_without_what_a_database_cannot_hold() -> None:
    found = digest(json.loads('{"ocid": "a\\u0000\\ud800", "id": 5, "tender": "x", "buyer": ["y"], "parties": 3}'))
    assert found.ocid == "a\ufffd?"
    assert found.release_id == "5"
    assert found.title is None


def test_the_shape_is_that_of_the_official_schema() -> None:
    require_data()
    stored = tomllib.loads((ROOT / "trading/history/rules/shape.toml").read_text(encoding="utf-8"))
    assert stored == shape()


def test_the_official_example_is_sound() -> None:
    require_data()
    for path in sorted((DATA / "fixtures" / "fictional-process" / "1.1").glob("*-0?-*.json")):
        for each in json.loads(path.read_bytes())["releases"]:
            assert [each for each in told(each) if each[0] not in {"member.unknown", "reference.missing"}] == [], (
                path.name
            )
