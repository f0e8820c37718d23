"""Pool and exclusions of an attempt that follows another one which seated somebody (ED1 D10).

Whoever is seated is excluded with his unit. The centre must not learn who that is, so this runs in the contact service,
which alone can tell: it opens the worker's handover, adds the seated, and puts spec and escrows before the signers.
"""

from __future__ import annotations

from sqlalchemy import Connection

from trading.audit.ledger import UnitOfWork
from trading.experts import model, queries, store
from trading.experts.queries import DrawRow, PaperRow
from trading.experts.rules.pool import Entrant
from trading.experts.service.attempts import spec_of
from trading.experts.service.open_seats import HANDOVER, seated_experts
from trading.experts.service.preparing import Preparation, freeze, handover_info, open_handover
from trading.experts.service.walking import ACTOR, Contact


def freeze_attempts(contact: Contact) -> int:
    """Prepare every attempt that was handed over; return how many."""
    with contact.ledger.read() as conn:
        waiting = [row for row in queries.draws_in(conn, "policy_fixed") if _handover(conn, row) is not None]
    return sum(_freeze(contact, row) for row in waiting)


def _handover(conn: Connection, row: DrawRow) -> PaperRow | None:
    papers = queries.papers(conn, row.draw)
    return next((each for each in papers if each.typ == HANDOVER and each.attempt == row.attempt), None)


def _freeze(contact: Contact, found: DrawRow) -> bool:
    with contact.ledger.begin(ACTOR) as uow:
        conn = uow.connection
        row = store.lock_draw(uow, found.draw, found.attempt)
        paper = _handover(conn, row)
        if row.state != "policy_fixed" or paper is None:
            return False  # another process was faster, or the plan has changed since
        raw = contact.key.open(handover_info(row.draw, row.attempt), open_handover(paper.doc))
        seated = _seated(contact, uow, row)
        store.drop_papers(conn, row.draw, row.attempt, (HANDOVER,))
        freeze(conn, row, Preparation.decode(raw), uow.at, seated)
    return True


def _seated(contact: Contact, uow: UnitOfWork, row: DrawRow) -> list[Entrant]:
    """Return who is seated; every look-up is a record, as when somebody is called."""
    conn, found = uow.connection, []
    for member in seated_experts(conn, row.tender_id):
        if member.attempt is None or member.index is None:
            continue
        drawn = queries.find_draw(conn, row.draw, member.attempt)
        pool, _ = contact.pool(conn, drawn, spec_of(conn, drawn))
        uow.record(model.identity_read(f"seated {row.draw} {member.attempt} index {member.index}"))
        found.append(pool.entrants[member.index])
    return found
