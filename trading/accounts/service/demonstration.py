"""The way in of a demonstration: credentials of its people in a file, so that a visitor can be any of them.

Exists in demo mode alone, where all keys lie on one machine and nothing proves anything (P13).
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from trading.accounts.queries import actor_of, host_ms
from trading.accounts.rules import codes
from trading.accounts.service.credentials import set_factors
from trading.accounts.service.sessions import open_session
from trading.audit.runtime import Runtime
from trading.kernel.errors import NotFound

FILE: Final = "demo-people.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One person of the demonstration: whose part a visitor can take, and what to try with it."""

    login: str
    title_zh: str
    title_en: str
    note_zh: str
    note_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn(Part):
    """The same with password, authenticator secret and recovery codes."""

    password: str
    secret: str
    recovery: tuple[str, ...]


def open_ways_in(runtime: Runtime, data_dir: Path, parts: Iterable[Part]) -> list[WayIn]:
    """Give every person of the demonstration credentials and write them to ``data_dir``; return them for printing.

    Raises:
        ValueError: The platform is no demonstration. A bug of the caller.
        NotFound: No such account.
    """
    if not runtime.demo:
        raise ValueError("credentials are never written to a file outside demo mode")
    ways = [_way_in(runtime, part) for part in parts]
    fresh = data_dir / f"{FILE}.new"
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump([asdict(way) for way in ways], file, ensure_ascii=False)
    fresh.replace(data_dir / FILE)
    return ways


def ways_in(data_dir: Path) -> list[WayIn]:
    """Return who a visitor can be; nobody before the demonstration has written its file."""
    try:
        rows = json.loads((data_dir / FILE).read_text())
    except FileNotFoundError:
        return []
    return [WayIn(**{**row, "recovery": tuple(row["recovery"])}) for row in rows]


def code_now(conn: Connection, way: WayIn) -> tuple[str, int]:
    """Return the six digits that the authenticator of this person would show, and for how many more seconds."""
    now = host_ms(conn)
    return codes.code_at(way.secret, codes.step_at(now)), (codes.PERIOD_MS - now % codes.PERIOD_MS) // 1000


def enter_as(runtime: Runtime, data_dir: Path, login: str, *, agent: str, address: str) -> str:
    """Open a session of one of the people in the file and return its token.

    Raises:
        NotFound: There is no such person, or this is no demonstration.
    """
    if not runtime.demo or login not in {way.login for way in ways_in(data_dir)}:
        raise NotFound(login)
    with runtime.ledger.upkeep() as conn:
        account = actor_of(conn, login).account
    return open_session(runtime.ledger, account, agent=agent, address=address)


def _way_in(runtime: Runtime, part: Part) -> WayIn:
    password, secret = f"demo-{secrets.token_hex(6)}", codes.new_secret()
    encoded = runtime.passwords.hash(password)
    with runtime.ledger.upkeep() as conn:
        account = actor_of(conn, part.login).account
        recovery = set_factors(conn, account, encoded, secret)
    return WayIn(**asdict(part), password=password, secret=secret, recovery=tuple(recovery))
