"""When a record becomes public: every public kind has its place, and what waits is told by the entry that ends it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.build.signed_log import SignedLog
from trading.assembly import REGISTRY
from trading.audit.rules.chain import entry_bytes, parse_entry
from trading.audit.rules.tree import leaf_hash
from trading.notices.queries.log import AFTER_ORDER, ALWAYS
from trading.notices.rules.records import AT_ONCE, DISCLOSING, READ, WAITING, Mark, disclosures

ONE, TWO = {"lot": "1", "stage": "all"}, {"lot": "2", "stage": "all"}


def marks(*acts: tuple[str, dict[str, Any]]) -> list[Mark]:
    return [Mark(n=n, kind=kind, body=body) for n, (kind, body) in enumerate(acts)]


def combined(place: dict[str, str], *bids: str) -> tuple[str, dict[str, Any]]:
    return "opening.combined", {**place, "items": [{"bid": bid, "faults": [], "verdict": "OK"} for bid in bids]}


def test_every_public_kind_has_a_place_and_no_other() -> None:
    assert {kind.name for kind in REGISTRY if kind.public} == AT_ONCE | set(WAITING)
    assert not AT_ONCE & set(WAITING)
    assert DISCLOSING <= AT_ONCE
    assert set(WAITING) | DISCLOSING == READ


def test_the_page_of_a_procedure_shows_no_kind_that_the_feed_never_tells() -> None:
    assert AT_ONCE | set(WAITING) >= (ALWAYS | AFTER_ORDER)


def test_what_was_closed_is_told_with_the_order_of_its_own_lot() -> None:
    acts = marks(("tender.closed", ONE), ("tender.closed", TWO), ("open.ordered", TWO))
    assert disclosures(acts) == {1: 2}
    assert disclosures([*acts, Mark(n=7, kind="open.ordered", body=ONE)]) == {0: 7, 1: 2}


def test_results_are_told_for_all_bids_of_a_lot_together() -> None:
    """While the last bid is being opened nothing tells how the first did (OPN-04)."""
    acts = marks(
        combined(ONE, "b-1", "b-2"),
        combined(TWO, "b-3"),
        ("bid.opened", {"bid": "b-1"}),
        ("bid.opened", {"bid": "b-3"}),
        ("bid.verdict", {"bid": "b-2"}),
    )
    assert disclosures(acts) == {}
    assert disclosures([*acts, Mark(n=5, kind="opening.completed", body=ONE)]) == {0: 5, 2: 5, 4: 5}


def test_a_stage_is_not_another_stage() -> None:
    acts = marks(
        ("tender.closed", {"lot": "1", "stage": "technical"}), ("open.ordered", {"lot": "1", "stage": "price"})
    )
    assert disclosures(acts) == {}


def test_what_is_not_understood_waits_for_ever() -> None:
    """Negative control: a result that no list of bids names is not told with somebody else's opening."""
    acts = marks(combined(ONE, "b-1"), ("bid.opened", {"bid": "b-9"}), ("opening.completed", ONE))
    assert disclosures(acts) == {0: 2}


@pytest.mark.parametrize("late", [0, 1, 2])
def test_a_later_record_never_changes_what_was_told(late: int) -> None:
    """What makes a cursor complete: more records only add to the answer, above the positions told before."""
    acts = marks(
        ("tender.closed", ONE), ("open.ordered", ONE), combined(ONE, "b-1"), ("bid.opened", {"bid": "b-1"}),
        ("opening.completed", ONE), ("open.ordered", ONE), ("opening.completed", ONE),
    )  # fmt: skip
    for end in range(len(acts) - late):
        before, after = disclosures(acts[:end]), disclosures(acts[: end + 1 + late])
        assert before.items() <= after.items()
        assert all(by >= end for n, by in after.items() if n not in before)


def test_a_place_below_the_public_head_is_no_secret() -> None:
    """Whoever knows a commitment and about when it was logged finds its place in the public tiles (ADR 0041).

    The leaf hash is public and so is that of the entry before, which is ``p``: what is left to guess are milliseconds.
    """
    log = SignedLog().grow(40)
    wanted = parse_entry(log.entries[23])

    def found(h: bytes, about: int) -> list[int]:
        return [
            n
            for n in range(1, len(log.hashes))
            if any(
                leaf_hash(entry_bytes(h, n, log.hashes[n - 1], t)) == log.hashes[n] for t in range(about, about + 200)
            )
        ]

    assert found(wanted.h, wanted.t - 150) == [23]
    assert found(hashlib.sha256(b"another record").digest(), wanted.t - 150) == []  # the control
