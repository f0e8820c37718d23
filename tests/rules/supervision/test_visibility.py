"""What a watcher may read while bids are sealed, while they are opened, and afterwards (security 9.2, NOT-36)."""

from __future__ import annotations

import pytest

from trading.assembly import EVENTS
from trading.supervision.rules.visibility import (
    AT_ONCE,
    OF_BIDS,
    OF_CEREMONY,
    PERIODIC,
    LotSecrecy,
    Secrecy,
    may_tell,
    secrecy,
)

SEALED = LotSecrecy(number="1", phase="open", step=None)
CLOSED = LotSecrecy(number="1", phase="closed", step=None)
ORDERED = LotSecrecy(number="1", phase="opening", step="ordered")
OVER = LotSecrecy(number="1", phase="opened", step="completed")
FAILED = LotSecrecy(number="2", phase="failed", step=None)
OTHER = LotSecrecy(number="2", phase="open", step=None)


@pytest.mark.parametrize(
    ("lots", "expected"),
    [
        ([], Secrecy.SEALED),
        ([SEALED], Secrecy.SEALED),
        ([CLOSED, FAILED], Secrecy.SEALED),
        ([ORDERED], Secrecy.OPENING),
        ([OVER, OTHER], Secrecy.OPENING),
        ([OVER, FAILED], Secrecy.OVER),
        ([FAILED], Secrecy.OVER),
    ],
)
def test_how_far_a_procedure_has_come(lots: list[LotSecrecy], expected: Secrecy) -> None:
    assert secrecy(lots) is expected


def test_while_sealed_only_what_says_nothing_about_bids() -> None:
    told = {kind.name for kind in EVENTS if may_tell(kind.name, "1", [SEALED])}
    assert told <= AT_ONCE
    assert not told & {"bid.received", "bid.withdrawn", "bid.refused", "tender.closed", "deadline.reached"}


def test_a_closed_lot_is_still_sealed() -> None:
    """The close entry holds the number of bids: it waits for the order."""
    assert not may_tell("tender.closed", "1", [CLOSED])
    assert may_tell("tender.closed", "1", [ORDERED])


def test_one_lot_opens_and_the_other_stays_sealed() -> None:
    assert may_tell("share.checked", "1", [ORDERED, OTHER])
    assert not may_tell("share.checked", "2", [ORDERED, OTHER])
    assert not may_tell("bids.ranked", "1", [OVER, OTHER]), "what is not of the ceremony waits for every lot"
    assert may_tell("bids.ranked", "1", [OVER, FAILED])


def test_what_one_bid_did_is_never_in_a_list() -> None:
    kinds = {*OF_BIDS, *(kind.name for kind in EVENTS if kind.name.startswith("bid.")), "bid.new"}
    assert [kind for kind in kinds if may_tell(kind, "1", [OVER])] == []


def test_an_unknown_kind_waits_like_a_bid() -> None:
    """Negative control: a kind that this release does not know is not told by mistake."""
    assert not may_tell("new.kind", "1", [SEALED])
    assert not may_tell("new.kind", "1", [ORDERED])


def test_the_table_names_real_kinds_once() -> None:
    known = {kind.name for kind in EVENTS}
    assert (AT_ONCE | OF_CEREMONY) - known == set()
    assert not AT_ONCE & OF_CEREMONY
    assert not OF_BIDS & (AT_ONCE | OF_CEREMONY)
    assert PERIODIC & known
    assert known >= OF_BIDS
