"""The shipped rule book: golden values, editions by day, the canonical document."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.build.tenders import NATIONAL, REPLAY, ms
from trading.kernel import canonical
from trading.kernel.calendar import CalendarDays, WorkingDays
from trading.kernel.digests import sha256
from trading.kernel.money import Money
from trading.rulebook.keys import Key, Regime
from trading.rulebook.loader import NATIONAL as NATIONAL_CODE
from trading.rulebook.loader import builtin, edition_at, rule
from trading.rulebook.model import Compare, Edition, Parameter, Unit, is_verified

GP = Regime.GP
VECTORS = Path(__file__).parents[2] / "vectors"
GOLDEN: list[dict[str, Any]] = json.loads((VECTORS / "edition_cn_2026.json").read_text())


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["key"])
def test_golden_values(case: dict[str, Any]) -> None:
    row = NATIONAL.row(Key(case["key"]), Regime(case.get("regime", "GP")))
    assert (row.value, row.unit, list(row.rule)) == (case["value"], case["unit"], case["rule"])


def test_every_key_has_a_golden_case() -> None:
    assert {case["key"] for case in GOLDEN} == {key.value for key in Key}


def test_getters_return_meaning() -> None:
    assert NATIONAL.days(Key.BID_PREPARATION_MIN, GP) == CalendarDays(count=20)
    assert NATIONAL.days(Key.DOCUMENTS_SUPPLY_MIN, GP) == WorkingDays(count=5)
    assert NATIONAL.calendar_days(Key.CLARIFICATION_LEAD, GP) == CalendarDays(count=15)
    assert NATIONAL.count(Key.BIDDERS_MIN, GP) == 3
    assert NATIONAL.flag(Key.RECOUNT_AFTER_DECRYPT, GP) is True
    assert NATIONAL.fraction(Key.ABNORMAL_LOW_OF_CEILING, GP) == Fraction(9, 20)
    assert NATIONAL.duration_ms(Key.DECRYPT_WINDOW_MIN, GP) == 1_800_000


def test_amounts_and_shares_are_exact() -> None:
    base = NATIONAL.row(Key.BIDDERS_MIN, GP)
    values: dict[str, Any] = {name: getattr(base, name) for name in Parameter.__slots__}
    amount = Parameter(**(values | {"value": 2_000_000, "unit": Unit.CNY}))
    share = Parameter(**(values | {"value": "2/3", "unit": Unit.FRACTION}))
    small = Parameter(**(values | {"value": "0.05", "unit": Unit.PERCENT}))

    def of(row: Parameter) -> Edition:
        return Edition(id="x.1", jurisdiction="x", title_zh="x", title_en="x", parameters={Key.BIDDERS_MIN: row})

    assert of(amount).money(Key.BIDDERS_MIN, GP) == Money(minor=200_000_000, currency="CNY")
    assert of(share).fraction(Key.BIDDERS_MIN, GP) == Fraction(2, 3)
    assert of(small).fraction(Key.BIDDERS_MIN, GP) == Fraction(1, 2000)


def test_asking_for_the_wrong_unit_or_regime_is_a_bug() -> None:
    with pytest.raises(ValueError, match="is in d"):
        NATIONAL.count(Key.BID_PREPARATION_MIN, GP)
    with pytest.raises(ValueError, match="has no"):
        NATIONAL.days(Key.DOCUMENTS_SUPPLY_MIN, Regime.TL)
    assert NATIONAL.has(Key.RETENTION_NOTICES, Regime.LAND)
    assert not NATIONAL.has(Key.DOCUMENTS_SUPPLY_MIN, Regime.TL)


@pytest.mark.parametrize(
    ("compare", "below", "equal", "above"),
    [
        (Compare.AT_LEAST, False, True, True),
        (Compare.AT_MOST, True, True, False),
        (Compare.BELOW, True, False, False),
        (Compare.ABOVE, False, False, True),
        (Compare.EQUAL, False, True, False),
    ],
)
def test_compare_says_whether_the_limit_is_allowed(compare: Compare, below: bool, equal: bool, above: bool) -> None:  # noqa: FBT001 - TIM-02
    base = NATIONAL.row(Key.BIDDERS_MIN, GP)
    values: dict[str, Any] = {name: getattr(base, name) for name in Parameter.__slots__}
    row = Parameter(**(values | {"compare": compare}))
    assert [row.allows(2), row.allows(3), row.allows(4)] == [below, equal, above]


@pytest.mark.parametrize(
    ("day", "law"),
    [("2026-01-31 23:59:59", False), ("2026-02-01 00:00:00", True), ("2026-02-02 00:00:00", True)],
)
def test_an_edition_changes_at_midnight_of_its_day(day: str, law: bool) -> None:  # noqa: FBT001 - B10.3 from 1 Feb
    assert edition_at("cn", ms(day)).has(Key.ABNORMAL_LOW_CHECK, GP) is law


def test_edition_ids() -> None:
    assert NATIONAL.id == "cn.2026-02-01"
    assert REPLAY.id == "demo.replay.2026-02-01"
    assert (NATIONAL.demo, REPLAY.demo) == (False, True)
    assert edition_at("cn", ms("2026-01-31 12:00:00")).id == "cn.2022-07-01"


def test_the_replay_edition_differs_only_where_it_says() -> None:
    changed = {key for key in Key if NATIONAL.parameters[key] != REPLAY.parameters[key]}
    assert changed == {Key.BIDDERS_MIN, Key.EXCLUDE_ABOVE_CEILING, Key.ABNORMAL_LOW_CHECK, Key.COMMITTEE_REQUIRED}
    assert REPLAY.count(Key.BIDDERS_MIN, GP) == 1
    assert not REPLAY.flag(Key.EXCLUDE_ABOVE_CEILING, GP)
    assert not REPLAY.flag(Key.ABNORMAL_LOW_CHECK, GP)
    assert all(REPLAY.parameters[key].configuration for key in changed)
    assert "非法律" in REPLAY.title_zh


def test_document_is_canonical_and_sorted() -> None:
    body = canonical.loads_object(NATIONAL.document())
    assert set(body) == {"id", "jurisdiction", "parameters", "typ", "v"}
    assert (body["typ"], body["v"], body["id"]) == ("mb.edition", 1, NATIONAL.id)
    keys = [row["key"] for row in body["parameters"]]
    assert keys == sorted(keys)
    assert all(set(row) == {"key", "rule", "source", "unit", "value"} for row in body["parameters"])
    assert NATIONAL.digest == sha256(NATIONAL.document())


def test_the_digest_changes_with_any_row() -> None:
    for key in Key:
        fewer = {other: row for other, row in NATIONAL.parameters.items() if other is not key}
        edition = Edition(id=NATIONAL.id, jurisdiction="cn", title_zh="x", title_en="x", parameters=fewer)
        assert edition.digest != NATIONAL.digest


@pytest.mark.parametrize("edition", [NATIONAL, REPLAY, edition_at("cn", ms("2026-01-15 00:00:00"))], ids=lambda e: e.id)
def test_a_stored_document_restores_its_edition(edition: Edition) -> None:
    restored = builtin().restore(edition.document())
    assert restored.document() == edition.document()
    assert restored.digest == edition.digest
    assert restored.parameters.keys() == edition.parameters.keys()
    assert [row.regime for row in restored.parameters.values()] == [
        edition.parameters[key].regime for key in restored.parameters
    ]


def test_a_stored_document_keeps_its_own_values() -> None:
    """A row changed since publication leaves a running procedure alone."""
    old = NATIONAL.document().replace(b'"unit":"d","value":20', b'"unit":"wd","value":25')
    restored = builtin().restore(old)
    assert restored.days(Key.BID_PREPARATION_MIN, GP) == WorkingDays(count=25)
    assert restored.document() == old
    assert restored.digest != NATIONAL.digest
    with pytest.raises(ValueError, match="unheard"):
        builtin().restore(NATIONAL.document().replace(b'"bidders.min"', b'"bidders.unheard"'))


def test_newest_edition_is_the_one_in_force_after_the_last_change() -> None:
    assert builtin().newest(NATIONAL_CODE).digest == edition_at("cn", ms("2030-01-01 00:00:00")).digest


def test_unknown_names_are_bugs() -> None:
    with pytest.raises(ValueError, match="no jurisdiction"):
        edition_at("atlantis", ms("2026-03-02 00:00:00"))
    with pytest.raises(ValueError, match="no rule"):
        rule("XXX-99")


def test_what_is_not_verified_is_shown_as_a_default() -> None:
    assert NATIONAL.parameters[Key.RECOUNT_AFTER_DECRYPT].configuration  # OPN-15, K70
    assert not NATIONAL.parameters[Key.BIDDERS_MIN].configuration
    assert not rule("OPN-15").verified
    assert rule("OPN-02").verified
    cases = {"V1": True, "V1/V2": True, "V1/K85": False, "K70": False, "V1 (local)": False, "product": False}
    assert {mark: is_verified(mark) for mark in cases} == cases


def test_shipped_rows_agree_with_the_product_folder() -> None:
    """Every jurisdiction file is loaded: a file that nobody reads would be a silent gap."""
    folder = Path(__file__).parents[3] / "trading" / "rulebook" / "data" / "jurisdictions"
    codes = {tomllib.loads(path.read_text())["jurisdiction"] for path in folder.glob("*.toml")}
    assert codes | {NATIONAL_CODE} == set(builtin().jurisdictions)


def test_rows_hold_from_first_to_last_day() -> None:
    row = NATIONAL.parameters[Key.ABNORMAL_LOW_CHECK]
    assert [row.holds_on(date(2026, 1, 31)), row.holds_on(date(2026, 2, 1))] == [False, True]
