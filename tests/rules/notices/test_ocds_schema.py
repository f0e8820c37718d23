"""Every release and record is valid against OCDS 1.1.5 with bids, lots and bidOpening, at every state."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.build.ocds_cases import CLOSE, Tender, whole_tender
from tests.support.ocds_schema import Checker, checker, fixture, release_schema, require_data
from trading.notices.rules.exact_json import dumps, loads
from trading.notices.rules.ocds import compiled, record_package, release, release_package
from trading.notices.rules.ocds.merging import _OMITTED, _WHOLE

BASE = "https://ggzy.example"
PARTS = ("01-planning", "02-tender", "03-tenderAmendment", "04-award", "05-contract", "06-implementation")


@pytest.fixture
def schema() -> Checker:
    require_data()
    return checker()


def releases(tender: Tender) -> list[dict[str, Any]]:
    """Return the releases of all publishable facts so far, as they are read back."""
    return [loads(dumps(release(case))) for case in tender.published_cases()]


def package_of(made: list[dict[str, Any]]) -> dict[str, Any]:
    raw = release_package([dumps(each) for each in made], uri=BASE, base_url=BASE, published=made[-1]["date"])
    package: dict[str, Any] = loads(raw)
    assert package["releases"] == made
    return package


def test_every_state_is_valid(schema: Checker) -> None:
    states = []
    for state, tender in whole_tender():
        made = releases(tender)
        states.append(state)
        assert [schema.faults(each) for each in made] == [[] for _ in made], state
        assert schema.faults_of_package(package_of(made)) == [], state
        assert schema.faults_of_record(loads(dumps(record_package(made, uri=BASE, base_url=BASE)))) == [], state
        assert schema.faults(compiled(made)) == [], state
    assert states[0] == "published"
    assert len(states) == 12


def test_a_deadline_that_moved_by_rule_is_valid(schema: Checker) -> None:
    tender = Tender()
    tender.publish()
    tender.extend("1", CLOSE + 7_200_000)
    assert [schema.faults(each) for each in releases(tender)] == [[], []]


def broken() -> list[tuple[str, dict[str, Any]]]:
    """Return releases that are wrong in one place each."""
    *_, (_state, tender) = (each for each in whole_tender() if each[0] == "contracted")
    good = releases(tender)[-1]
    changes: list[tuple[str, Any]] = [
        ("date", "2026-03-02 09:00"),
        ("tag", ["bid"]),
        ("ocid", None),
        ("tender/status", "open"),
        ("tender/value/amount", "1000000.00"),
        ("tender/lots/0/id", 1),
        ("tender/numberOfTenders", 3),
        ("tender/bidOpening", {}),
        ("bids/statistics/0/value", None),
        ("bids/details/0/status", "opened"),
        ("bids/details/0/tenderers", "nobody"),
        ("contracts/0/awardID", None),
        ("awards/0/price", 5),
    ]
    return [(path, _with(good, path, value)) for path, value in changes]


def _with(good: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    bad = deepcopy(good)
    *way, last = path.split("/")
    place: Any = bad
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[last] = value
    return bad


def test_wrong_releases_are_found(schema: Checker) -> None:
    """Negative controls."""
    assert [path for path, bad in broken() if schema.faults(bad) == []] == []


def test_a_release_is_no_package_and_an_empty_package_is_none(schema: Checker) -> None:
    made = releases(next(whole_tender())[1])
    assert schema.faults_of_package(made[0]) != []
    assert schema.faults_of_package({**package_of(made), "releases": []}) != []
    assert schema.faults_of_record(package_of(made)) != []


def test_the_fictional_process_is_valid(schema: Checker) -> None:
    """The positive control of the checker. It uses no extension."""
    for part in PARTS:
        package = fixture(f"ocds-213czf-000-00001-{part}.json")
        assert schema.faults_of_package(package) == [], part
    assert schema.faults_of_record(fixture("record/ocds-213czf-000-00001.json")) == []


def test_the_merge_is_that_of_the_standard() -> None:
    """The compiled release of the fictional process, as its publishers merged it."""
    require_data()
    parts = [fixture(f"ocds-213czf-000-00001-{part}.json")["releases"][0] for part in PARTS]
    wanted = fixture("record/ocds-213czf-000-00001.json")["records"][0]["compiledRelease"]
    made = compiled(parts)
    assert {name: made[name] for name in made if name not in {"id", "tag"}} == {
        name: wanted[name] for name in wanted if name not in {"id", "tag"}
    }


def test_the_named_fields_of_the_merge_are_those_of_the_schema() -> None:
    require_data()
    found: dict[str, set[str]] = {"omitWhenMerged": set(), "wholeListMerge": set()}

    def walk(value: object, name: str) -> None:
        if isinstance(value, dict):
            for strategy, names in found.items():
                if value.get(strategy) is True:
                    names.add(name)
            for key, item in value.items():
                walk(item, name if key in {"properties", "items"} else key)

    walk(release_schema(), "")
    assert found == {"omitWhenMerged": set(_OMITTED), "wholeListMerge": set(_WHOLE)}
