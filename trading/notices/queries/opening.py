"""The opening of one lot as the public sees it, as a value (SB1 S9, S11): its steps, windows, custodians, bids, acts.

Names are public from the opening order on; prices and verdicts are there for all bids together, once the last bid has
its result (电子招标投标办法 30, OPN-04). Before the order there is nothing but the deadline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from trading.notices.queries.journal import Happening
from trading.notices.queries.log import LogRow
from trading.notices.queries.values import Custodian
from trading.openings.queries import Spoken
from trading.openings.rules.consequences import Consequence, consequence
from trading.openings.rules.verdicts import Code
from trading.rulebook.keys import Key

# The steps of SB1 S9 in the words of the page. Custodians check while bidders may object to the list, and the record is
# signed while they may object to the opening; the others follow each other.
STEPS: Final = (
    "closed",
    "ordered",
    "checked",
    "objections",
    "factor",
    "released",
    "combined",
    "read_out",
    "on_the_spot",
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
    "completed": 10,
}
_TOGETHER: Final = (frozenset({"checked", "objections"}), frozenset({"on_the_spot", "completed"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A recorded fault of one custodian (SB1 S10)."""

    code: str
    custodian: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BidRow:
    """One bid of the opening order. ``verdict`` is None until the results of all bids are in; prices in minor units.

    ``result_in`` says that the station is through with this bid, never how it came out.
    """

    reference: str
    bidder_code: str
    bidder_zh: str
    bidder_en: str
    envelope_sha256: str
    result_in: bool = False
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
    on_the_spot_end_at: int | None = None

    def coming(self, now: int) -> Iterator[int]:
        """Yield the ends that are still to come."""
        ends = (
            self.objections_end_at,
            self.checks_end_at,
            self.factor_ends_at,
            self.release_ends_at,
            self.rescue_ends_at,
            self.on_the_spot_end_at,
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
    ceiling: int | None = None  # of the lot, in minor units of ``currency``
    currency: str = "CNY"
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
    spoken: tuple[Spoken, ...] = ()
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
        now = next((group - done for group in _TOGETHER if first in group), {first})
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
    def unanswered(self) -> int:
        """Return how many objections made on the spot wait for their answer."""
        return sum(each.answer is None for each in self.spoken)

    def acted_at(self, kind: str, custodian: int) -> int | None:
        """Return when (ms) a custodian last did something of this kind, as far as the journal tells."""
        found = (act.at for act in reversed(self.journal) if (act.kind, act.custodian) == (kind, custodian))
        return next(found, None)

    def may_object(self, now: int) -> bool:
        """Whether bidders may object to the opening on the spot at this instant (OPN-11)."""
        end = self.windows.on_the_spot_end_at
        return end is not None and now < end

    def over(self, now: int) -> bool:
        """Whether nothing will change on this page any more."""
        if self.phase in {"failed", "cancelled"}:
            return True
        return self.step == "completed" and not self.may_object(now) and not self.unanswered
