"""How the log and its witnesses do, told so that nothing counts entries while bids are sealed (AL1 L6, L17 item 14).

States are words with a threshold each; exact sizes and instants of signatures come with ``counted`` alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, func, select

from trading.audit import queries
from trading.audit.entries import notes_before
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.service import LogAccess, platform_ms, policy_of, reader, verified_note
from trading.audit.tables import audit_entry, log_position
from trading.storage.tiles import WITNESSED

MISSED_MS: Final = 60_000  # AL1 L7.3
QUEUE_MS: Final = 5_000  # AL1 L5.5
_LOOKED_BACK: Final = 50  # notes in which a signature is looked for
_NEWEST: Final = 20  # events of a kind that are told
_WINDOW: Final = 20_000  # newest entries among which one that waits is looked for
_WATCHED: Final = ("witness.missed", "log.delayed", "tst.anchored")


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessHealth:
    """One witness of the policy: when it signed last (ms), and since when it was missed last."""

    name: str
    signed_at: int | None
    missed_since: int | None

    def is_late(self, now: int) -> bool:
        """Whether it has not signed for longer than a minute."""
        return self.signed_at is None or now - self.signed_at > MISSED_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockHealth:
    """What one host said of its clock last: instant, offset and its uncertainty in µs, and why it is on hold, if so."""

    host: str
    at: int
    offset_us: int
    dispersion_us: int
    synchronised: bool
    hold: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Everything at one instant.

    Attributes:
        witnesses: Those of the policy, by name.
        working: Size of the newest witnessed checkpoint; None before there is one.
        waiting_ms: For how long the oldest entry has waited for the log; 0 if none does.
        clocks: By host.
        events: Bodies of the newest records of what went wrong and of time stamps, by kind, each with ``at``.
    """

    witnesses: tuple[WitnessHealth, ...]
    working: int | None
    waiting_ms: int
    clocks: tuple[ClockHealth, ...]
    events: dict[str, tuple[dict[str, Any], ...]]

    @property
    def is_delayed(self) -> bool:
        """Whether the queue is older than its alarm."""
        return self.waiting_ms > QUEUE_MS


def health(conn: Connection, access: LogAccess) -> Health:
    """Return the state of witnesses, sequencer, clocks and time stamps now."""
    events = _events(conn)
    witnesses, size = _witnesses(access, events["witness.missed"])
    return Health(
        witnesses=witnesses, working=size, waiting_ms=_waiting_ms(conn), clocks=tuple(_clocks(conn)), events=events
    )


def _witnesses(access: LogAccess, missed: Sequence[dict[str, Any]]) -> tuple[tuple[WitnessHealth, ...], int | None]:
    policy, note = policy_of(access.witness_policy), reader(access.log_dir).tiles.read(WITNESSED)
    if policy is None:
        return (), None
    times, size = dict[str, int](), None
    if note is not None:
        log = reader(access.log_dir)
        size = parse_checkpoint_text(parse_note(note).text).size
        # A quorum is enough for a note: who signed the one before and not yet this one is not late.
        for each in (note, *islice(notes_before(log, log.base + size), _LOOKED_BACK)):
            for key, time_s in verified_note(each, access.origin, policy).times.items():
                times[key.vkey] = max(times.get(key.vkey, 0), 1000 * time_s)
            if len(times) >= len(policy.witnesses):
                break
    since = {each["witness"]: each["since"] for each in reversed(missed)}
    found = [
        WitnessHealth(
            name=each.name,
            signed_at=times.get(each.key.vkey),
            missed_since=since.get(each.name, since.get(each.key.name)),
        )
        for each in policy.witnesses
    ]
    return tuple(sorted(found, key=lambda each: each.name)), size


def _waiting_ms(conn: Connection) -> int:
    """Return how long the oldest entry without a position has waited. Older ones than a window's are fsck's affair."""
    newest = select(func.coalesce(func.max(audit_entry.c.id), 0)).scalar_subquery()
    logged = select(log_position.c.n).where(log_position.c.entry_id == audit_entry.c.id).exists()
    query = select(audit_entry.c.record).where(audit_entry.c.id > newest - _WINDOW, ~logged)
    record = conn.execute(query.order_by(audit_entry.c.id).limit(1)).scalar()
    return 0 if record is None else max(0, platform_ms(conn) - json.loads(record)["at"])


def _clocks(conn: Connection) -> list[ClockHealth]:
    return [
        ClockHealth(
            host=host,
            at=state.at,
            offset_us=state.offset_us,
            dispersion_us=state.dispersion_us,
            synchronised=state.synchronised,
            hold=queries.hold_reason(conn, host),
        )
        for host, state in sorted(queries.clock_states(conn).items())
    ]


def _events(conn: Connection) -> dict[str, tuple[dict[str, Any], ...]]:
    """Return the newest records of each watched kind, the newest first; a kind that nobody records is empty."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _WATCHED}
    for kind in _WATCHED:
        # One kind a query, so that much of one hides nothing of another.
        query = select(audit_entry.c.record).where(queries.IS_WATCHED, audit_entry.c.kind == kind)
        for record in conn.execute(query.order_by(audit_entry.c.id.desc()).limit(_NEWEST)).scalars():
            content = json.loads(record)
            found[kind].append({**content["body"], "at": content["at"]})
    return {kind: tuple(each) for kind, each in found.items()}
