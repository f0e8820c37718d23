"""Every indicator against cases in plain words (tests/vectors/statistics.toml), and what must hold of all sums."""

from __future__ import annotations

import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.ocds_cases import whole_tender
from tests.build.releases import market, release, written
from trading.notices.rules import exact_json
from trading.notices.rules.ocds import release as release_of
from trading.statistics.rules.cube import (
    BY,
    By,
    Cube,
    Figure,
    Sum,
    Wish,
    cube,
    grouped,
    month_of,
    rounded,
    select,
    total,
)
from trading.statistics.rules.facts import UNTOLD, newest, read
from trading.statistics.rules.indicators import INDICATORS, REASONS

CASES = tomllib.loads((Path(__file__).parents[2] / "vectors" / "statistics.toml").read_text())["case"]


def cube_of(lines: list[bytes]) -> Cube:
    return cube(each.tender for each in newest(map(read, lines)).values())


def figures(lines: list[bytes]) -> dict[str, Figure]:
    return {each.indicator.code: each for each in total(cube_of(lines))}


def said(figure: Figure) -> str:
    if figure.value is None or figure.indicator.unit == "count":
        return figure.text or "–"
    return f"{figure.text} = {figure.sum.numerator} / {figure.sum.denominator}"


@pytest.mark.parametrize("case", CASES, ids=[each["says"][:60] for each in CASES])
def test_golden_cases(case: dict[str, Any]) -> None:
    found = figures(written([release(number, told) for number, told in enumerate(case["procedures"])]))
    nothing = dict.fromkeys(found, "–") | {"tenders": "0"}
    assert {code: said(each) for code, each in found.items()} == nothing | case["figures"]
    left = {code: ", ".join(f"{reason} {n}" for reason, n in each.sum.left) for code, each in found.items()}
    assert {code: text for code, text in left.items() if text} == case["left"]


def test_the_cases_reach_every_indicator_and_nearly_every_reason() -> None:
    assert {code for case in CASES for code in case["figures"]} == {each.code for each in INDICATORS}
    told = {part.split()[0] for case in CASES for text in case["left"].values() for part in text.split(", ")}
    assert set(REASONS) - told == {"no_count", "no_publication"}  # only faulty releases of others


def test_faulty_releases_are_left_out_with_their_reason() -> None:
    late = release(1, {"published": "2026-02-01", "lots": [{"opened": "2026-01-26", "awarded": "2026-01-31"}]})
    found = figures(written([late]))
    assert found["bidders"].sum == Sum(0, 0, (("no_count", 1),))
    assert found["days_to_award"].sum == Sum(0, 0, (("no_publication", 1),))
    assert found["days_to_award"].value is None


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"ocid":"a","id":"b"}', b'{"ocid":"a","id":"b","date":"2026"}'])
def test_what_is_no_release_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"release|Expecting"):
        read(raw)


def test_members_of_wrong_types_tell_nothing() -> None:
    odd = {"ocid": "a", "id": "b", "date": "2026-01-01T00:00:00Z", "tender": [1], "bids": 3, "awards": {"x": 1}}
    picture = read(exact_json.dumps(odd))
    assert (picture.tender.lots, picture.tender.region, picture.tender.kind) == ((), UNTOLD, UNTOLD)


def test_own_releases_tell_what_their_records_say() -> None:
    """The platform's own releases, state after state: bids exist only from the opening of the lot on (NOT-36)."""
    seen: dict[str, dict[str, str]] = {}
    raw = b""
    for state, tender in whole_tender():
        raw = exact_json.dumps(release_of(list(tender.published_cases())[-1]))
        seen[state] = {code: said(each) for code, each in figures([raw]).items()}
    for state in ("published", "amended", "answered", "cancelled"):
        assert (seen[state]["bidders"], seen[state]["single_bid"]) == ("–", "–")
    assert seen["opened one lot"]["bidders"] == "3.0000 = 3 / 1"
    assert seen["opened"]["bidders"] == "3.0000 = 6 / 2"
    assert seen["awarded"]["savings"].endswith(" / 100000000")
    assert seen["failed the other lot"]["failed"] == "0.5000 = 1 / 2"
    assert seen["failed"]["failed"] == "1.0000 = 1 / 1"
    assert read(raw).tender.region == "110000"


LINES = written(list(market(60)))
PICTURES = [read(raw) for raw in LINES]
SOME = st.lists(st.integers(0, len(PICTURES) - 1), max_size=30)


def cube_at(places: list[int]) -> Cube:
    return cube(each.tender for each in newest(PICTURES[place] for place in places).values())


@given(st.permutations(range(12)))
def test_the_order_of_releases_makes_no_difference(places: list[int]) -> None:
    assert cube_at(places) == cube_at(list(range(12)))


@given(SOME)
def test_releases_read_twice_make_no_difference(places: list[int]) -> None:
    assert cube_at(places + places[::-1]) == cube_at(places)


@given(SOME, st.sampled_from(BY))
def test_months_add_up_to_the_year_and_parts_to_the_whole(places: list[int], by: By) -> None:
    whole = cube_at(places)
    for year in ("2024", "2025"):
        part = select(whole, Wish(first=f"{year}-01", last=f"{year}-12").fits)
        rows = grouped(part, by, [f"{year}-{n:02}" for n in range(1, 13)] if by == "month" else ())
        for each in total(part):
            added = sum((row.sum for row in rows[each.indicator.code]), Sum())
            assert added == each.sum


def test_a_month_without_anything_is_there_and_has_no_value() -> None:
    rows = grouped(cube_of([]), "month", ["2026-01"])
    assert [each.text for found in rows.values() for each in found] == ["0"] + [None] * (len(INDICATORS) - 1)


@given(st.fractions(), st.integers(0, 6))
def test_a_rounded_value_is_at_most_half_a_digit_away(value: Fraction, decimals: int) -> None:
    assert abs(Fraction(rounded(value, decimals)) - value) <= Fraction(1, 2 * 10**decimals)


def test_months_are_those_of_china() -> None:
    assert month_of(1_769_875_199_999) == "2026-01"  # 31 January, 23:59:59.999 in China
    assert month_of(1_769_875_200_000) == "2026-02"


def test_another_reading_of_the_same_lines_finds_the_same() -> None:
    """Written again in ten lines, without the rules: single bids and days over the last release of each procedure."""
    last: dict[str, Any] = {}
    for raw in LINES:
        one = exact_json.loads(raw)
        last[one["ocid"]] = one
    counts = [row["value"] for one in last.values() for row in one["bids"]["statistics"]]
    found = figures(LINES)
    assert found["single_bid"].value == Fraction(sum(n == 1 for n in counts), len(counts))
    assert found["bidders"].value == Fraction(sum(counts), len(counts))
    ends = [row["status"] for one in last.values() for row in one["awards"]]
    assert found["failed"].value == Fraction(ends.count("unsuccessful"), len(ends))
    awarded = [one for one in last.values() if one["awards"][0]["status"] == "active"]
    ceilings = sum(one["tender"]["lots"][0]["value"]["amount"] for one in awarded)
    prices = sum(one["awards"][0]["value"]["amount"] for one in awarded)
    assert found["savings"].value == Fraction(ceilings - prices) / Fraction(ceilings)
