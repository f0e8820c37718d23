"""Refusals for time that were the platform's doing, as their records tell them (TE1 T4.3). Instants are ms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A refusal that the platform caused, by its commitment (hex) and the arrival of what it refused."""

    h: str
    arrival: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A deadline and the instant from which it was in force; ``signed`` if the agency set it and no rule."""

    since: int
    close: int
    signed: bool


def platform_caused(code: str, *, received_at: int, queue_ms: int, close: int) -> bool:
    """Return whether a refusal for time is the platform's doing.

    ``close`` was in force at the arrival. A submission that is late by it after all, although it was received before
    it, was refused by the deadline that this one replaced in the same moment: the bidder was late by that.
    """
    arrival = received_at - queue_ms
    match code:
        case "bid.late":
            return arrival < close <= received_at
        case "busy":
            return arrival < close
        case "bid.closed" | "clock.hold":
            return True
        case _:
            return False


def caused_by_platform(records: Iterable[Mapping[str, Any]], deadlines: Sequence[Deadline]) -> list[Refusal]:
    """Return what the platform refused by its own fault, in the order of the records.

    Each is judged by the deadline in force at its arrival: whoever was late does not come to be in time because the
    deadline has moved since.

    Args:
        records: ``bid.refused`` of the lot in log order, each with its ``h``.
        deadlines: All deadlines of the lot and stage, the first one first.
    """
    found = []
    for record in records:
        body = record["body"]
        arrival = body["received_at"] - body["queue_ms"]
        in_force = [each.close for each in deadlines if each.since <= arrival]
        facts = {"received_at": body["received_at"], "queue_ms": body["queue_ms"]}
        if in_force and platform_caused(body["code"], **facts, close=in_force[-1]):
            found.append(Refusal(h=record["h"], arrival=arrival))
    return found


def settled_until(deadlines: Sequence[Deadline]) -> int:
    """Return the instant before which no failure counts any more; 0 if there is none.

    A deadline that the agency signed after the one before had passed is its decision about all that had happened by
    then (TE1 T5); the same evidence must not block the close again.
    """
    decided = (
        after.since
        for before, after in pairwise(deadlines)
        if after.signed and after.close > before.close and after.since >= before.close
    )
    return max(decided, default=0)
