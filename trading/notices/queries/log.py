"""The public records of one procedure, in log order, as far as they may be told now (AL1 L2 column P, L9).

Before the opening order exists nothing is read that a bid could have written, and no log position is shown: the
distance between two positions would tell how much came between them (NOT-36). The commitment is always shown.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from trading.audit.queries import size
from trading.audit.tables import audit_entry, log_position
from trading.experts.queries import disclosed_records
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.ids import is_practice
from trading.notices.queries import AnyRow, records
from trading.notices.queries.statements import PUBLIC_PHASES
from trading.procedures.tables import procedure

# Kinds that say nothing about bids.
ALWAYS: Final = frozenset({
    "answer.published", "failure.published", "lot.failed", "notice.publication", "opening.refused", "policy.fixed",
    "procedure.cancelled", "tender.changed", "tender.published",
})  # fmt: skip
# Kinds of the ceremony and after it, public once the first order of their lot is recorded. The kinds of single bids are
# on the opening page, which shows them together.
AFTER_ORDER: Final = frozenset({
    "award.determined", "bids.ranked", "contract.published", "factor.closed", "factor.opened", "open.ordered",
    "opening.combined", "opening.completed", "release.closed", "result.published", "share.checked", "share.released",
    "tender.closed",
})  # fmt: skip
# Public as the feed of records tells them, each on the page of what it is of: results of single bids, contracts.
_ELSEWHERE: Final = records.KINDS - ALWAYS - AFTER_ORDER
ENDS_SECRECY: Final = frozenset({"lot.failed", "open.ordered", "opening.refused", "procedure.cancelled"})

_PUBLIC: Final = (
    select(audit_entry.c.kind, audit_entry.c.record, audit_entry.c.h, log_position.c.n)
    .outerjoin(log_position, log_position.c.entry_id == audit_entry.c.id)
    .where(audit_entry.c.kind.in_(sorted(ALWAYS | AFTER_ORDER)))
)
PUBLIC: Final = _PUBLIC.where(audit_entry.c.procedure_id == bindparam("procedure"))
PUBLIC_OF: Final = _PUBLIC.join(procedure, procedure.c.id == audit_entry.c.procedure_id).where(
    procedure.c.reference == bindparam("reference"), procedure.c.phase.in_(PUBLIC_PHASES)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One record: its kind, instant in ms, commitment in hex, and position once positions may be shown.

    ``notice`` is the digest of the notice that the record names.
    """

    kind: str
    lot: str | None
    at: int
    h: str
    n: int | None
    reason: str | None = None
    notice: str | None = None


def public_log(conn: Connection, procedure_id: int) -> tuple[LogRow, ...]:
    """Return what the public may see of the procedure's records, oldest first."""
    return _told_of(conn.execute(PUBLIC, {"procedure": procedure_id}))


def _told_of(found: Iterable[AnyRow]) -> tuple[LogRow, ...]:
    """Return the rows that may be told now, of all public kinds of one procedure."""
    rows = [_row(kind, bytes(record), bytes(h).hex(), n) for kind, record, h, n in found]
    # What the sequencer has not reached yet comes last, in the order of the acts.
    rows.sort(key=lambda row: (row.n is None, row.n if row.n is not None else row.at))
    ordered = {row.lot for row in rows if row.kind == "open.ordered"}
    visible = [row for row in rows if row.kind in ALWAYS or row.lot in ordered]
    return tuple(visible) if _secrecy_is_over(visible) else tuple(replace(row, n=None) for row in visible)


def _secrecy_is_over(rows: list[LogRow]) -> bool:
    """Whether no lot of the procedure has sealed bids any more."""
    published = {row.lot for row in rows if row.kind == "tender.published"}
    over = {row.lot for row in rows if row.kind in ENDS_SECRECY}
    return any(row.kind == "procedure.cancelled" for row in rows) or published <= over


def _row(kind: str, record: bytes, h: str, n: int | None) -> LogRow:
    content = json.loads(record)
    body = content["body"]
    return LogRow(
        kind=kind,
        lot=body.get("lot"),
        at=content["at"],
        h=h,
        n=n,
        reason=body.get("reason"),
        notice=body.get("notice_sha256"),
    )


def records_about(conn: Connection, reference: str, lot: str | None, kinds: Collection[str]) -> tuple[LogRow, ...]:
    """Return what the public may see of these kinds of a published procedure, oldest first; of one lot, or all."""
    rows = _told_of(conn.execute(PUBLIC_OF, {"reference": reference}))
    return tuple(row for row in rows if row.kind in kinds and lot in {None, row.lot})


def records_naming(conn: Connection, reference: str, digest: str) -> tuple[LogRow, ...]:
    """Return the records that name a notice by its digest, one for each lot that it is about."""
    return tuple(row for row in records_about(conn, reference, None, ALWAYS | AFTER_ORDER) if row.notice == digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What anyone may know who has a commitment: that it is in the log and where. Its content only if it is public.

    ``procedure`` is the public reference and ``kind`` the kind of record; both None while the record is not public.
    """

    h: str
    n: int | None
    sequenced: bool
    procedure: str | None
    kind: str | None
    at: int | None

    def require_receipt(self) -> None:
        """Require that everybody may have the receipt: it holds the record, and names its position (AL1 L6, L8.2).

        Raises:
            NotFound: The record is not public.
            RuleBroken: ``receipt.after_opening``: positions of its procedure are not told yet.
        """
        if self.kind is None:
            raise NotFound(self.h)
        if self.sequenced and self.n is None:
            raise RuleBroken("receipt.after_opening", "NOT-36")


def entry(conn: Connection, h: bytes) -> Entry | None:
    """Return the entry with this commitment, or None. Nobody guesses 32 random bytes, so asking reveals nothing."""
    query = (
        select(audit_entry.c.procedure_id, audit_entry.c.kind, audit_entry.c.record, log_position.c.n)
        .outerjoin(log_position, log_position.c.entry_id == audit_entry.c.id)
        .where(audit_entry.c.h == h)
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    rows, reference = _told(conn, row.procedure_id, json.loads(bytes(row.record)))
    if row.kind in _ELSEWHERE and row.n is not None and records.one(conn, row.n, size(conn)) is not None:
        is_over = any(each.n is not None for each in rows)
        rows = [_row(row.kind, bytes(row.record), h.hex(), row.n if is_over else None)]
    mine = next((each for each in rows if each.h == h.hex()), None)
    return Entry(
        h=h.hex(),
        n=mine.n if mine is not None else row.n if row.procedure_id is None else None,
        sequenced=row.n is not None,
        procedure=None if mine is None else reference,
        kind=None if mine is None else mine.kind,
        at=None if mine is None else mine.at,
    )


def _told(conn: Connection, procedure_id: int | None, record: Mapping[str, Any]) -> tuple[Iterable[LogRow], str | None]:
    """Return the public records among which this one may be, and the procedure that they are of.

    The records of a draw name no procedure until its disclosure, which makes them public all together (ED1 D5, D11).
    """
    if procedure_id is not None:
        shown = () if is_practice(record["procedure"]) else public_log(conn, procedure_id)
        return shown, record["procedure"]
    if not record["kind"].startswith("draw."):
        return (), None
    rows = disclosed_records(conn, record["body"]["draw"])
    references = [row.data["body"]["procedure"] for row in rows if row.kind == "draw.disclosed"]
    return (_row(row.kind, row.record, row.h.hex(), row.n) for row in rows), references[0] if references else None
