"""The annual table equals that of founding document 004 when it is fed its year; its identities are checked (A6.13)."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from trading.disclosure.rules.annual import (
    FEES,
    AnnualTable,
    Contested,
    Declared,
    Fact,
    Published,
    Received,
    Replied,
    annual_table,
    column,
    indicators,
    violations,
)
from trading.disclosure.views.annual import shown

VECTOR: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[2] / "vectors" / "annual_2012.toml").read_text(encoding="utf-8")
)
YEAR: int = VECTOR["year"]
EMPTY = column([])


def web(count: int, first: date, *, name: str = "d") -> list[Fact]:
    return [Published(document=f"{name}{n}", day=first + timedelta(days=n), place="web") for n in range(count)]


def printed(table: AnnualTable) -> list[list[str]]:
    return [
        [line.indicator.title_zh, line.indicator.unit, shown(line, line.of_year), shown(line, line.cumulative)]
        for line in table.lines
    ]


def test_fed_its_year_the_table_is_that_of_the_document() -> None:
    fed = VECTOR["fed"]
    before = column(web(fed["web_until_2011"], date(2008, 5, 1)))
    opening = Declared(year=2011, of_year=EMPTY, cumulative=before)
    facts = [*web(fed["web_in_2012"], date(2012, 1, 4), name="new"), *web(9, date(2013, 1, 1), name="later")]
    assert printed(annual_table(YEAR, facts, [opening])) == VECTOR["rows"]
    assert len(VECTOR["rows"]) == 16


def test_the_same_from_facts_alone_and_from_the_declared_table() -> None:
    fed = VECTOR["fed"]
    facts = [*web(fed["web_until_2011"], date(2008, 5, 1)), *web(fed["web_in_2012"], date(2012, 1, 4), name="new")]
    table = annual_table(YEAR, facts)
    assert printed(table) == VECTOR["rows"]
    declared = Declared(year=YEAR, of_year=table.of_year, cumulative=table.cumulative)
    assert printed(annual_table(YEAR, [], [declared])) == VECTOR["rows"]


def test_a_table_fed_one_document_less_is_another() -> None:
    """The negative control of the two above."""
    assert printed(annual_table(YEAR, web(355, date(2011, 12, 1)))) != VECTOR["rows"]


def test_later_years_go_on_from_the_declared_table() -> None:
    base = Declared(year=2012, of_year=EMPTY | {"admin_reviews": 1}, cumulative=EMPTY | {"admin_reviews": 3})
    facts = [Contested(day=date(2026, 1, 1), route="review"), Contested(day=date(2025, 12, 31), route="review")]
    for year, of_year, cumulative in ((2012, 1, 3), (2013, 0, 3), (2025, 1, 4), (2026, 1, 5)):
        table = annual_table(year, facts, [base])
        assert (table.of_year["admin_reviews"], table.cumulative["admin_reviews"]) == (of_year, cumulative)
        assert table.base == 2012


def test_every_row_counts_what_it_says() -> None:
    day = date(2026, 3, 2)
    facts: list[Fact] = [
        Published(document="a", day=day, place="web"),
        Published(document="a", day=day, place="gazette"),
        Published(document="b", day=day, place="web"),
        *(Received(day=day, channel=each) for each in ("in_person", "online", "online", "letter", "letter", "letter")),
        *(
            Replied(day=day, outcome=each, fee_waived=1050)
            for each in ("granted", "partly_granted", "refused", "other", "other")
        ),
        *(Contested(day=day, route=each) for each in ("review", "lawsuit", "appeal", "appeal")),
    ]
    table = annual_table(2026, facts)
    assert list(table.of_year.values()) == [2, 2, 1, 6, 1, 2, 3, 5, 1, 1, 1, 2, 5250, 1, 1, 2]
    assert violations(table.of_year, table.cumulative) == ()
    fees = next(line for line in table.lines if line.indicator.code == FEES)
    assert shown(fees, fees.of_year) == "52.50"


def test_a_document_printed_a_year_later_counts_once_in_all_years() -> None:
    facts = [
        Published(document="a", day=date(2025, 12, 31), place="web"),
        Published(document="a", day=date(2026, 1, 1), place="gazette"),
    ]
    table = annual_table(2026, facts)
    assert (table.of_year["proactive_docs"], table.cumulative["proactive_docs"]) == (1, 1)
    assert violations(table.of_year, table.cumulative) == ()


SOUND = column(
    [Received(day=date(2026, 1, 1), channel="online"), Published(document="a", day=date(2026, 1, 1), place="web")]
)


@pytest.mark.parametrize(
    ("of_year", "cumulative", "name"),
    [
        ({"requests_received": 2}, {"requests_received": 2}, "requests_by_channel"),
        ({"replies_other": 1}, {"replies_other": 1}, "replies_by_kind"),
        ({"proactive_docs_web": 2}, {"proactive_docs_web": 2}, "web_within_documents"),
        ({"proactive_docs_gazette": 2}, {"proactive_docs_gazette": 2}, "gazette_within_documents"),
        ({"admin_reviews": 1}, {}, "year_within_all:admin_reviews"),
        ({"admin_lawsuits": -1}, {}, "negative:admin_lawsuits"),
        ({}, {"replies_total": 2, "replies_other": 2}, "replies_within_requests"),
    ],
)
def test_a_broken_identity_is_named(of_year: dict[str, int], cumulative: dict[str, int], name: str) -> None:
    assert violations(SOUND, SOUND) == ()
    assert name in violations(SOUND | of_year, SOUND | cumulative)


def test_rows_are_those_of_the_annex() -> None:
    assert [[each.title_zh, each.unit] for each in indicators()] == [row[:2] for row in VECTOR["rows"]]
