"""The opening of one lot as the public sees it (SB1 S9, S11).

Names are public from the opening order on; prices and verdicts are shown for all bids together, once the last bid
has its result (电子招标投标办法 30, OPN-04). Before the order this page knows nothing but the deadline.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.tables import audit_entry
from trading.documents.cache import DOCUMENTS
from trading.kernel.calendar import WorkingDays
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound
from trading.notices.queries.journal import Happening, journal
from trading.notices.queries.log import LogRow, public_log
from trading.notices.queries.statements import PUBLIC_PHASES
from trading.notices.queries.values import Custodian
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.openings.queries import OpeningRow, Result
from trading.openings.rules.consequences import Consequence, consequence
from trading.openings.rules.verdicts import Code
from trading.openings.rules.windows import WindowLengths
from trading.openings.tables import custodian_answer
from trading.parties import queries as parties
from trading.procedures import queries as procedures
from trading.procedures.queries import ProcedureRow
from trading.procedures.service import edition_of
from trading.rulebook.keys import Key, Regime

# The steps of SB1 S9 in the words of the page. Custodians check while bidders may object; the others follow each other.
STEPS: Final = (
    "closed",
    "ordered",
    "checked",
    "objections",
    "factor",
    "released",
    "combined",
    "read_out",
    "completed",
)
# How far the recorded step of a ceremony has come: every step of ``STEPS`` before this place is over.
_OVER: Final[Mapping[str, int]] = {
    "ordered": 2,
    "factor": 4,
    "factor_closed": 5,
    "gaps": 5,
    "release_closed": 6,
    "combined": 7,
    "completed": 9,
}
_TOGETHER: Final = frozenset({"checked", "objections"})


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
    delivery_days: int | None = None
    sme: str | None = None  # what the bidder says of itself: small_micro, consortium

    @property
    def consequence(self) -> Consequence | None:
        """Return what the result means in law; None until the results of all bids are in."""
        return None if self.verdict is None else consequence(Code(self.verdict))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """How long a refund of the bid security may take by the edition of the procedure, in days of one sort."""

    key: Key
    count: int
    working: bool


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
class Step:
    """One step and how it stands: done, now, next."""

    name: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """When the windows of the ceremony end, in ms; None while they have not begun."""

    objections_end_at: int | None = None
    checks_end_at: int | None = None
    factor_ends_at: int | None = None
    release_ends_at: int | None = None
    rescue_ends_at: int | None = None

    def coming(self, now: int) -> Iterator[int]:
        """Yield the ends that are still to come."""
        ends = (
            self.objections_end_at,
            self.checks_end_at,
            self.factor_ends_at,
            self.release_ends_at,
            self.rescue_ends_at,
        )
        yield from (end for end in ends if end is not None and end > now)


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
    k: int = 0
    bidder_factor: bool = True
    windows: Windows = Windows()
    holders: tuple[KeyHolder, ...] = ()
    bids: tuple[BidRow, ...] = ()
    results_in: int = 0
    closing: Closing | None = None
    reason: str | None = None  # why there is no opening
    completed: LogRow | None = None
    raised: int = 0
    decided: int = 0
    journal: tuple[Happening, ...] = ()
    refunds: tuple[Refund, ...] = ()

    def refund_of(self, bid: BidRow) -> Refund | None:
        """Return how long the refund of a bid's security may take; None if its result brings none."""
        key = None if bid.consequence is None else bid.consequence.refund
        return next((refund for refund in self.refunds if refund.key == key), None)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return every step with its mark; one that this ceremony does not have is left out."""
        over = _OVER.get(self.step or "", 0)
        done = {name for place, name in enumerate(STEPS) if place < over}
        if self.checked == len(self.holders) > 0:
            done.add("checked")
        if self.read_out:
            done.add("read_out")
        names = [name for name in STEPS if name != "factor" or self.bidder_factor]
        first = next((name for name in names if name not in done), None)
        now = (_TOGETHER - done) if first in _TOGETHER else {first}
        marks = {name: "done" if name in done else "now" if name in now else "next" for name in names}
        return tuple(Step(name=name, mark=marks[name]) for name in names)

    @property
    def number(self) -> int:
        """Return the number of the first step that goes on now; that of the last one when all are done."""
        return next((n for n, step in enumerate(self.steps, 1) if step.mark == "now"), len(self.steps))

    @property
    def checked(self) -> int:
        """Return how many custodians have checked their shares."""
        return sum(holder.checked for holder in self.holders)

    @property
    def released(self) -> int:
        """Return how many custodians have released their shares."""
        return sum(holder.released for holder in self.holders)

    @property
    def waiting_objections(self) -> int:
        """Return how many objections wait for their decision."""
        return self.raised - self.decided

    @property
    def read_out(self) -> bool:
        """Whether the results of all bids may be shown."""
        return bool(self.bids) and all(bid.verdict is not None for bid in self.bids)

    def after(self, h: str) -> tuple[Happening, ...]:
        """Return the acts after the one whose record has the commitment ``h``; all of them if none has."""
        place = next((n for n, act in enumerate(self.journal, 1) if act.h == h), 0)
        return self.journal[place:]

    @property
    def over(self) -> bool:
        """Whether nothing will change on this page any more."""
        return self.step == "completed" or self.phase in {"failed", "cancelled"}


def ceremony(conn: Connection, reference: str, lot: str, stage: str = "all", *, acts: bool = True) -> Ceremony:
    """Return the opening of one lot; its acts one by one only if asked for.

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
    log = [each for each in public_log(conn, procedure.id) if each.lot in {lot, None}]
    common["reason"] = next((each.reason for each in reversed(log) if each.reason is not None), None)
    if opening is None:
        return Ceremony(**common)
    policy, schedule = _document(conn, row.policy_sha256), _document(conn, row.schedule_sha256)
    ordered = _document(conn, opening.order_sha256)["bids"]
    results = openings.results(conn, place)
    told = journal(conn, place, {each["bid"] for each in ordered}) if acts else ()
    kinds = [act.kind for act in told]
    return Ceremony(
        **common,
        step=opening.step,
        ordered_at=opening.ordered_at,
        order_sha256=opening.order_sha256,
        order_seq=opening.order_seq,
        k=policy["k"],
        bidder_factor=policy["bidder_factor"],
        windows=_windows(opening, WindowLengths.of_schedule(schedule), factor=policy["bidder_factor"]),
        holders=_holders(conn, place, opening.order_sha256, policy["custodians"]),
        bids=bids_of(conn, ordered, results),
        results_in=sum(each["bid"] in results for each in ordered),
        closing=_closing(conn, place),
        completed=next((each for each in log if each.kind == "opening.completed"), None),
        raised=kinds.count("objection.raised"),
        decided=kinds.count("objection.decided"),
        journal=told,
        refunds=_refunds(conn, procedure, opening.ordered_at),
    )


def _refunds(conn: Connection, procedure: ProcedureRow, at: int) -> tuple[Refund, ...]:
    """Return the periods that the edition of the procedure has for refunds of a bid security."""
    edition, regime = edition_of(conn, procedure, at), Regime(procedure.regime)
    keys = (Key.BID_SECURITY_REFUND_WITHDRAWN, Key.BID_SECURITY_REFUND_LOSERS)
    found = {key: edition.days(key, regime) for key in keys if edition.has(key, regime)}
    return tuple(
        Refund(key=key, count=days.count, working=isinstance(days, WorkingDays)) for key, days in found.items()
    )


def _document(conn: Connection, digest: str | None) -> dict[str, Any]:
    if digest is None:
        raise NotFound("the lot names no document")
    return DOCUMENTS.get(conn, bytes.fromhex(digest))


def _windows(row: OpeningRow, lengths: WindowLengths, *, factor: bool) -> Windows:
    """Return the ends as the ceremony's own rules count them (SB1 S9.2 to S9.7)."""
    objections_end_at = row.first_ordered_at + lengths.objection_ms
    begins = row.factor_closed_at if factor else objections_end_at
    return Windows(
        objections_end_at=objections_end_at,
        checks_end_at=row.ordered_at + lengths.share_check_ms,
        factor_ends_at=row.factor_ends_at,
        release_ends_at=None if begins is None else begins + lengths.release_window_ms,
        rescue_ends_at=row.gaps_at + lengths.rescue_ms if row.gaps_at is not None and row.gaps else None,
    )


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


def bids_of(
    conn: Connection, ordered: Sequence[Mapping[str, Any]], results: Mapping[str, Result]
) -> tuple[BidRow, ...]:
    """Return the bids of an opening order, with their results if and only if every one has its result."""
    complete = all(each["bid"] in results for each in ordered)
    names = parties.organisations(conn, tuple({each["bidder"] for each in ordered}))
    rows = []
    for each in ordered:
        known = names.get(each["bidder"])
        rows.append(
            BidRow(
                reference=each["bid"],
                bidder_code=each["bidder"],
                bidder_zh=known.name_zh if known else each["bidder"],
                bidder_en=known.name_en if known else each["bidder"],
                envelope_sha256=each["envelope_sha256"],
                **(_read_out(results[each["bid"]]) if complete else {}),
            )
        )
    return tuple(rows)


def _read_out(result: Result) -> dict[str, Any]:
    """Return what is read out of one bid: verdict, price and the terms that its price form states."""
    told: dict[str, Any] = {"verdict": result.verdict, "faults": _faults(result.faults)}
    if result.price is None:
        return told
    price = loads_object(result.price)
    terms = price.get("terms", {})
    days, sme = terms.get("delivery_days"), terms.get("sme")
    return {
        **told,
        "price": price["total"],
        "currency": price["currency"],
        "price_sha256": result.price_sha256,
        "delivery_days": days if isinstance(days, int) and not isinstance(days, bool) else None,
        "sme": sme if isinstance(sme, str) else None,
    }


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
