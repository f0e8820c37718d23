"""Affiliates of agency and operator count with them (SB1 S3.1 rule 1)."""

from __future__ import annotations

import pytest

from trading.kernel.errors import RuleBroken
from trading.parties.model import affiliates, state_affiliation


@pytest.mark.parametrize(
    ("stated", "close"),
    [
        ([], "A"),
        ([("AB", True)], "AB"),
        ([("BC", True)], "A"),
        ([("BC", True), ("AB", True)], "ABC"),
        ([("AB", True), ("AB", False)], "A"),
        ([("AB", False), ("AB", True)], "AB"),
        ([("AB", True), ("BC", True), ("CD", True), ("EF", True), ("BC", False)], "AB"),
    ],
)
def test_who_is_close_through_whom(stated: list[tuple[str, bool]], close: str) -> None:
    assert affiliates([(tuple(pair), holds) for pair, holds in stated], {"A"}) == frozenset(close)


def test_a_pair_is_stated_in_one_order() -> None:
    first = state_affiliation("B", "A", affiliated=True, ground="a share")
    assert first.body["codes"] == ["A", "B"] == state_affiliation("A", "B", affiliated=True, ground="").body["codes"]
    with pytest.raises(RuleBroken, match=r"organisation\.itself"):
        state_affiliation("A", "A", affiliated=True, ground="x")
