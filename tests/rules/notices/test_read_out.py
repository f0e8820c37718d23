"""The read-out table: numbers of the opening order stay, whatever it is sorted by; prices beside the ceiling."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.build.pages import bid, ceremony, opened
from trading.kernel.errors import NotFound
from trading.notices.queries.opening_record import opening_record
from trading.notices.queries.read_out import By, ReadOut, read_out

BIDS = opened(5)  # the fourth did not open
DONE = ceremony("completed", BIDS)


def numbers(table: ReadOut) -> list[int]:
    return [line.number for line in table.lines]


def test_sorting_keeps_the_number_of_the_opening_order() -> None:
    assert numbers(read_out(DONE, By.ORDER, "en")) == [1, 2, 3, 4, 5]
    assert numbers(read_out(DONE, By.PRICE, "en")) == [1, 2, 5, 3, 4], "equal prices keep their order, none comes last"
    for language in ("zh", "en"):
        table = read_out(DONE, By.BIDDER, language)
        assert sorted(numbers(table)) == [1, 2, 3, 4, 5]
        assert all(BIDS[line.number - 1] is line.bid for line in table.lines)


@pytest.mark.parametrize(
    ("price", "share", "above"),
    [(384_999_999, "100.0", False), (385_000_000, "100.0", False), (385_000_001, "100.0", True), (1, "0.0", False)],
)
def test_a_price_at_the_ceiling_is_not_above_it(price: int, share: str, *, above: bool) -> None:
    (line,) = read_out(ceremony("completed", (bid(0, price=price),)), By.ORDER, "en").lines
    assert (line.share, line.above) == (share, above)


def test_the_axis_ends_at_the_largest_value() -> None:
    table = read_out(ceremony("completed", (bid(0, price=770_000_000),)), By.ORDER, "en")
    assert (table.lines[0].x, table.ceiling_x) == ("100.00", "50.00")
    free = replace(DONE, ceiling=None)
    assert read_out(free, By.ORDER, "en").ceiling_x is None
    assert {line.share for line in read_out(free, By.ORDER, "en").lines} == {None}


def test_another_currency_is_not_compared() -> None:
    foreign = replace(BIDS[0], currency="USD")
    table = read_out(ceremony("completed", (foreign, *BIDS[1:])), By.PRICE, "en")
    assert (table.lines[-2].number, table.lines[-2].x) == (1, None)
    assert (table.priced, table.lowest and table.lowest.number, table.highest and table.highest.number) == (3, 2, 3)


def test_before_the_results_of_all_there_is_no_record() -> None:
    sealed = ceremony("combined", (bid(0, verdict=None), bid(1, verdict=None)))
    table = read_out(sealed, By.PRICE, "en")
    assert (table.priced, table.lowest, table.ceiling_x) == (0, None, None)
    with pytest.raises(NotFound):
        opening_record(sealed)
    assert [each["number"] for each in opening_record(DONE)["bids"]] == [1, 2, 3, 4, 5]
