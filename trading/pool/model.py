"""The pool as recorded events. No record carries a person: dossiers and reasons stand there as salted digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.kernel.events import Event, EventKind
from trading.kernel.ids import random_name

ARTICLE: Final = "政府采购评审专家管理办法 6–10"
#: Duties towards the pool, which nobody holds both of (SEP-02).
QUALIFIES, KEEPS = "qualifies", "keeps"

_kind: Final = EventKind.named

EVENTS: Final[tuple[EventKind, ...]] = (
    _kind("pool.applied", "files", "申请入库", "Applications to the pool", optional="batch"),
    _kind("pool.recommended", "number", "单位推荐", "Recommended by the employer"),
    _kind("pool.withdrawn", "number", "撤回申请", "Application withdrawn"),
    _kind("pool.amended", "commit number", "更新专家资料", "Dossier amended"),
    _kind("pool.refused", "number reason_commit rule", "不予入库", "Application refused"),
    _kind("pool.qualified", "change_sha256 items", "专家资格认定", "Experts qualified"),
    _kind("pool.ordered", "act change_sha256 number reason_commit", "资格变动", "Standing changed by a regulator"),
    _kind(
        "pool.disciplined",
        "measure number reason_commit rule",
        "专家处理处罚",
        "Expert disciplined",
        optional="amount until",
    ),
    _kind("pool.renewed", "number until", "续聘", "Appointment renewed"),
    _kind("pool.trained", "number trained_at", "登记培训", "Training noted"),
    _kind("pool.lapsed", "numbers rule", "聘期届满自动退出", "Appointments ended by rule"),
    _kind("specialty.published", "tree_sha256 version", "发布专业分类", "Specialty tree published"),
    _kind("appraisal.given", "late marks remark seat", "评审专家履职评价", "Expert appraised"),
    _kind("appraisal.answered", "answer rating seat", "专家说明与评价", "Appraisal answered"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One application as its record names it."""

    number: str
    commit: bytes
    regime: str
    via: str
    state: str

    def body(self) -> dict[str, str]:
        """Return the members of the record."""
        return {
            "commit": self.commit.hex(),
            "number": self.number,
            "regime": self.regime,
            "state": self.state,
            "via": self.via,
        }


def new_number() -> str:
    """Return a random pool number: of the application, and of the expert it makes (ED1 D3)."""
    return f"E-{random_name(12).upper()}"


def new_batch() -> str:
    """Return a random name of an import."""
    return f"I-{random_name(10).upper()}"


def event(kind: str, **body: object) -> Event:
    """Return an event of the pool, which belongs to no procedure."""
    return Event(kind=kind, subject="register:experts", body=body, article=ARTICLE)


def applied(files: Iterable[Applied], batch: str | None = None) -> Event:
    """Return the event of some applications, in the order in which they are stored."""
    body: dict[str, object] = {"files": [each.body() for each in files]}
    return event("pool.applied", **body, **({} if batch is None else {"batch": batch}))


def qualified(items: Mapping[str, int], change_sha256: str) -> Event:
    """Return the event that regulators have qualified experts; ``items`` as pool number → end of the term in ms."""
    listed: list[dict[str, Any]] = [{"number": number, "until": items[number]} for number in sorted(items)]
    return event("pool.qualified", items=listed, change_sha256=change_sha256)
