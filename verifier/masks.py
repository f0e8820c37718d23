"""Letters of masked bidders, recomputed for RK-01: fixed before any sheet, disclosed with the scores (ADR 0072)."""

from __future__ import annotations

from typing import Any

from verifier.evidence import Logged
from verifier.hashing import LABEL_MASK, LABEL_MASKS, tuple_hash
from verifier.lot import Lot
from verifier.report import Check

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def check_masks(lot: Lot, check: Check, ranked: Logged, opened: list[str], *, masked: bool) -> None:
    """The letters follow from a seed that was fixed before the first sheet was signed, where the notice masks bidders.

    ``opened`` are the references of the opened bids, sorted; every masked lot that is ranked has disclosed its letters.
    """
    committed, revealed = lot.all("masks.committed"), lot.all("masks.revealed")
    wanted = int(masked)
    if (len(committed), len(revealed)) != (wanted, wanted):
        check.fail(ranked.place, "masks bidders otherwise than the notice says")
        return
    if masked:
        _check_order(lot, check, (committed[0], revealed[0], ranked))
        _check_letters(lot, check, committed[0], revealed[0], opened)


def _check_order(lot: Lot, check: Check, drawn: tuple[Logged, Logged, Logged]) -> None:
    before, told, ranked = drawn
    signed = [each.n for each in lot.all("sheet.signed")]
    scores = [each.n for each in lot.all("scores.opened")]
    holds = all(before.n < n for n in signed) and any(n < told.n for n in scores) and told.n < ranked.n
    check.require(told.place, "letters were not fixed before the sheets, or told before the scores", holds=holds)


def _check_letters(lot: Lot, check: Check, before: Logged, told: Logged, opened: list[str]) -> None:
    seed = bytes.fromhex(told.body["seed"])
    context = (lot.procedure.encode(), lot.lot.encode(), lot.stage.encode())
    commit = tuple_hash(LABEL_MASKS, seed, *context).hex()
    check.require(before.place, "is a commitment to another seed", holds=before.body["commit"] == commit)
    check.require(before.place, "masks other bids than were opened", holds=before.body["bids"] == opened)
    order = sorted(opened, key=lambda bid: (tuple_hash(LABEL_MASK, seed, *context, bid.encode()), bid))
    letters = {bid: letter_of(number) for number, bid in enumerate(order)}
    shown = [(row["bid"], row["mask"]) for row in told.body["masks"]]
    check.require(told.place, "letters do not follow from the seed", holds=shown == sorted(letters.items()))


def with_bids(lot: Lot, check: Check, opened: Logged, sheets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return sheets with bids instead of letters, as the record disclosed them; as they are where nobody is masked.

    A letter that stands for no bid or for two, and a bid that has two, are faults: no sum can be trusted then.
    """
    told = lot.last("masks.revealed")
    if told is None:
        return sheets
    pairs = [(row["mask"], row["bid"]) for row in told.body["masks"]]
    behind = dict(pairs)
    single = len(behind) == len(set(behind.values())) == len(pairs)
    check.require(told.place, "a letter or a bid stands in it twice", holds=single)
    for sheet in sheets:
        names = [item["bid"] for item in sheet["items"]]
        strange = sorted(set(names) - behind.keys())
        check.require(opened.place, f"a sheet names {strange}, which are no letters of the lot", holds=not strange)
        check.require(opened.place, "a sheet names a letter twice", holds=len(names) == len(set(names)))
    return [
        {**sheet, "items": [{**item, "bid": behind.get(item["bid"])} for item in sheet["items"]]} for sheet in sheets
    ]


def letter_of(number: int) -> str:
    """Return the letters of a place from 0 on: A … Z, AA, AB and so on."""
    text = LETTERS[number % 26]
    while number >= 26:
        number = number // 26 - 1
        text = LETTERS[number % 26] + text
    return text
