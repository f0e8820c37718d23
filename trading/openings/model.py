"""The opening ceremony as recorded steps (SB1 S9): its events. What a step needs is decided in ``rules/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.kernel.errors import Conflict
from trading.kernel.events import Event, EventKind


class NotYet(Conflict):
    """The ceremony has not come to this step; asking again later may help."""

    code = "not_yet"


_LOT = frozenset({"lot", "stage"})


def _kind(name: str, fields: frozenset[str], zh: str, en: str, *, public: bool = False) -> EventKind:
    return EventKind(name=name, fields=fields, public=public, title_zh=zh, title_en=en)


EVENTS = (
    _kind("open.ordered", _LOT | {"order_sha256"}, "开标令", "Opening ordered", public=True),
    _kind(
        "objection.raised",
        _LOT | {"bid", "envelope_sha256", "order_sha256"},
        "对投标清单的异议",
        "Objection raised",
    ),
    _kind("objection.decided", _LOT | {"decision_sha256", "order_sha256"}, "异议决定", "Objection decided"),
    _kind("share.checked", _LOT | {"check_sha256", "custodian"}, "份额核对", "Shares checked", public=True),
    _kind("share.adjudicated", _LOT | {"adjudication_sha256", "custodian"}, "份额裁定", "Shares adjudicated"),
    _kind(
        "custodian.key_disclosed",
        _LOT | {"auditor", "custodian", "disclosure_sha256"},
        "保管密钥披露",
        "Custodian key disclosed",
    ),
    _kind("factor.opened", _LOT | {"ends_at"}, "解密窗口开启", "Factor window opened", public=True),
    _kind(
        "factor.revealed",
        frozenset({"bid", "envelope_sha256", "received_at", "via"}),
        "投标人确认开启",
        "Factor revealed",
    ),
    _kind(
        "factor.refused",
        frozenset({"bid", "code", "envelope_sha256", "received_at"}),
        "因子拒收",
        "Factor refused",
    ),
    _kind("factor.closed", _LOT | {"factor_list_sha256"}, "解密窗口关闭", "Factor window closed", public=True),
    _kind("share.released", _LOT | {"custodian", "release_sha256"}, "份额释放", "Shares released", public=True),
    _kind("release.gaps", _LOT | {"bids"}, "份额缺口", "Release gaps"),
    _kind("rescue.accepted", frozenset({"bid", "envelope_sha256", "received_at"}), "补救收讫", "Rescue accepted"),
    _kind("release.closed", _LOT, "释放截止", "Release closed", public=True),
    _kind("opening.combined", _LOT | {"items"}, "全部合并", "All bids combined", public=True),
    _kind(
        "bid.opened",
        frozenset({"bid", "bidder", "envelope_sha256", "manifest_sha256", "price", "price_sha256"}),
        "启封唱标",
        "Bid opened",
        public=True,
    ),
    _kind("bid.verdict", frozenset({"bid", "faults", "verdict"}), "未能启封", "Bid not opened", public=True),
    _kind(
        "bid.inspected",
        frozenset({"bid", "clean", "list_sha256", "quarantined", "warned"}),
        "投标文件安全检查",
        "Files of a bid inspected",
    ),
    _kind("opening.objected", _LOT | {"text"}, "对开标当场提出异议", "Objection to the opening"),
    _kind("opening.answered", _LOT | {"objected_h", "text"}, "当场答复异议", "Objection to the opening answered"),
    _kind("opening.completed", _LOT | {"transcript_sha256s"}, "开标完成", "Opening completed", public=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a ceremony happens: the procedure with its row id, lot and stage."""

    procedure: str
    procedure_id: int
    lot: str
    stage: str


def lot_event(kind: str, place: Place, article: str | None = None, **body: Any) -> Event:  # noqa: ANN401 - JSON values
    """Return an event about a lot; ``lot`` and ``stage`` are added to the body."""
    return Event(
        kind=kind,
        subject=f"lot:{place.lot}",
        body={**body, "lot": place.lot, "stage": place.stage},
        procedure=place.procedure,
        procedure_id=place.procedure_id,
        article=article,
    )


def bid_event(kind: str, place: Place, bid: str, body: Mapping[str, Any], article: str | None = None) -> Event:
    """Return an event about one bid of the lot."""
    return Event(
        kind=kind,
        subject=f"bid:{bid}",
        body=body,
        procedure=place.procedure,
        procedure_id=place.procedure_id,
        article=article,
    )
