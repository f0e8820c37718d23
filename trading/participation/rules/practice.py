"""The practice tender: what it asks for, who plays the other sides, and how much of it there may be (ADR 0061).

Everybody in it but the bidder is the platform itself, so it is secret from nobody there. Its organisations are in the
register with the one role ``practice``: nobody can choose them for a real tender.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from trading.kernel.credit_code import check_character
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.parties.model import PRACTICE

LOT: Final = "1"
STAGE: Final = "all"
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
#: From which a bidder chooses how long bids are taken.
MINUTES: Final = (10, 30, 120, 1_440)
MOST_A_DAY: Final = 10  # of one person, within 24 hours
MOST_AT_ONCE: Final = 3  # of one organisation that are not over
MOST_HERE: Final = 40  # of all organisations together that are not over
MOST_TODAY: Final = 300  # of all organisations together, within 24 hours
#: After its deadline a practice tender is over at the latest: its windows take about ten minutes.
ENDS_MS: Final = 3_600_000
#: After which a practice tender that takes no bids yet is not going to: normally it takes a few seconds.
STRANDED_MS: Final = 2 * MINUTE_MS
_LATEST_MS: Final = 5 * MINUTE_MS  # before the deadline; whatever is opened later leaves no time to practise
_FACTOR_MS: Final = 5 * MINUTE_MS
_UNFINISHED: Final = frozenset({"draft", "open", "closed", "opening"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One organisation of the platform that plays in practice tenders; ``keys`` are the roles of its keys."""

    name: str
    name_zh: str
    name_en: str
    keys: tuple[str, ...]
    number: int

    @property
    def code(self) -> str:
        """Return its invented credit code; nobody is registered under it."""
        body = f"91110108MA0PRC{self.number:03d}"
        return body + check_character(body)

    @property
    def login(self) -> str:
        """Return the name of its account."""
        return f"practice-{self.name}"


AGENCY: Final = Party(
    name="agency",
    name_zh="模拟代理机构（平台自设）",
    name_en="Practice agency of the platform",
    keys=("agency", "station-operator"),
    number=0,
)
SUPERVISOR: Final = Party(
    name="supervisor",
    name_zh="模拟监督部门（平台自设）",
    name_en="Practice supervisor of the platform",
    keys=("supervisor",),
    number=1,
)
CUSTODIANS: Final = tuple(
    Party(
        name=f"custodian-{number}",
        name_zh=f"模拟保管方{word}（平台自设）",
        name_en=f"Practice custodian {number} of the platform",
        keys=("custodian",),
        number=1 + number,
    )
    for number, word in enumerate("甲乙丙", start=1)
)
PARTIES: Final = (AGENCY, SUPERVISOR, *CUSTODIANS)
ORGANISATION_ROLES: Final = (PRACTICE,)

_ITEMS: Final = (
    ("A05010201", "可调高度课桌椅", "Height-adjustable desk and chair", "30", "套"),
    ("A02020805", "86 英寸交互式显示设备", "86-inch interactive display", "2", "台"),
)
_TITLES: Final = {
    "title_en": "[PRACTICE] A classroom: desks, chairs and displays",
    "title_zh": "【模拟】一间教室的课桌椅和显示设备",
}


def specification(close: int) -> dict[str, Any]:
    """Return what is asked for; ``close`` is the deadline in ms."""
    lot = {
        **_TITLES,
        "ceiling": 60_000_00,
        "currency": "CNY",
        "items": [dict(zip(("code", "name_zh", "name_en", "quantity", "unit"), item, strict=True)) for item in _ITEMS],
        "lot": LOT,
        "method": "lowest_evaluated_price",
        "tie_rule": "price_identity_lottery",
    }
    return {
        **_TITLES,
        "agency": AGENCY.code,
        "buyer": AGENCY.code,
        "close": close,
        "jurisdiction": "practice",
        "kind": "open_tender_gp",
        "lots": [lot],
        "sealing": {"bidder_factor": True, "k": 2, "n": len(CUSTODIANS), "price_bytes": 4096},
        "supervisor": SUPERVISOR.code,
        "supply_ends_at": None,
        "text_en": "A practice tender. Nothing is bought, and nothing comes of any bid.",
        "text_zh": "模拟项目，不采购任何标的，任何投标都不产生后果。",
        "windows": {
            "factor_window_ms": _FACTOR_MS,
            "objection_ms": MINUTE_MS,
            "release_window_ms": MINUTE_MS,
            "rescue_ms": MINUTE_MS,
            "share_check_ms": MINUTE_MS,
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One practice tender as far as the limits look at it; instants in ms, ``close_at`` None before it was opened."""

    asked_at: int
    phase: str
    close_at: int | None

    def is_over(self, at: int) -> bool:
        """Whether nothing more comes of it at ``at``: it has ended, or something has failed an hour ago."""
        if self.phase not in _UNFINISHED:
            return True
        return at >= (self.asked_at if self.close_at is None else self.close_at) + ENDS_MS


def deadline(at: int, minutes: int) -> int:
    """Return the deadline of a practice tender asked for at ``at``: the first full minute after so many minutes, ms.

    Raises:
        InvalidInput: ``doc.bad_field``: not one of those that are offered.
    """
    if minutes not in MINUTES:
        raise InvalidInput("doc.bad_field", f"minutes is one of {MINUTES}")
    return (at // MINUTE_MS + minutes + 1) * MINUTE_MS


def require_room(at: int, *, asked_at: list[int], today: list[int], own: list[Held], everybody: list[Held]) -> None:
    """Refuse one more practice tender where there are as many as may be.

    Args:
        at: Now, ms.
        asked_at: When this person asked for the newest ones, ms.
        today: When anybody did.
        own: Those of the person's organisation.
        everybody: Those of all organisations.

    Raises:
        RuleBroken: ``practice.many_today``, ``practice.many_open``, ``practice.full``.
    """
    if sum(each > at - DAY_MS for each in asked_at) >= MOST_A_DAY:
        raise RuleBroken("practice.many_today", None, most=MOST_A_DAY)
    if sum(not each.is_over(at) for each in own) >= MOST_AT_ONCE:
        raise RuleBroken("practice.many_open", None, most=MOST_AT_ONCE)
    is_full = sum(not each.is_over(at) for each in everybody) >= MOST_HERE
    if is_full or sum(each > at - DAY_MS for each in today) >= MOST_TODAY:
        raise RuleBroken("practice.full", None)


def leaves_time(at: int, close: int) -> bool:
    """Whether a practice tender that is opened at ``at`` still leaves time to practise."""
    return at <= close - _LATEST_MS
