"""A lawful open tender in values: calendar, editions, actors, facts and a specification to vary."""
# ruff: noqa: ANN401 - a builder takes any field

from __future__ import annotations

from datetime import datetime
from typing import Any

from trading.kernel.credit_code import check_character
from trading.kernel.roles import Actor, Role
from trading.procedures.rules.lifecycle import Facts
from trading.procedures.rules.policies import OPEN_TENDER_PERIODS
from trading.procedures.rules.spec import parse_spec
from trading.rulebook.calendar_days import published_calendar
from trading.rulebook.keys import Regime
from trading.rulebook.loader import edition_at

CALENDAR = published_calendar()


def ms(text: str) -> int:
    """Read a time of China such as ``2026-05-12 12:00:00`` as an instant."""
    return int(datetime.fromisoformat(f"{text}+08:00").timestamp() * 1000)


PUBLISHED_AT = ms("2026-03-02 09:00:00")  # a Monday; day 20 is Sunday 22 March, the next working day 23 March
EARLIEST = ms("2026-03-23 00:00:00")
CLOSE_AT = ms("2026-03-31 10:00:00")
NATIONAL = edition_at("cn", PUBLISHED_AT)
REPLAY = edition_at("demo.replay", PUBLISHED_AT)


def code(letter: str) -> str:
    """Return a valid unified social credit code that differs by ``letter``."""
    body = f"9111000010000{letter * 4}"
    return body + check_character(body)


def actor(*roles: Role, account: str = "a-2") -> Actor:
    return Actor(account=account, roles=frozenset(roles), organisation=code("A"))


REVIEWER = actor(Role.REVIEWER)
AGENCY = actor(Role.AGENCY, account="a-1")
PLATFORM = Actor.system("worker")


def facts(**changes: Any) -> Facts:
    """Facts under which every step of the open tender that does not contradict another one is lawful."""
    lawful: dict[str, Any] = {
        "at": PUBLISHED_AT,
        "edition": NATIONAL,
        "regime": Regime.GP,
        "calendar": CALENDAR,
        "periods": OPEN_TENDER_PERIODS,
        "drafted_by": "a-1",
        "close_at": CLOSE_AT,
        "ceiling": 100_000_00,
        "policy_fixed": True,
        "reason": "task cancelled",
        "report_signed": True,
        "terms": parse_spec(spec()).lots[0],
    }
    return Facts(**(lawful | changes))


def item(**changes: Any) -> dict[str, Any]:
    return {"code": "1", "name_zh": "服务器", "name_en": "Server", "quantity": "12.5", "unit": "台"} | changes


def lot(number: str = "1", **changes: Any) -> dict[str, Any]:
    return {
        "budget": None,
        "category": "goods",
        "ceiling": 1_000_000_00,
        "criteria": None,
        "currency": "CNY",
        "items": [item()],
        "lot": number,
        "method": "lowest_evaluated_price",
        "preference": None,
        "tie_rule": "price_identity_lottery",
        "title_en": f"Lot {number}",
        "title_zh": f"第{number}包",
    } | changes


def spec(**changes: Any) -> dict[str, Any]:
    """A specification as ``parse_spec`` reads it."""
    return {
        "agency": code("B"),
        "bid_validity_days": None,
        "buyer": code("A"),
        "close": CLOSE_AT,
        "extension_rule": None,
        "documents": [],
        "jurisdiction": "cn",
        "kind": "open_tender_gp",
        "lots": [lot()],
        "questions_until": None,
        "sealing": {"bidder_factor": True, "k": 3, "n": 5, "price_bytes": 4096},
        "supervisor": code("C"),
        "supply_ends_at": None,
        "text_en": "Supply of servers.",
        "text_zh": "采购服务器。",
        "title_en": "Servers",
        "title_zh": "服务器采购",
        "windows": {
            "factor_window_ms": 1_800_000,
            "objection_ms": 600_000,
            "share_check_ms": 600_000,
            "release_window_ms": 900_000,
            "rescue_ms": 900_000,
        },
    } | changes
