"""Rows of followed tenders."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert

from trading.audit.ledger import UnitOfWork
from trading.participation.tables import followed_tender


def follow(uow: UnitOfWork, procedure_id: int) -> None:
    """Follow a tender; any number of times."""
    row = insert(followed_tender).values(account_id=uow.actor.account, procedure_id=procedure_id)
    uow.connection.execute(row.on_conflict_do_nothing())


def unfollow(uow: UnitOfWork, procedure_id: int) -> None:
    """Follow a tender no longer."""
    own = (followed_tender.c.account_id == uow.actor.account, followed_tender.c.procedure_id == procedure_id)
    uow.connection.execute(followed_tender.delete().where(*own))
