"""Practice tenders: those of one organisation, and how many there are, for the limits (ADR 0061)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from trading.audit.tables import audit_entry
from trading.bids.tables import bid
from trading.kernel.canonical import loads_object
from trading.kernel.ids import PRACTICE
from trading.notices.rules.progress import LotState, lot_state
from trading.openings.tables import opening
from trading.participation.rules.practice import CUSTODIANS, STRANDED_MS, Held
from trading.parties.queries import keys_of
from trading.procedures.tables import lot, procedure

_MOST: Final = 200  # rows that are looked at; the limits let far fewer be unfinished
_SHOWN: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """One practice tender of an organisation; instants in ms, ``close_at`` None until bids are taken.

    ``standing`` is as in the bid's head row, ``step`` that of the opening, None before it.
    """

    reference: str
    asked_at: int
    state: LotState
    close_at: int | None
    standing: str
    step: str | None
    is_stranded: bool  # it should have been opened long ago

    @property
    def is_prepared(self) -> bool:
        """Whether there is something to show: the custodians have given their keys, and bids are or were taken."""
        return self.close_at is not None


_UNFINISHED: Final = ("draft", "open", "closed", "opening")
_ASKED: Final = (
    select(procedure.c.reference, lot.c.phase, lot.c.close_at, audit_entry.c.record)
    .join(lot, lot.c.procedure_id == procedure.c.id)
    .join(audit_entry, audit_entry.c.id == procedure.c.entry_id)  # the draft: the row of the procedure never moves
    .where(procedure.c.reference.startswith(PRACTICE))
    .order_by(audit_entry.c.id.desc())
)


def is_offered(conn: Connection) -> bool:
    """Whether this platform has organisations to practise with: whoever runs it has set them up."""
    return bool(keys_of(conn, CUSTODIANS[-1].code, "custodian"))


def asked_at(conn: Connection, account: str | None, most: int) -> list[int]:
    """Return when a person, or anybody, asked for the newest ``most`` practice tenders, ms."""
    query = _ASKED.limit(most)
    if account is not None:
        query = query.where(procedure.c.drafted_by == account)
    return [loads_object(bytes(row.record))["at"] for row in conn.execute(query)]


def unfinished(conn: Connection, most: int, organisation: str | None = None) -> list[Held]:
    """Return the newest ``most`` practice tenders that have not ended, of one organisation or of all."""
    query = _ASKED.where(lot.c.phase.in_(_UNFINISHED)).limit(most)
    if organisation is not None:
        query = query.join(bid, bid.c.procedure_id == procedure.c.id).where(bid.c.bidder_code == organisation)
    return [
        Held(asked_at=loads_object(bytes(row.record))["at"], phase=row.phase, close_at=row.close_at)
        for row in conn.execute(query)
    ]


def to_conduct(conn: Connection, now: int) -> list[tuple[str, str]]:
    """Return reference and phase of every practice tender that is not over, the oldest first."""
    rows = conn.execute(_ASKED.where(lot.c.phase.in_(_UNFINISHED)).limit(_MOST)).all()
    found = []
    for row in reversed(rows):
        held = Held(asked_at=loads_object(bytes(row.record))["at"], phase=row.phase, close_at=row.close_at)
        if not held.is_over(now):
            found.append((row.reference, row.phase))
    return found


def own(conn: Connection, organisation: str, now: int) -> tuple[Practice, ...]:
    """Return the newest practice tenders of an organisation, the newest first."""
    query = (
        _ASKED.add_columns(bid.c.head_kind, opening.c.step)
        .join(bid, bid.c.procedure_id == procedure.c.id)
        .outerjoin(opening, opening.c.procedure_id == procedure.c.id)
        .where(bid.c.bidder_code == organisation)
        .limit(_SHOWN)
    )
    return tuple(_practice(row, now) for row in conn.execute(query))


def _practice(row: Row[*tuple[Any, ...]], now: int) -> Practice:
    at = loads_object(bytes(row.record))["at"]
    return Practice(
        reference=row.reference,
        asked_at=at,
        state=lot_state(row.phase, row.close_at, now),
        close_at=row.close_at,
        standing=row.head_kind,
        step=row.step,
        is_stranded=row.close_at is None and now >= at + STRANDED_MS,
    )


def is_own(conn: Connection, procedure_id: int, organisation: str) -> bool:
    """Whether a practice tender is of this organisation: it got its bid id when it asked for the tender."""
    query = select(bid.c.id).where(bid.c.procedure_id == procedure_id, bid.c.bidder_code == organisation)
    return conn.execute(query).first() is not None
