"""What the bidder's desk knows of one bidder in one lot, as frozen values. Instants in ms, money in minor units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.audit.rules.proof import ReceiptState
from trading.notices.queries.values import Lot
from trading.openings.rules.consequences import Consequence, consequence
from trading.openings.rules.verdicts import Code
from trading.participation.rules.tasks import Task
from trading.storage.tokens import TokenName


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One envelope, withdrawal or rehearsal that arrived.

    ``n`` is its place in the log, None until it is there; ``tokens`` are the time stamps over its checkpoint.
    """

    seq: int
    kind: str
    sha256: str
    h: str
    received_at: int
    state: ReceiptState
    n: int | None
    tokens: tuple[TokenName, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Return the name that the client shows to people: 20 digits in five groups (SB1 S4.5)."""
        return " ".join(self.sha256[start : start + 4] for start in range(0, 20, 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What one custodian said of a rehearsal; ``ok`` is None while it has not answered."""

    custodian: str
    ok: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How far the opening of the lot is for this bidder.

    ``factor`` as in ``tasks.Situation``; ``rescue`` is ``none``, ``open``, ``accepted`` or ``over``, and
    ``rescue_ends_at`` (ms) is known once the gaps are.
    """

    step: str
    listed: bool
    objections_end_at: int | None
    factor_ends_at: int | None
    factor: str
    rescue: str
    wants_rescue: bool
    rescue_ends_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedItem:
    """One line of the own price as it was read out."""

    code: str
    quantity: str
    unit_price: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The own bid as it was opened, once all bids are read out (OPN-04)."""

    verdict: str
    currency: str
    total: int | None
    items: tuple[OpenedItem, ...]
    delivery_days: int | None
    sme: str | None
    price_sha256: str | None
    manifest_sha256: str | None

    @property
    def consequence(self) -> Consequence:
        """Return what the result means in law."""
        return consequence(Code(self.verdict))


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One finding about the own bid: what was examined, its outcome, and the reason with its rule."""

    step: str
    outcome: str
    reason: str
    rule: str | None
    preference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The own result and its reasons, told to this bidder alone (AWD-11).

    ``score`` is the total as published, None where the method gives no points; ``scores`` the sums over all members by
    criterion; ``reason`` is the code why there is no rank.
    """

    method: str
    ranked: int
    rank: int | None
    price: int
    evaluated_price: int
    currency: str
    preference: str | None
    score: str | None
    scores: tuple[tuple[str, str], ...]
    reason: str | None
    awarded: bool
    award_price: int | None
    published_at: int | None
    examinations: tuple[Examination, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLot:
    """Everything of one lot on the desk; ``bid`` is the bid id, None until one was taken."""

    lot: Lot
    tasks: tuple[Task, ...]
    bid: str | None = None
    versions: tuple[Version, ...] = ()
    rehearsals: tuple[Rehearsal, ...] = ()
    files_waiting: int = 0
    opening: Opening | None = None
    opened: Opened | None = None
    outcome: Outcome | None = None

    @property
    def sent(self) -> tuple[Version, ...]:
        """Return what counts: envelopes and withdrawals in order, without rehearsals."""
        return tuple(each for each in self.versions if each.kind != "rehearsal")

    @property
    def newest(self) -> Version | None:
        """Return the newest envelope or withdrawal, or None."""
        return self.sent[-1] if self.sent else None

    @property
    def standing(self) -> Version | None:
        """Return the version that would be opened, or None."""
        newest = self.newest
        return newest if newest is not None and newest.kind == "envelope" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What the price form and ``mingbiao bid price`` need of one lot; public data and nothing else."""

    tender: str
    lot: Lot

    def to_json(self, name: Mapping[str, str]) -> dict[str, Any]:
        """Return the template with the items' names in one language, by code."""
        return {
            "ceiling": self.lot.ceiling,
            "currency": self.lot.currency,
            "items": [
                {"code": each.code, "name": name[each.code], "quantity": each.quantity, "unit": each.unit}
                for each in self.lot.items
            ],
            "lot": self.lot.number,
            "tender": self.tender,
        }
