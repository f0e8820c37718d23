"""The schedule ``mb.schedule`` and the rules of its chain (TE1 T2). Instants are ms, half-open: on time is ``<``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from trading.bids.rules.fields import PLACE, Document, version
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.fields import (
    Table,
    array,
    digest,
    duration,
    integer,
    itself,
    nullable,
    one_of,
    record,
    sorted_by,
    text,
)
from trading.procedures.rules.extension import CAUSES, MIN_EXTENSION_MS, ExtensionRule

DRAIN_MS: Final = 5_000  # TE1 T5 step 4: longer than the lock time-out of 4 s
MIN_NOTICE_MS: Final = 1_800_000  # a change leaves at least 30 minutes; longer legal periods are rules of the procedure
_SECOND_MS: Final = 1000
_FIXED: Final = ("extension_rule", "intake", "lot", "stage", "tender")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The supervisor's intake service (SB1 S7.6)."""

    origin: str
    vkey: str

    @property
    def address(self) -> str:
        """Return where bidders reach it: the origin of a log is its address without a scheme (AL1 L1.3)."""
        return f"https://{self.origin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Document):
    """``mb.schedule`` of one tender, lot and stage; ``close`` is deadline and opening time at once."""

    cause: str | None
    close: int
    evidence: tuple[str, ...]
    extension_rule: ExtensionRule | None
    factor_window_ms: int
    intake: Intake | None
    lot: str
    stage: str
    tender: str
    objection_ms: int
    share_check_ms: int
    release_window_ms: int
    rescue_ms: int
    seq: int
    supersedes: str | None

    @property
    def place(self) -> tuple[str, str, str]:
        """Return tender, lot and stage."""
        return self.tender, self.lot, self.stage


_EXTENSION_RULE: Final = record(
    {
        "extend_ms": integer(MIN_EXTENSION_MS),
        "look_back_ms": duration,
        "min_outage_ms": duration,
        "triggers": sorted_by(itself, one_of(*CAUSES)),
    },
    ExtensionRule,
)
SCHEDULE: Final = Table(
    "mb.schedule",
    {
        **PLACE,
        "cause": nullable(one_of(*CAUSES)),
        "close": integer(0),
        "evidence": array(digest),
        "extension_rule": nullable(_EXTENSION_RULE),
        "factor_window_ms": duration,
        "intake": nullable(record({"origin": text, "vkey": text}, Intake)),
        "objection_ms": duration,
        "share_check_ms": duration,
        "release_window_ms": duration,
        "rescue_ms": duration,
        "seq": version,
        "supersedes": nullable(digest),
    },
)


def parse_schedule(raw: bytes) -> Schedule:
    """Parse a schedule: whole seconds, evidence exactly for a derived one, ``supersedes`` exactly after the first.

    Raises:
        InvalidInput: ``doc.…``.
    """
    schedule = Schedule(raw=raw, **SCHEDULE.read(raw))
    if schedule.close % _SECOND_MS:
        raise InvalidInput("doc.bad_field", "mb.schedule: close is not a whole second")
    if (schedule.cause is None) != (not schedule.evidence):
        raise InvalidInput("doc.bad_field", "mb.schedule: evidence belongs to a cause and a cause to evidence")
    if (schedule.supersedes is None) != (schedule.seq == 1):
        raise InvalidInput("doc.bad_field", "mb.schedule: supersedes is null exactly for seq 1")
    if schedule.seq == 1 and schedule.cause is not None:
        raise InvalidInput("doc.bad_field", "mb.schedule: the first schedule is the agency's")
    return schedule


def require_successor(before: Schedule, after: Schedule, changed_at: int | None = None) -> None:
    """Refuse a schedule that does not continue the chain (TE1 T2).

    Args:
        before: The schedule in force.
        after: Its replacement.
        changed_at: The ``at`` of the ``tender.changed`` that logs it; ``None`` where the caller does not know it.

    Raises:
        RuleBroken: ``schedule.chain_broken``, ``schedule.field_changed``, ``schedule.earlier_close`` or
            ``schedule.too_soon``.
    """
    if after.seq != before.seq + 1 or after.supersedes != before.sha256:
        raise RuleBroken("schedule.chain_broken", "TE1 T2", seq=after.seq)
    for name in _FIXED:
        if getattr(after, name) != getattr(before, name):
            raise RuleBroken("schedule.field_changed", "TE1 T2", field=name)
    if after.close < before.close:
        raise RuleBroken("schedule.earlier_close", "TE1 T2", close=before.close, asked=after.close)
    if changed_at is not None and after.close < changed_at + MIN_NOTICE_MS:
        raise RuleBroken("schedule.too_soon", "TE1 T2", close=after.close, earliest=changed_at + MIN_NOTICE_MS)


def require_chain(schedules: tuple[Schedule, ...]) -> Schedule:
    """Return the newest schedule of an unbroken chain that starts at seq 1.

    Raises:
        RuleBroken: as ``require_successor``; ``schedule.chain_broken`` if the first is not the first, or none is.
    """
    if not schedules or schedules[0].seq != 1:
        raise RuleBroken("schedule.chain_broken", "TE1 T2")
    for before, after in pairwise(schedules):
        require_successor(before, after)
    return schedules[-1]
