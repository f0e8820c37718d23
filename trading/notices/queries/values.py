"""What the page of one procedure shows, as frozen values. Instants in ms, money in minor units, digests in hex."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.bids.rules.schedule import Intake
from trading.kernel.ids import is_practice
from trading.notices.queries.log import LogRow
from trading.notices.rules.changes import Change
from trading.notices.rules.progress import LotState, Step
from trading.procedures.rules.extension import ExtensionRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One organisation; ``code`` is its unified social credit code."""

    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of what is bought; ``quantity`` is an exact decimal string."""

    code: str
    name_zh: str
    name_en: str
    quantity: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One tender document; its name is data, its address is its digest."""

    name: str
    sha256: str
    size: int
    media: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One line of the criteria tree as the notice fixes it; points are decimal strings."""

    kind: str
    max: str
    step: str
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str
    bands: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Custodian:
    """One keeper of an opening key (SB1 S3.1)."""

    index: int
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """How bids of the lot are sealed: any ``k`` of the custodians, and the bidder if ``bidder_factor``."""

    policy_sha256: str
    k: int
    bidder_factor: bool
    custodians: tuple[Custodian, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The schedule in force; windows in ms."""

    sha256: str
    seq: int
    cause: str | None
    objection_ms: int
    factor_window_ms: int
    extension_rule: ExtensionRule | None
    intake: Intake | None = None  # of the supervisor: where bids may be handed in, too (SB1 S7.6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One lot as the public sees it. ``close_at`` in ms, ``ceiling`` in minor units."""

    number: str
    stage: str
    title_zh: str
    title_en: str
    state: LotState
    close_at: int | None
    ceiling: int | None
    currency: str
    method: str
    tie_rule: str
    items: tuple[Item, ...]
    sealing: Sealing | None
    schedule: Schedule | None
    opening_step: str | None  # None before the first opening order
    steps: tuple[Step, ...]
    reason: str | None  # why it failed or was cancelled: the code in its record
    is_void: bool = False  # the deadline has passed inside a hold of the clock and is moved (TE1 T3)
    is_blocked: bool = False  # the deadline has passed, and the agency has to decide (TE1 T5)
    awaits_intake: bool = False  # the list of the supervisor's intake cannot be had (SB1 S7.6)
    budget: int | None = None
    category: str = ""
    criteria: tuple[Criterion, ...] = ()
    preference: Mapping[str, str] | None = None  # deductions in per cent
    formula: Mapping[str, Any] | None = None  # what the documents choose of the method's formula
    masked: bool = False  # members see letters instead of bidders until they have signed their scores
    abnormal: Mapping[str, str] | None = None  # shares in per cent below which a price must be explained, if raised

    @property
    def may_show_opening(self) -> bool:
        """Whether the opening order is signed, so that the opening has something to show."""
        return self.opening_step is not None

    @property
    def may_show_result(self) -> bool:
        """Whether there is a ranking to show."""
        return self.state in {LotState.RANKED, LotState.AWARDED, LotState.PUBLISHED, LotState.CONTRACTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One published version. ``size`` in bytes; ``published_at`` in ms."""

    number: int
    kind: str
    sha256: str
    size: int
    published_at: int
    title_zh: str
    title_en: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One protocol document that anyone may download; ``signed`` says whether it carries signatures."""

    sha256: str
    typ: str
    size: int
    signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page of one procedure."""

    reference: str
    kind: str
    regime: str
    jurisdiction: str
    edition_id: str
    edition_sha256: str
    phase: str
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str
    buyer: Party
    agency: Party
    supervisor: Party
    published_at: int
    lots: tuple[Lot, ...]
    notices: tuple[Notice, ...]  # newest first
    documents: tuple[Document, ...]
    log: tuple[LogRow, ...]
    files: tuple[File, ...] = ()
    supply_ends_at: int | None = None
    questions_until: int | None = None
    bid_validity_days: int | None = None

    @property
    def practice(self) -> bool:
        """Whether this is a practice tender, which nobody but its bidder is shown (ADR 0061)."""
        return is_practice(self.reference)

    @property
    def complete(self) -> bool:
        """Whether every opening is complete and no lot is sealed any more, so that there is evidence to take home."""
        steps = {each.opening_step for each in self.lots}
        sealed = {LotState.OPEN, LotState.CLOSING, LotState.CLOSED}
        return steps - {None} == {"completed"} and not any(each.state in sealed for each in self.lots)
