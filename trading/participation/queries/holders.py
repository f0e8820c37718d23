"""Whoever holds the documents of a tender: its followers, and the organisations that took a bid id (NOT-36).

Documents are free for everybody, so nobody else is known. A worker alone may read who follows what, and only to write
to them; no page and no command shows it.
"""

from __future__ import annotations

from sqlalchemy import Connection, or_, select

from trading.accounts.tables import account, membership, person
from trading.bids.tables import bid
from trading.kernel.roles import Role
from trading.participation.tables import followed_tender


def addresses(conn: Connection, procedure_id: int) -> list[str]:
    """Return the mail addresses of everybody who holds the documents, each once."""
    followers = select(followed_tender.c.account_id).where(followed_tender.c.procedure_id == procedure_id)
    bidding = select(bid.c.bidder_code).where(bid.c.procedure_id == procedure_id)
    bidders = select(membership.c.account_id).where(membership.c.role == Role.BIDDER.value)
    query = (
        select(person.c.mail)
        .join(account, account.c.person == person.c.id)
        .where(
            account.c.active,
            person.c.mail != "",
            or_(account.c.id.in_(followers), account.c.org_code.in_(bidding) & account.c.id.in_(bidders)),
        )
    )
    return sorted(set(conn.execute(query).scalars()))
