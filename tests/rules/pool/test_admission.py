"""Ages, terms and cells at their boundaries (EXP-08, EXP-29, TIM-04)."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from tests.support.made_pool import SAMPLE
from trading.experts.rules.specialties import SEED, make_tree
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.pool.rules.admission import Candidate, after_years, age_on, last_day, require_admissible
from trading.pool.rules.dossier import Dossier, identity_number, strata_of
from trading.pool.rules.sheet import COLUMNS, Formula, active, header
from trading.rulebook.keys import Regime
from trading.rulebook.loader import builtin

EDITION = builtin().edition_on("cn", date(2026, 3, 1))


@pytest.mark.parametrize(("day", "age"), [("2026-03-01", 69), ("2026-03-02", 70), ("2026-03-03", 70)])
def test_the_birthday_itself_counts(day: str, age: int) -> None:
    assert age_on(date(1956, 3, 2), date.fromisoformat(day)) == age


def test_a_leap_day_becomes_the_28th() -> None:
    assert after_years(date(2024, 2, 29), 3) == date(2027, 2, 28)
    assert after_years(date(2024, 2, 29), 4) == date(2028, 2, 29)


@pytest.mark.parametrize(
    ("regime", "birth", "last"),
    [
        (Regime.TL, date(1950, 1, 1), date(2029, 3, 1)),
        (Regime.GP, date(1980, 1, 1), date(2029, 3, 1)),
        (Regime.GP, date(1956, 3, 3), date(2026, 3, 2)),
        (Regime.GP, date(1959, 3, 2), date(2029, 3, 1)),
        (Regime.GP, date(1959, 3, 1), date(2029, 2, 28)),
    ],
)
def test_a_term_ends_with_the_edition_or_before_the_age_limit(regime: Regime, birth: date, last: date) -> None:
    assert last_day(EDITION, regime, birth, date(2026, 3, 1)) == last


def test_there_is_no_pool_of_land() -> None:
    with pytest.raises(ValueError, match="no pool"):
        require_admissible(EDITION, Regime.LAND, Candidate(dossier=SAMPLE, today=date(2026, 3, 1)))


@pytest.mark.parametrize("number", ["110101197001010010", "11010119700101001", "x" * 18])
def test_an_identity_number_is_checked(number: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        identity_number(number)
    with pytest.raises(InvalidInput):
        Dossier.decode("{}")


@pytest.mark.parametrize("cell", [Formula("6+6"), "=1", "@x", "+x", "-x", "\t=1", " =1"])
def test_cells_that_compute(cell: str) -> None:
    assert active(cell)


@pytest.mark.parametrize("cell", ["+8613800000000", "-5", "x", "", None, 5, 1.5, True, datetime(2026, 1, 1)])  # noqa: DTZ001 - as openpyxl gives it
def test_cells_that_do_not(cell: object) -> None:
    assert not active(cell)  # type: ignore[arg-type]


def test_columns_are_found_in_both_languages_and_any_order() -> None:
    for names in ([each.zh for each in COLUMNS], [each.en.upper() for each in reversed(COLUMNS)]):
        assert len(header(list(names))) == len(COLUMNS)
    with pytest.raises(RuleBroken, match=r"sheet\.columns"):
        header(["姓名", "name"])


def test_strata_and_tree() -> None:
    assert strata_of(("B0101", "A0201"), ("P", "C")) == ("A0201-C", "A0201-P", "B0101-C", "B0101-P")
    assert "A0320" not in SEED.leaves
    assert {"A032001", "C1601"} <= SEED.leaves
    assert [depth for depth, node in SEED.lines() if node.code == "A032001"] == [2]
    with pytest.raises(InvalidInput, match=r"specialty\.tree"):
        make_tree([], version=1, source="x")
