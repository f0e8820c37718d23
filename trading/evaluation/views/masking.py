"""Letters instead of bidders in addresses and on pages, for members of a committee whose documents want it (暗标).

Inside, a bid keeps its reference. An address that comes from a member has a letter, one that is made for a member
gets a letter. References of bids stand with names in the public record of the opening, so with one of them a member
finds nothing, and with a letter nobody else does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Final

from flask import current_app, g, request
from sqlalchemy import Connection

from trading.evaluation import queries, service
from trading.evaluation.queries import OpenedFile
from trading.evaluation.rules.masks import Masks
from trading.evaluation.service import LotState
from trading.kernel.errors import NotFound
from trading.procedures import queries as procedures
from trading.procedures.queries import ProcedureRow
from trading.web.locale import gettext

STAGE: Final = "all"
_LETTERS: Final = re.compile(r"[A-Z]{1,3}\Z")
_BIDS: Final = ("bid", "other")
_OF_AGENCY: Final = frozenset({"evaluation.qualify", "evaluation.explanation"})


def read_letters(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Put the bid behind each letter into the values of an address; the agency's own pages know no letters."""
    if endpoint in _OF_AGENCY or values is None or not any(_LETTERS.match(values.get(name, "")) for name in _BIDS):
        return
    with current_app.extensions["runtime"].ledger.read() as conn:
        row = procedures.find(conn, values["reference"])
        masks = masks_of(conn, row, values["lot"])
    if masks is None or not all(values.get(name, "A") in masks.by_letter or name not in values for name in _BIDS):
        raise NotFound(values["lot"])
    values.update({name: masks.by_letter[values[name]] for name in _BIDS if name in values})
    g.asked_by_letter = True


def write_letters(_endpoint: str, values: dict[str, Any]) -> None:
    """Put letters into an address that is made for a member."""
    masks = _current().get(values.get("lot", ""))
    if masks is not None:
        values.update({name: masks.by_bid[values[name]] for name in _BIDS if values.get(name) in masks.by_bid})


def masks_of(conn: Connection, row: ProcedureRow, lot: str) -> Masks | None:
    """Return the letters of a lot while they stand for names."""
    return service.masks_of(conn, row, procedures.find_lot(conn, row.id, lot, STAGE))


def enter(conn: Connection, row: ProcedureRow, seat: str | None) -> None:
    """Take note of the letters that this person sees, and refuse an address of the other kind.

    Raises:
        NotFound: A member asked by reference, or somebody else by letter.
    """
    lots = procedures.lots_of(conn, row.id)
    found = {lot.number: service.masks_of(conn, row, lot) for lot in lots}
    every = {lot: masks for lot, masks in found.items() if masks is not None}
    g.masks = every if seat is not None else {}
    asked = request.view_args or {}
    if asked.get("lot") in every and "bid" in asked and (seat is not None) is not g.get("asked_by_letter", False):
        raise NotFound(asked["bid"])


def _current() -> Mapping[str, Masks]:
    found: Mapping[str, Masks] = g.get("masks", {})
    return found


def is_masked(state: LotState) -> bool:
    """Whether this person sees letters in a lot."""
    return state.place.lot in _current()


def shown_bid(bid: str) -> str:
    """Return how a bid is called on this person's pages: its letter, else its reference (a filter of templates)."""
    return next((masks.by_bid[bid] for masks in _current().values() if bid in masks.by_bid), bid)


def sheet_name(bid: str, state: LotState) -> str:
    """Return how the sheets of a lot name a bid, also after the letters are disclosed (a filter of templates)."""
    return state.sheet_name(bid)


def masked_names(state: LotState) -> dict[str, str]:
    """Return a letter instead of each bidder's name, by bid."""
    letters = _current()[state.place.lot].by_bid
    return {each.bid: gettext("Bidder %(letter)s") % {"letter": letters[each.bid]} for each in state.opened}


def in_order(state: LotState) -> LotState:
    """Return the lot with its bids in the order of their letters: any other order would tell them apart."""
    masks = _current().get(state.place.lot)
    if masks is None:
        return state
    order = sorted(state.opened, key=lambda each: (len(masks.by_bid[each.bid]), masks.by_bid[each.bid]))
    return replace(state, opened=tuple(order))


def shown_files(conn: Connection, bid: str) -> tuple[OpenedFile, ...] | None:
    """Return the files of a bid under names that the bidder did not choose, where it is masked."""
    files = queries.files_of(conn, bid)
    if files is None or shown_bid(bid) == bid:
        return None if files is None else tuple(files)
    return tuple(replace(each, path=_name(number, each.path)) for number, each in enumerate(files, 1))


def _name(number: int, path: str) -> str:
    suffix = PurePosixPath(path).suffix.lower()
    return gettext("File %(number)d") % {"number": number} + (
        suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ""
    )


def told_naming(conn: Connection, state: LotState, bid: str) -> list[tuple[str, int]]:
    """Return (file as shown, page) wherever a masked part names its bidder; page 0 for a text without pages."""
    if not is_masked(state):
        return []
    names = {each.sha256: each.path for each in shown_files(conn, bid) or ()}
    return [(names.get(sha256, ""), number) for sha256, number in service.naming_places(conn, state, bid)]
