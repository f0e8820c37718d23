"""What whoever holds the documents of a tender is told when its deadline moves by rule (TE1 T6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from trading.kernel.calendar import CHINA
from trading.messages.rules.mail import Mail

_CAUSES: Final = {
    "clock": ("截止时平台不能保证时钟准确", "the platform could not vouch for its clock at the deadline"),
    "outage": ("截止前平台无法访问", "the platform could not be reached before the deadline"),
    "refusal": (
        "平台因自身原因拒收了按时到达的投标",
        "the platform refused, by its own fault, what arrived in time",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One deadline that has moved: of which lot, from when to when (ms), why, and the page that says so."""

    reference: str
    title_zh: str
    title_en: str
    lot: str
    before: int
    close: int
    cause: str
    link: str


def moved_mail(to: str, move: Move) -> Mail:
    """Return the mail about a move. It is the same for everybody and names nobody but the tender."""
    cause_zh, cause_en = _CAUSES[move.cause]
    zh = (
        f"{move.title_zh}（{move.reference}）第 {move.lot} 标段的投标截止时间已按事先公布的规则顺延，对所有人一样。\n"
        f"原因：{cause_zh}\n原截止时间：{_moment(move.before)} 之前\n新截止时间：{_moment(move.close)} 之前\n"
        f"已收到的投标继续有效，在新截止时间之前可以补交、修改或者撤回。\n详情：{move.link}"
    )
    en = (
        f"The deadline for bids of lot {move.lot} of {move.title_en} ({move.reference}) has moved, for everyone alike,"
        f" by the rule that was published in advance.\nReason: {cause_en}\n"
        f"Deadline so far: before {_moment(move.before)}\nNew deadline: before {_moment(move.close)}\n"
        "Bids received still stand; until the new deadline they can be handed in, replaced or withdrawn.\n"
        f"Details: {move.link}"
    )
    return Mail(to=to, subject="投标截止时间顺延 / Deadline for bids moved", text=f"{zh}\n\n----------\n\n{en}\n")


def _moment(ms: int) -> str:
    local = datetime.fromtimestamp(ms // 1000, UTC).astimezone(CHINA)
    return f"{local:%Y-%m-%d %H:%M:%S} (UTC+08:00)"
