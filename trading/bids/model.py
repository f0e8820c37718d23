"""Submission, replacement, withdrawal and close of sealed bids: what is allowed now, and the event that records it.

Only digests stand in events, never a price. Sources: SB1 S7, S8; TE1 T4; AL1 L4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.audit.rules.tree import tree_root as merkle_root
from trading.kernel.canonical import dumps
from trading.kernel.errors import RuleBroken
from trading.kernel.events import Event, EventKind

MAX_VERSIONS = 50  # P12: replacements of one bid; a synthetic bidder goes on for ever (ADR 0054)

_RECEIVED = {"bid", "bidder", "envelope_sha256", "lot", "queue_ms", "received_at", "seq", "sig_sha256", "stage", "via"}
_WITHDRAWN = {"bid", "bidder", "lot", "received_at", "seq", "sig_sha256", "stage", "withdrawal_sha256"}
_CLOSED = {
    "bids_root",
    "close",
    "closed_at",
    "count",
    "heartbeat_size",
    "lot",
    "policy_sha256",
    "schedule_sha256",
    "stage",
}

EVENTS = (
    EventKind(
        name="bid.started",
        fields=frozenset({"bid", "bidder", "lot", "stage"}),
        title_zh="领取投标编号",
        title_en="Bid started",
    ),
    EventKind(
        name="probe.opened",
        fields=frozenset({"bidder", "lot", "policy_sha256", "schedule_sha256", "stage", "vantage"}),
        title_zh="自测标段设立",
        title_en="Probe lot opened",
    ),
    EventKind(
        name="practice.opened",
        fields=frozenset({"lot", "policy_sha256", "schedule_sha256", "stage"}),
        title_zh="模拟项目设立",
        title_en="Practice tender opened",
    ),
    EventKind(
        name="bid.received",
        fields=frozenset(_RECEIVED),
        optional=frozenset({"intake_receipt_sha256"}),
        title_zh="投标收讫",
        title_en="Bid received",
    ),
    EventKind(
        name="bid.withdrawn",
        fields=frozenset(_WITHDRAWN),
        optional=frozenset({"queue_ms"}),
        title_zh="投标撤回",
        title_en="Bid withdrawn",
    ),
    EventKind(
        name="bid.refused",
        fields=frozenset({"code", "envelope_sha256", "queue_ms", "received_at"}),
        title_zh="投标拒收",
        title_en="Bid refused",
    ),
    EventKind(
        name="bid.replicated",
        fields=frozenset({"envelope_sha256", "store"}),
        title_zh="投标密文已复制",
        title_en="Bid copied to another store",
    ),
    EventKind(
        name="rehearsal.checked",
        fields=frozenset({"bid", "results"}),
        title_zh="预解密演练",
        title_en="Rehearsal checked",
    ),
    EventKind(
        name="deadline.reached",
        fields=frozenset({"close", "lot", "stage"}),
        title_zh="到达截止时间",
        title_en="Deadline reached",
    ),
    EventKind(
        name="tender.closed",
        fields=frozenset(_CLOSED),
        optional=frozenset({"intake_list_sha256"}),
        public=True,
        title_zh="投标截止",
        title_en="Bidding closed",
    ),
    EventKind(
        name="opening.refused",
        fields=frozenset({"lot", "reason", "stage"}),
        public=True,
        title_zh="不予开标",
        title_en="Opening refused",
    ),
    EventKind(
        name="closing.blocked",
        fields=frozenset({"lot", "reason", "stage"}),
        title_zh="截止受阻",
        title_en="Closing blocked",
    ),
    EventKind(
        name="closing.confirmed",
        fields=frozenset({"doc_sha256", "lot", "reason", "stage"}),
        title_zh="确认截止",
        title_en="Closing confirmed",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BidHead:
    """The head row of one bid: one bidder, lot and stage."""

    id: int
    procedure_id: int
    procedure: str
    lot: str
    stage: str
    reference: str
    bidder: str
    seq: int
    head_kind: str
    head_sha256: str | None
    head_h: bytes | None
    is_probe: bool  # of a synthetic bidder, whose lot is never published


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An envelope or withdrawal as it arrived: the commitments that its record will name.

    ``intake_receipt_sha256`` names the receipt of what came ``via`` the intake (SB1 S7.6).
    """

    doc_sha256: str
    sig_sha256: str
    seq: int
    supersedes: str | None
    received_at: int
    queue_ms: int
    via: str = "platform"
    intake_receipt_sha256: str | None = None


def start(*, bid: str, bidder: str, lot: str, stage: str, procedure: str, procedure_id: int) -> Event:
    """Return ``bid.started``: the platform gives out a random bid id."""
    body = {"bid": bid, "bidder": bidder, "lot": lot, "stage": stage}
    return Event(kind="bid.started", subject=f"bid:{bid}", body=body, procedure=procedure, procedure_id=procedure_id)


def require_next_version(head: BidHead, received: Received) -> None:
    """S7.3 step 4: ``seq`` continues the chain and ``supersedes`` names its head."""
    if received.seq != head.seq + 1 or received.supersedes != head.head_sha256:
        raise RuleBroken("bid.version_conflict", "SB1 S7.3", standing=head.seq)
    if received.seq > MAX_VERSIONS and not head.is_probe:
        raise RuleBroken("bid.too_many_versions", "P12", limit=MAX_VERSIONS)


def receive(head: BidHead, received: Received) -> Event:
    """Return ``bid.received`` for the next version of the bid; the latest complete version stands (SUB-05)."""
    require_next_version(head, received)
    body: dict[str, Any] = {
        "bid": head.reference,
        "bidder": head.bidder,
        "envelope_sha256": received.doc_sha256,
        "lot": head.lot,
        "queue_ms": received.queue_ms,
        "received_at": received.received_at,
        "seq": received.seq,
        "sig_sha256": received.sig_sha256,
        "stage": head.stage,
        "via": received.via,
    }
    if received.intake_receipt_sha256 is not None:
        body["intake_receipt_sha256"] = received.intake_receipt_sha256
    return _event("bid.received", head, body)


def withdraw(head: BidHead, received: Received) -> Event:
    """Return ``bid.withdrawn``: only a standing envelope can be withdrawn (SB1 S7.5)."""
    if head.head_kind != "envelope":
        raise RuleBroken("bid.version_conflict", "SB1 S7.5", standing=head.seq)
    require_next_version(head, received)
    body: dict[str, Any] = {
        "bid": head.reference,
        "bidder": head.bidder,
        "lot": head.lot,
        "queue_ms": received.queue_ms,
        "received_at": received.received_at,
        "seq": received.seq,
        "sig_sha256": received.sig_sha256,
        "stage": head.stage,
        "withdrawal_sha256": received.doc_sha256,
    }
    return _event("bid.withdrawn", head, body)


def replicate(head: BidHead, envelope_sha256: str, store: str) -> Event:
    """Return ``bid.replicated``: ``store`` has every part of an envelope, whole (SB1 S7.4)."""
    return Event(
        kind="bid.replicated",
        subject=f"bid:{head.reference}",
        body={"envelope_sha256": envelope_sha256, "store": store},
        procedure=head.procedure,
        procedure_id=head.procedure_id,
    )


def _event(kind: str, head: BidHead, body: Mapping[str, Any]) -> Event:
    return Event(
        kind=kind,
        subject=f"bid:{head.reference}",
        body=body,
        procedure=head.procedure,
        procedure_id=head.procedure_id,
        article="招标投标法 29" if kind == "bid.withdrawn" else "招标投标法 28",
    )


def refuse(
    *,
    code: str,
    envelope_sha256: str,
    queue_ms: int,
    received_at: int,
    lot: str,
    procedure: str,
    procedure_id: int,
) -> Event:
    """Return ``bid.refused`` (subject ``lot:<lot>``): the evidence of a refusal."""
    body = {"code": code, "envelope_sha256": envelope_sha256, "queue_ms": queue_ms, "received_at": received_at}
    return Event(kind="bid.refused", subject=f"lot:{lot}", body=body, procedure=procedure, procedure_id=procedure_id)


def require_in_time(*, received_at: int, close: int | None, phase: str | None, hold: bool) -> None:
    """S7.3 step 2: half-open, strict; the close decides by what ``act_begin`` returned and by nothing else."""
    if close is not None and received_at >= close:
        raise RuleBroken("clock.hold" if hold else "bid.late", "SUB-01", close=close, received_at=received_at)
    if phase != "open" or close is None:
        raise RuleBroken("bid.closed", "SUB-01", received_at=received_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestItem:
    """One valid bid at the close."""

    bid: str
    envelope_sha256: str
    h: str
    seq: int

    def leaf(self) -> bytes:
        """Return the leaf data of SB1 S8."""
        return dumps({"bid": self.bid, "envelope_sha256": self.envelope_sha256, "h": self.h, "seq": self.seq})


def bids_root(items: tuple[ManifestItem, ...]) -> str:
    """Return the root over the leaves sorted by bid id (SB1 S8), in hex; no bids give the empty root."""
    return merkle_root([item.leaf() for item in sorted(items, key=lambda item: item.bid.encode())]).hex()


def close(
    *,
    items: tuple[ManifestItem, ...],
    lot: str,
    stage: str,
    closes_at: int,
    closed_at: int,
    heartbeat_size: int,
    policy_sha256: str,
    schedule_sha256: str,
    procedure: str,
    procedure_id: int,
    intake_list_sha256: str | None = None,
) -> Event:
    """Return ``tender.closed`` with the manifest's root and count (SB1 S8), and the intake's list if one was obtained.

    The list is of an intake that the schedule names (S7.6, ADR 0059).
    """
    body: dict[str, Any] = {
        "bids_root": bids_root(items),
        "close": closes_at,
        "closed_at": closed_at,
        "count": len(items),
        "heartbeat_size": heartbeat_size,
        "lot": lot,
        "policy_sha256": policy_sha256,
        "schedule_sha256": schedule_sha256,
        "stage": stage,
    }
    if intake_list_sha256 is not None:
        body["intake_list_sha256"] = intake_list_sha256
    return Event(
        kind="tender.closed",
        subject=f"lot:{lot}",
        body=body,
        procedure=procedure,
        procedure_id=procedure_id,
        article="招标投标法 34",
    )


def refuse_opening(lot: str, stage: str, reason: str, procedure: str, procedure_id: int) -> Event:
    """Return ``opening.refused``: fewer bids than the law asks for are not opened (SB1 S8, OPN-02)."""
    return Event(
        kind="opening.refused",
        subject=f"lot:{lot}",
        body={"lot": lot, "reason": reason, "stage": stage},
        procedure=procedure,
        procedure_id=procedure_id,
        article="招标投标法实施条例 44",
    )
