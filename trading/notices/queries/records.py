"""Public records in the order in which the log discloses them: the feed, and one of them by its position (AL1 L9, G11).

A reader's cursor is a log position, and everything below it has been read: positions are given by one sequencer, in one
order, without gaps, and which record an entry discloses never changes. A serial number of the database would not do: it
is drawn before the commit, so a smaller one can appear after a larger one has been read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, exists, select

from trading.audit import queries as log
from trading.audit.queries import LoggedRecord
from trading.audit.tables import audit_entry, log_position
from trading.kernel.ids import PRACTICE
from trading.notices.rules.records import AT_ONCE, DISCLOSING, READ, WAITING, Mark, disclosures
from trading.procedures.tables import procedure

KINDS: Final = AT_ONCE | set(WAITING)
#: Records of a practice tender are public at no time, whatever their kind: it was never published (ADR 0061).
_REAL: Final = ~exists().where(procedure.c.id == audit_entry.c.procedure_id, procedure.c.reference.startswith(PRACTICE))
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
    found = log.logged(conn, (log_position.c.n == n) & (log_position.c.n < end) & _REAL)
    return next(iter(_disclosed(conn, found, end)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What somebody looks for among the public records; ``before`` is the position below which a page begins."""

    reference: str | None = None
    kind: str | None = None
    before: int | None = None


def search(conn: Connection, end: int, wish: Search, limit: int) -> tuple[list[LoggedRecord], int | None]:
    """Return the newest public records below ``end`` that fit, the newest first, and where older ones begin, or None.

    Without a procedure a page looks through ``SPAN`` positions and can be empty before the end, as in the feed.
    """
    kinds = KINDS if wish.kind is None else KINDS & {wish.kind}
    top = end if wish.before is None else min(end, wish.before)
    bottom = max(0, top - SPAN) if wish.reference is None else 0
    fits = (log_position.c.n >= bottom) & (log_position.c.n < top) & audit_entry.c.kind.in_(sorted(kinds)) & _REAL
    if wish.reference is not None:
        wanted = select(procedure.c.id).where(procedure.c.reference == wish.reference)
        fits &= audit_entry.c.procedure_id == wanted.scalar_subquery()
    found = log.logged(conn, fits, limit, newest=True)
    older = found[-1].n if len(found) == limit else bottom
    return list(_disclosed(conn, found, end)), older or None


def _disclosed(conn: Connection, found: Iterable[LoggedRecord], end: int) -> Iterator[LoggedRecord]:
    """Yield those that are public and disclosed below ``end``; each procedure is looked at once."""
    told: dict[int | None, dict[int, int]] = {None: {}}
    for each in found:
        if each.kind in AT_ONCE:
            yield each
        elif each.kind in WAITING:
            if each.procedure_id not in told:
                told[each.procedure_id] = disclosures(_marks(conn, each.procedure_id or 0))
            if told[each.procedure_id].get(each.n, end) < end:
                yield each


def _told(conn: Connection, since: int, stop: int, limit: int) -> Sequence[LoggedRecord]:
    span = (log_position.c.n >= since) & (log_position.c.n < stop)
    return log.logged(conn, span & audit_entry.c.kind.in_(sorted(AT_ONCE)) & _REAL, limit)


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
