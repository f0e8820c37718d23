"""Read side of the bidder's desk: own tenders and own acts. Nothing here is served to anybody else (SUB-07)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.accounts.tables import account
from trading.audit.tables import audit_entry, log_position
from trading.bids.tables import bid
from trading.notices.queries.search import PUBLIC_PHASES
from trading.notices.rules.progress import LotState, lot_state
from trading.participation.tables import followed_tender
from trading.parties import queries as parties
from trading.procedures.tables import lot, procedure


@dataclass(frozen=True, slots=True, kw_only=True)
class MyLot:
    """One lot in the list; ``close_at`` in ms; ``standing`` as in the bid's head row, None without a bid."""

    number: str
    title_zh: str
    title_en: str
    state: LotState
    close_at: int | None
    standing: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MyTender:
    """One tender that the person follows or the organisation bids in."""

    reference: str
    title_zh: str
    title_en: str
    buyer_zh: str
    buyer_en: str
    followed: bool
    lots: tuple[MyLot, ...]

    @property
    def close_at(self) -> int | None:
        """Return the next deadline of an open lot (ms), or None."""
        return min((each.close_at for each in self.lots if each.state is LotState.OPEN and each.close_at), default=None)

    @property
    def bids(self) -> bool:
        """Whether the organisation has taken a bid id for one of the lots."""
        return any(each.standing is not None for each in self.lots)


def tenders(conn: Connection, account_id: str, organisation: str, now: int) -> tuple[MyTender, ...]:
    """Return the tenders of a person and its organisation: open ones by their deadline, then the others, newest first.

    ``conn`` is a transaction opened for that very person: to any other the database shows no followed tender.
    """
    followed = set(
        conn.execute(select(followed_tender.c.procedure_id).where(followed_tender.c.account_id == account_id)).scalars()
    )
    standing = {
        (row.procedure_id, row.lot, row.stage): row.head_kind
        for row in conn.execute(
            select(bid.c.procedure_id, bid.c.lot, bid.c.stage, bid.c.head_kind).where(bid.c.bidder_code == organisation)
        )
    }
    wanted = followed | {place[0] for place in standing}
    columns = (procedure.c.id, procedure.c.reference, procedure.c.title_zh, procedure.c.title_en)
    query = (
        select(*columns, procedure.c.buyer_code)
        .where(procedure.c.id.in_(wanted), procedure.c.phase.in_(PUBLIC_PHASES))
        .order_by(procedure.c.published_at.desc(), procedure.c.reference)
    )
    rows = conn.execute(query).all()
    lots = _lots(conn, [row.id for row in rows], standing, now)
    buyers = parties.organisations(conn, tuple({row.buyer_code for row in rows}))
    found = [
        MyTender(
            reference=row.reference,
            title_zh=row.title_zh,
            title_en=row.title_en,
            buyer_zh=buyers[row.buyer_code].name_zh if row.buyer_code in buyers else row.buyer_code,
            buyer_en=buyers[row.buyer_code].name_en if row.buyer_code in buyers else row.buyer_code,
            followed=row.id in followed,
            lots=lots.get(row.id, ()),
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda each: (each.close_at is None, each.close_at or 0)))


def _lots(
    conn: Connection, ids: Sequence[int], standing: Mapping[tuple[int, str, str], str], now: int
) -> dict[int, tuple[MyLot, ...]]:
    columns = (lot.c.procedure_id, lot.c.number, lot.c.stage, lot.c.title_zh, lot.c.title_en, lot.c.phase)
    query = select(*columns, lot.c.close_at).where(lot.c.procedure_id.in_(ids)).order_by(lot.c.number, lot.c.stage)
    found: dict[int, tuple[MyLot, ...]] = {}
    for row in conn.execute(query):
        each = MyLot(
            number=row.number,
            title_zh=row.title_zh,
            title_en=row.title_en,
            state=lot_state(row.phase, row.close_at, now),
            close_at=row.close_at,
            standing=standing.get((row.procedure_id, row.number, row.stage)),
        )
        found[row.procedure_id] = (*found.get(row.procedure_id, ()), each)
    return found


def is_followed(conn: Connection, account_id: str, procedure_id: int) -> bool:
    """Say whether a person follows a tender; ``conn`` as for ``tenders``."""
    own = (followed_tender.c.account_id == account_id, followed_tender.c.procedure_id == procedure_id)
    return conn.execute(select(followed_tender.c.procedure_id).where(*own)).one_or_none() is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One recorded act of the organisation; ``n`` is None until it is in the log. ``body`` as in the record."""

    kind: str
    at: int
    actor: str
    lot: str | None
    h: str
    n: int | None
    body: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the act as the downloadable log tells it."""
        return {
            "actor": self.actor,
            "at": self.at,
            "body": dict(self.body),
            "h": self.h,
            "kind": self.kind,
            "n": self.n,
        }


#: Kinds that a bidder's own act writes, or that answer one of them.
_OWN: Final = (
    *("bid.started", "bid.received", "bid.withdrawn", "bid.refused", "rehearsal.checked"),
    *("factor.revealed", "rescue.accepted", "objection.raised", "objection.decided", "opening.objected"),
)


def acts(conn: Connection, procedure_id: int, organisation: str) -> tuple[Act, ...]:
    """Return what an organisation has done in a procedure, oldest first, refused acts included (ux 4.2 page 9)."""
    query = (
        select(audit_entry.c.kind, audit_entry.c.record, audit_entry.c.h, log_position.c.n)
        .outerjoin(log_position, log_position.c.entry_id == audit_entry.c.id)
        .where(audit_entry.c.procedure_id == procedure_id, audit_entry.c.kind.in_(_OWN))
        .order_by(audit_entry.c.id)
    )
    rows = [(row, json.loads(bytes(row.record))) for row in conn.execute(query)]
    bids = {record["body"].get("bid") for _, record in rows if record["body"].get("bidder") == organisation}
    return tuple(
        Act(
            kind=row.kind,
            at=record["at"],
            actor=record["actor"],
            lot=record["body"].get("lot"),
            h=bytes(row.h).hex(),
            n=row.n,
            body=record["body"],
        )
        for row, record in rows
        if record["on_behalf_of"] == organisation or record["body"].get("bid") in bids
    )


def logins(conn: Connection, organisation: str) -> dict[str, str]:
    """Return the user names of the accounts of one organisation, by account id: who in my firm did what."""
    query = select(account.c.id, account.c.login).where(account.c.org_code == organisation)
    return {row.id: row.login for row in conn.execute(query)}
