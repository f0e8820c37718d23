"""Requests for disclosure on application: what one has to say, how long a reply may take, what it may rest on.

A period begins with the day of receipt, which does not count itself (DIS-05, DIS-06, TIM-01). Days are those of the
platform's zone.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Final

from trading.kernel.calendar import WorkCalendar
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256
from trading.kernel.errors import RuleBroken
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

SHORTEST, LONGEST = 5, 2000  # characters of what is asked for; technical bounds, not rules of law
LONGEST_REASON: Final = 1000


class Channel(StrEnum):
    """How a request came in."""

    IN_PERSON = "in_person"
    ONLINE = "online"
    LETTER = "letter"


class Outcome(StrEnum):
    """Kinds of reply that the annual table counts."""

    GRANTED = "granted"
    PARTLY_GRANTED = "partly_granted"
    REFUSED = "refused"
    OTHER = "other"


class Route(StrEnum):
    """Ways to contest, noted for the annual table."""

    REVIEW = "review"
    LAWSUIT = "lawsuit"
    APPEAL = "appeal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a reply rests on: its article, and whether it has to give a reason in words."""

    code: str
    outcome: str
    article: str
    title_zh: str
    title_en: str
    reason: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Who asks for what: personal data, which no record carries. ``salt`` is 32 random bytes."""

    name: str
    contact: str
    text: str
    salt: bytes

    @property
    def commit(self) -> bytes:
        """Return the salted digest that stands in the record: the applicant can open it, nobody can guess it."""
        members = {"contact": self.contact, "name": self.name, "salt": self.salt.hex(), "text": self.text}
        return sha256(dumps(members))


@cache
def grounds() -> dict[str, Ground]:
    """Return the grounds by their codes, in the order of the articles' use."""
    text = (resources.files("trading.disclosure.rules") / "grounds.toml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["ground"]
    return {row["code"]: Ground(**row) for row in rows}


def require_application(application: Application) -> None:
    """Refuse a request that does not say who asks, how he is reached and what he asks for.

    Raises:
        RuleBroken: ``disclosure.incomplete`` (DIS-04).
    """
    fits = SHORTEST <= len(application.text) <= LONGEST
    if not (application.name and application.contact and fits):
        raise RuleBroken("disclosure.incomplete", "DIS-04", shortest=SHORTEST, longest=LONGEST)


def require_day(day: date, today: date, *, after_year: int | None) -> None:
    """Refuse a day that has not come, or one of a year whose table is declared already.

    Raises:
        RuleBroken: ``disclosure.day`` (DIS-05).
    """
    if day > today or (after_year is not None and day.year <= after_year):
        raise RuleBroken("disclosure.day", "DIS-05", day=day.isoformat())


def due_on(received_on: date, edition: Edition, calendar: WorkCalendar, *, extended: bool) -> date | None:
    """Return the last day for the reply; None while the working days until then are not published (DIS-06, TIM-07).

    Args:
        received_on: Day of receipt, which does not count.
        edition: In force on that day.
        calendar: Published working days.
        extended: Whether the period was extended, which is allowed once.
    """
    periods = [Key.DISCLOSURE_REPLY, *([Key.DISCLOSURE_EXTENSION] if extended else [])]
    day = received_on
    try:
        for key in periods:
            day = calendar.last_day(day, edition.days(key, Regime.ALL))
    except RuleBroken:  # calendar.missing: a day is not guessed, and nobody is turned away because of it
        return None
    return day


def require_extendable(due: date | None, today: date, reason: str, *, extended: bool) -> None:
    """Refuse a second extension, one after the period, and one without a reason.

    Raises:
        RuleBroken: ``disclosure.extended``, ``disclosure.overdue``, ``disclosure.reason`` (DIS-06).
    """
    if extended:
        raise RuleBroken("disclosure.extended", "DIS-06")
    if due is not None and today > due:
        raise RuleBroken("disclosure.overdue", "DIS-06", due=due.isoformat())
    if not 0 < len(reason) <= LONGEST_REASON:
        raise RuleBroken("disclosure.reason", "DIS-06", longest=LONGEST_REASON)


def require_reply(ground: str, reason: str, fee_waived: int) -> Ground:
    """Return the ground of a reply.

    Raises:
        RuleBroken: ``disclosure.ground`` (no such ground), ``disclosure.reason`` (DIS-07), ``disclosure.fee`` (DIS-08).
    """
    if ground not in grounds():
        raise RuleBroken("disclosure.ground", "DIS-07")
    found = grounds()[ground]
    if len(reason) > LONGEST_REASON or (found.reason and not reason):
        raise RuleBroken("disclosure.reason", "DIS-07", longest=LONGEST_REASON)
    if fee_waived < 0:
        raise RuleBroken("disclosure.fee", "DIS-08")
    return found
