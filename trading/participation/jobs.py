"""Reactions of the bidder's desk: whoever holds the documents is told at once that a deadline moved by rule (TE1 T6).

The mails are sealed in the transaction that marks the errand done: each is written once, whatever is killed when.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from trading.audit.ledger import UnitOfWork
from trading.audit.queries import EntryRow
from trading.audit.relay import Subscription
from trading.audit.runtime import Runtime
from trading.bids import queries as bids
from trading.experts.queries.pool import contact_public
from trading.kernel.canonical import loads_object
from trading.kernel.errors import RuleBroken
from trading.messages.service import outbox
from trading.participation.queries import holders
from trading.participation.rules.moved import Move, moved_mail
from trading.procedures import queries as procedures

KIND: Final = "moved"


def tell_move(runtime: Runtime, uow: UnitOfWork, entry: EntryRow) -> None:
    """Write to every holder of the documents, if the entry moved a deadline by rule and that one is still to come.

    What the agency signs is a notice of its own. A subscriber that walks the whole log anew tells nobody old news.
    """
    move = _move(runtime, uow.connection, entry, uow.at)
    if move is None or entry.procedure_id is None:
        return
    try:
        public = contact_public(uow.connection)
    except RuleBroken:  # no contact service, so no mail leaves this platform; pages and feeds tell it
        return
    for address in holders.addresses(uow.connection, entry.procedure_id):
        outbox.put(uow.connection, public, KIND, moved_mail(address, move), uow.at)


def _move(runtime: Runtime, conn: Connection, entry: EntryRow, at: int) -> Move | None:
    record = loads_object(entry.record)
    body = record["body"]
    if not body["evidence"] or entry.procedure_id is None:
        return None
    row = procedures.by_id(conn, entry.procedure_id)
    lot = procedures.find_lot(conn, row.id, body["lot"], body["stage"])
    if lot.schedule_sha256 != body["schedule_sha256"] or lot.close_at is None or lot.close_at <= at:
        return None
    return Move(
        reference=row.reference,
        title_zh=row.title_zh,
        title_en=row.title_en,
        lot=lot.number,
        before=bids.schedule_chain(conn, lot)[1].close,
        close=lot.close_at,
        cause=body["cause"],
        link=f"{runtime.public_url}/procedures/{row.reference}",
    )


SUBSCRIPTIONS: Final = (Subscription(name="participation.moved", kinds=frozenset({"tender.changed"}), react=tell_move),)
