"""Letters of masked bidders: fixed by a seed that was committed to, equal for everybody who recomputes them."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest

from trading.evaluation.rules.masks import commitment, draw, letter, names_bidder
from trading.openings.model import Place
from verifier import masks as verifier

PLACE = Place(procedure="T-2026-1", procedure_id=1, lot="1", stage="all")
BIDS = ["b-1", "b-2", "b-3"]
SEED = bytes(range(32))


def test_letters_are_given_in_the_order_of_tickets() -> None:
    drawn = draw(SEED, PLACE, BIDS)
    assert sorted(drawn) == BIDS
    assert sorted(drawn.values()) == ["A", "B", "C"]
    assert draw(SEED, PLACE, reversed(BIDS)) == drawn
    firsts = Counter(draw(bytes([number]) * 32, PLACE, BIDS)["b-1"] for number in range(240))
    assert all(50 <= firsts[each] <= 110 for each in "ABC")  # fixed seeds: the same in every run


@pytest.mark.parametrize(("number", "text"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (702, "AAA")])
def test_letters_go_on_after_the_last(number: int, text: str) -> None:
    assert letter(number) == text
    assert verifier.letter_of(number) == text


def test_the_commitment_is_of_one_seed_and_one_lot() -> None:
    other = Place(procedure="T-2026-1", procedure_id=1, lot="2", stage="all")
    found = {commitment(SEED, PLACE), commitment(SEED, other), commitment(bytes(32), PLACE)}
    assert len(found) == 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("本方案由 江北 家具厂\n编制", True),
        ("made by NORTH RIVER furniture", True),
        ("代码 91440101ma5 d2y2x0k", True),
        ("本方案由投标人编制", False),
        ("", False),
    ],
)
def test_a_name_is_found_whatever_the_spaces_and_the_case(text: str, *, found: bool) -> None:
    assert names_bidder(text, ("江北家具厂", "North River Furniture", "91440101MA5D2Y2X0K")) is found
    assert not names_bidder(text, ("", "x"))  # what is no name is found nowhere


class Records:
    """The records of one lot as the verifier sees them, and what it finds."""

    def __init__(self) -> None:
        drawn = draw(SEED, PLACE, BIDS)
        self.bodies: dict[str, list[tuple[int, dict[str, Any]]]] = {
            "masks.committed": [(1, {"bids": list(BIDS), "commit": commitment(SEED, PLACE)})],
            "sheet.signed": [(2, {}), (3, {})],
            "scores.opened": [(4, {})],
            "masks.revealed": [
                (5, {"masks": [{"bid": bid, "mask": drawn[bid]} for bid in BIDS], "named": [], "seed": SEED.hex()})
            ],
        }
        self.found: list[str] = []
        self.procedure, self.lot, self.stage = PLACE.procedure, PLACE.lot, PLACE.stage

    def all(self, kind: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(n=n, body=body, place=kind) for n, body in self.bodies.get(kind, [])]

    def fail(self, place: str, text: str) -> None:
        self.found.append(f"{place}: {text}")

    def require(self, place: str, text: str, *, holds: bool) -> None:
        if not holds:
            self.fail(place, text)

    def verified(self, *, masked: bool = True) -> list[str]:
        ranked = SimpleNamespace(n=6, body={}, place="bids.ranked")
        verifier.check_masks(cast("Any", self), cast("Any", self), cast("Any", ranked), BIDS, masked=masked)
        return self.found


def test_the_verifier_recomputes_the_same_letters() -> None:
    assert Records().verified() == []


def test_a_lot_that_masks_nobody_has_no_letters() -> None:
    records = Records()
    assert records.verified(masked=False) != []
    records = Records()
    records.bodies = {}
    assert records.verified(masked=False) == []
    assert records.verified() != []


def other_seed(records: Records) -> None:
    records.bodies["masks.revealed"][0][1]["seed"] = bytes(32).hex()


def swapped_letters(records: Records) -> None:
    first, second, _ = records.bodies["masks.revealed"][0][1]["masks"]
    first["mask"], second["mask"] = second["mask"], first["mask"]


def committed_after_a_sheet(records: Records) -> None:
    records.bodies["sheet.signed"].insert(0, (0, {}))


def told_before_the_scores(records: Records) -> None:
    records.bodies["scores.opened"] = [(9, {})]


def a_bid_left_out(records: Records) -> None:
    records.bodies["masks.committed"][0][1]["bids"].pop()


@pytest.mark.parametrize(
    "lie",
    [other_seed, swapped_letters, committed_after_a_sheet, told_before_the_scores, a_bid_left_out],
    ids=lambda lie: lie.__name__,
)
def test_the_verifier_finds_a_lie(lie: Any) -> None:  # noqa: ANN401 - a function that changes records
    records = Records()
    lie(records)
    assert records.verified() != []
