"""The opening of one lot as the public sees it (SB1 S9, S11).

Names are public from the opening order on; prices and verdicts are shown for all bids together, once the last bid
has its result (电子招标投标办法 30, OPN-04). Before the order this page knows nothing but the deadline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.tables import audit_entry
from trading.documents import queries as documents
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound
from trading.notices.queries.statements import PUBLIC_PHASES
from trading.notices.queries.values import Custodian
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.openings.tables import custodian_answer
from trading.parties import queries as parties
from trading.procedures import queries as procedures

# The steps of SB1 S9 in the words of the page; a ceremony is at the first one that is not done.
STEPS: Final = ("ordered", "checked", "factor", "released", "combined", "read_out", "completed")
_DONE: Final[Mapping[str, int]] = {
    "ordered": 1,
    "factor": 2,
    "factor_closed": 3,
    "gaps": 3,
    "release_closed": 4,
    "combined": 5,
    "completed": 7,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A recorded fault of one custodian (SB1 S10)."""

    code: str
    custodian: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BidRow:
    """One bid of the opening order. ``verdict`` is None until the results of all bids are in; prices in minor units."""

    reference: str
    bidder_code: str
    bidder_zh: str
    bidder_en: str
    envelope_sha256: str
    verdict: str | None = None
    faults: tuple[Fault, ...] = ()
    price: int | None = None
    currency: str = "CNY"
    price_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """A custodian in this ceremony: which of its two answers have arrived."""

    custodian: Custodian
    checked: bool
    released: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What the close entry fixed: how many bids, under which root, in ms when."""

    count: int
    bids_root: str
    closed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony:
    """The opening page. Everything but the place and the deadline is empty before the first order."""

    reference: str
    title_zh: str
    title_en: str
    lot: str
    lot_zh: str
    lot_en: str
    phase: str
    close_at: int | None
    step: str | None = None
    ordered_at: int | None = None
    order_sha256: str | None = None
    order_seq: int = 0
    factor_ends_at: int | None = None
    k: int = 0
    bidder_factor: bool = True
    holders: tuple[KeyHolder, ...] = ()
    bids: tuple[BidRow, ...] = ()
    closing: Closing | None = None

    @property
    def done(self) -> int:
        """Return how many of ``STEPS`` are complete."""
        return _DONE.get(self.step or "", 0)

    @property
    def released(self) -> int:
        """Return how many custodians have released their shares."""
        return sum(holder.released for holder in self.holders)

    @property
    def read_out(self) -> bool:
        """Whether the results of all bids may be shown."""
        return bool(self.bids) and all(bid.verdict is not None for bid in self.bids)


def ceremony(conn: Connection, reference: str, lot: str, stage: str = "all") -> Ceremony:
    """Return the opening of one lot.

    Raises:
        NotFound: No such published procedure or lot.
    """
    procedure = procedures.find(conn, reference)
    if procedure.phase not in PUBLIC_PHASES:
        raise NotFound(reference)
    row = procedures.find_lot(conn, procedure.id, lot, stage)
    place = Place(procedure=reference, procedure_id=procedure.id, lot=lot, stage=stage)
    opening = openings.opening_row(conn, place)
    common: dict[str, Any] = {
        "reference": reference,
        "title_zh": procedure.title_zh,
        "title_en": procedure.title_en,
        "lot": lot,
        "lot_zh": row.title_zh,
        "lot_en": row.title_en,
        "phase": row.phase,
        "close_at": row.close_at,
    }
    if opening is None:
        return Ceremony(**common)
    policy = _document(conn, row.policy_sha256)
    order = _document(conn, opening.order_sha256)
    return Ceremony(
        **common,
        step=opening.step,
        ordered_at=opening.ordered_at,
        order_sha256=opening.order_sha256,
        order_seq=opening.order_seq,
        factor_ends_at=opening.factor_ends_at,
        k=policy["k"],
        bidder_factor=policy["bidder_factor"],
        holders=_holders(conn, place, opening.order_sha256, policy["custodians"]),
        bids=bids_of(conn, place, order["bids"]),
        closing=_closing(conn, place),
    )


def _document(conn: Connection, digest: str | None) -> dict[str, Any]:
    stored = documents.get(conn, bytes.fromhex(digest)) if digest is not None else None
    if stored is None:
        raise NotFound(f"document {digest}")
    return loads_object(stored.doc)


def _holders(
    conn: Connection, place: Place, order_sha256: str, custodians: Sequence[Mapping[str, Any]]
) -> tuple[KeyHolder, ...]:
    query = select(custodian_answer.c.kind, custodian_answer.c.custodian).where(
        custodian_answer.c.procedure_id == place.procedure_id,
        custodian_answer.c.lot == place.lot,
        custodian_answer.c.stage == place.stage,
        custodian_answer.c.order_sha256 == bytes.fromhex(order_sha256),
    )
    given = {(kind, index) for kind, index in conn.execute(query)}
    return tuple(
        KeyHolder(
            custodian=Custodian(index=each["i"], name=each["name"], role=each["role"]),
            checked=("check", each["i"]) in given,
            released=("release", each["i"]) in given,
        )
        for each in custodians
    )


def bids_of(conn: Connection, place: Place, ordered: Sequence[Mapping[str, Any]]) -> tuple[BidRow, ...]:
    """Return the bids of an opening order, with their results if and only if every one has its result."""
    results = openings.results(conn, place)
    complete = all(each["bid"] in results for each in ordered)
    names = parties.organisations(conn, tuple({each["bidder"] for each in ordered}))
    rows = []
    for each in ordered:
        known = names.get(each["bidder"])
        result = results[each["bid"]] if complete else None
        price = loads_object(result.price) if result is not None and result.price is not None else None
        rows.append(
            BidRow(
                reference=each["bid"],
                bidder_code=each["bidder"],
                bidder_zh=known.name_zh if known else each["bidder"],
                bidder_en=known.name_en if known else each["bidder"],
                envelope_sha256=each["envelope_sha256"],
                verdict=result.verdict if result is not None else None,
                faults=_faults(result.faults) if result is not None else (),
                price=price["total"] if price is not None else None,
                currency=price["currency"] if price is not None else "CNY",
                price_sha256=result.price_sha256 if result is not None else None,
            )
        )
    return tuple(rows)


def _faults(stored: object) -> tuple[Fault, ...]:
    faults = stored if isinstance(stored, list) else []
    return tuple(Fault(code=str(each["code"]), custodian=int(each["custodian"])) for each in faults)


def _closing(conn: Connection, place: Place) -> Closing | None:
    query = select(audit_entry.c.record).where(
        audit_entry.c.procedure_id == place.procedure_id, audit_entry.c.kind == "tender.closed"
    )
    for (record,) in conn.execute(query):
        body = json.loads(bytes(record))["body"]
        if (body["lot"], body["stage"]) == (place.lot, place.stage):
            return Closing(count=body["count"], bids_root=body["bids_root"], closed_at=body["closed_at"])
    return None
