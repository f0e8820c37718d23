"""What somebody who holds the log's key can make of a log: another history, chained, hashed, signed without a flaw."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from tests.campaigns.test_tamper import Dice, Forgery
from tests.support.made_log import Entry, MadeLog
from tests.support.made_tender import Tender
from trading.kernel.canonical import loads_object

_LATER_MS = 60_000

#: Takes the honest log, returns the other one and how many of its first entries are the honest ones.
Fork = Callable[[MadeLog, Dice], tuple[MadeLog, int]]


def rewritten(log: MadeLog, dice: Dice) -> tuple[MadeLog, int]:
    """An entry in the middle says something else; two notes over one size."""
    n = 1 + dice.below(len(log.entries) - 2)
    return _after(log, n, [_later(log.entries[n]), *(entry.value for entry in log.entries[n + 1 :])]), n


def rewritten_and_grown(log: MadeLog, dice: Dice) -> tuple[MadeLog, int]:
    """The same, and the log has gone on since."""
    other, n = rewritten(log, dice)
    return _grown(other, 1 + dice.below(300)), n


def grown_another_way(log: MadeLog, dice: Dice) -> tuple[MadeLog, int]:
    """The tail is dropped, and the log has grown to at least its length without it."""
    n = len(log.entries) - 1 - dice.below(len(log.entries) // 2)
    return _grown(_after(log, n, []), len(log.entries) - n + dice.below(20)), n


def truncated(log: MadeLog, dice: Dice) -> tuple[MadeLog, int]:
    """The newest entries have never been."""
    n = len(log.entries) - 1 - dice.below(len(log.entries) // 2)
    return _after(log, n, []), n


FORKS: tuple[Fork, ...] = (rewritten, rewritten_and_grown, grown_another_way, truncated)


def _after(log: MadeLog, n: int, values: Iterable[dict[str, Any]]) -> MadeLog:
    """Return the log that begins with the first ``n`` entries; every note is signed again, by the witnesses too."""
    other = MadeLog(log.origin, entries=log.entries[:n])
    for value in values:
        other.append(
            value["kind"],
            value["body"],
            at=value["at"],
            subject=value["subject"],
            procedure=value["procedure"],
        )
        _sign_again(other, log)
    for size in sorted(log.notes):
        if size <= n:
            other.notes[size] = log.notes[size]
    return other


def _sign_again(other: MadeLog, log: MadeLog) -> None:
    for note in log.notes.get(len(other.entries), []):
        other.witness(1000 * cosigned_at(note))


def _later(entry: Entry) -> dict[str, Any]:
    return {**loads_object(entry.record), "at": entry.value["at"] + 1}


def _grown(log: MadeLog, count: int) -> MadeLog:
    for _ in range(count):
        log.append("log.pad", {}, at=log.entries[-1].value["at"], subject="log", procedure=None)
    return log


def cosigned_at(note: str) -> int:
    """Return the time of the first cosignature of a note, in seconds."""
    line = next(line for line in note.splitlines() if line.startswith("— witness"))
    return int.from_bytes(base64.b64decode(line.rpartition(" ")[2])[4:12], "big")


def signed(log: MadeLog, *, cosigners: int = 3) -> str:
    """Return a note over the whole log."""
    return log.witness(log.entries[-1].t + _LATER_MS, cosigners=cosigners)


def shown(tender: Tender, log: MadeLog) -> Tender:
    """Return the tender as that log tells it, under a note that the log and every witness have signed."""
    return Forgery(tender, replace(log, notes=dict(log.notes)), signed(log)).tender
