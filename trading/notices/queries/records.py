"""Public records in the order in which the log discloses them: the feed, and one of them by its position (AL1 L9, G11).

A reader's cursor is a log position, and everything below it has been read: positions are given by one sequencer, in one
order, without gaps, and which record an entry discloses never changes. A serial number of the database would not do: it
is drawn before the commit, so a smaller one can appear after a larger one has been read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from trading.audit import queries as log
from trading.audit.queries import LoggedRecord
from trading.audit.tables import audit_entry, log_position
from trading.notices.rules.records import AT_ONCE, DISCLOSING, READ, WAITING, Mark, disclosures

SPAN: Final = 20_000  # positions that one page walks over: nearly all of them are pads (AL1 L6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Records of the positions from a cursor on; ``next`` is the position at which the following page begins.

    A record that waited for its disclosure stands just before the record that disclosed it; the others stand where
    they are in the log. ``settled`` says that this page will never change.
    """

    records: tuple[LoggedRecord, ...]
    next: int
    settled: bool


def page(conn: Connection, since: int, end: int, limit: int) -> Page:
    """Return what the entries at positions from ``since`` on disclose, in log order.

    Args:
        conn: Where to read; it may lag behind the head.
        since: The first position to look at; at most ``end``.
        end: The size of the public head: nothing at or above it is looked at.
        limit: The page ends with the entry that fills it. What one entry discloses is never torn apart, so a page can
            be longer by that.
    """
    # First, so that whatever is read later has at least so many positions: a replica may be behind the files.
    end = min(end, max(log.size(conn), since))
    stop = min(since + SPAN, end)
    told = _told(conn, since, stop, limit)
    waited = _waited(conn, [each for each in told if each.kind in DISCLOSING])
    records: list[LoggedRecord] = []
    for each in told:
        records += [*waited.get(each.n, ()), each]
        if len(records) >= limit:
            return Page(records=tuple(records), next=each.n + 1, settled=True)
    return Page(records=tuple(records), next=stop, settled=stop < end)


def one(conn: Connection, n: int, end: int) -> LoggedRecord | None:
    """Return the record at a position if it is public and disclosed below ``end``, else None."""
    found = next(iter(log.logged_records(conn, n, n + 1)), None) if n < end else None
    if found is None or found.kind in AT_ONCE:
        return found
    if found.kind not in WAITING or found.procedure_id is None:
        return None
    by = disclosures(_marks(conn, found.procedure_id)).get(n)
    return found if by is not None and by < end else None


def _told(conn: Connection, since: int, stop: int, limit: int) -> Sequence[LoggedRecord]:
    span = (log_position.c.n >= since) & (log_position.c.n < stop)
    return log.logged(conn, span & audit_entry.c.kind.in_(sorted(AT_ONCE)), limit)


def _waited(conn: Connection, disclosing: Collection[LoggedRecord]) -> dict[int, list[LoggedRecord]]:
    """Return the records that each of these discloses, by its position, in log order."""
    wanted = {each.n for each in disclosing}
    by_position = {
        n: by
        for procedure_id in {each.procedure_id for each in disclosing if each.procedure_id is not None}
        for n, by in disclosures(_marks(conn, procedure_id)).items()
        if by in wanted
    }
    found: dict[int, list[LoggedRecord]] = defaultdict(list)
    if by_position:
        for record in log.logged(conn, log_position.c.n.in_(sorted(by_position))):
            found[by_position[record.n]].append(record)
    return found


def _marks(conn: Connection, procedure_id: int) -> list[Mark]:
    found = log.records_of(conn, procedure_id, READ)
    return [Mark(n=each.n, kind=each.kind, body=each.data["body"]) for each in found]
