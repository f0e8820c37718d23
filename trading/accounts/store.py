"""Rows of memberships, and the side on which a person or organisation stands in a jurisdiction (管采分离)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from psycopg.errors import ForeignKeyViolation
from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from trading.accounts.model import Membership
from trading.accounts.tables import membership, side
from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.kernel.errors import RuleBroken
from trading.kernel.ids import new_row_id

#: Role → side. The database derives the same by itself (migration 0003) and compares.
SIDES: Final = {
    "supervisor": "watches",
    "agency": "trades",
    "reviewer": "trades",
    "centre": "trades",
    "bidder": "trades",
}


def take_sides(uow: UnitOfWork, given: Iterable[Membership]) -> None:
    """Note on which side each person and organisation stands, unless they already stand on one. Before the entry."""
    wanted = {
        (subject, each.jurisdiction, SIDES[each.role])
        for each in given
        if each.role in SIDES
        for subject in (each.person, each.org)
    }
    for subject, jurisdiction, name in sorted(wanted):
        still_used = exists().where(
            membership.c.status == "active",
            membership.c.jurisdiction == jurisdiction,
            (membership.c.person == subject) | (membership.c.org_code == subject),
            membership.c.role.in_([role for role, its in SIDES.items() if its != name]),
        )
        uow.connection.execute(
            delete(side).where(
                side.c.subject == subject, side.c.jurisdiction == jurisdiction, side.c.side != name, ~still_used
            )
        )
        row = {"subject": subject, "jurisdiction": jurisdiction, "side": name}
        uow.connection.execute(insert(side).values(row).on_conflict_do_nothing())


def lock_membership(uow: UnitOfWork, account: str, role: str, jurisdiction: str) -> str | None:
    """Return the status of a membership under ``FOR UPDATE``; None if the account never had that role there."""
    query = select(membership.c.status).where(
        membership.c.account_id == account, membership.c.role == role, membership.c.jurisdiction == jurisdiction
    )
    status: str | None = uow.connection.execute(query.with_for_update()).scalar_one_or_none()
    return status


def put_membership(uow: UnitOfWork, recorded: Recorded, given: Membership, *, known: bool) -> None:
    """Insert a membership, or make a former one active again.

    Raises:
        RuleBroken: ``membership.separated``: the person or the organisation stands on the other side there.
    """
    values = {"entry_id": recorded.entry_id, "status": "active"}
    if known:
        statement = (
            membership.update()
            .where(
                membership.c.account_id == given.account,
                membership.c.role == given.role,
                membership.c.jurisdiction == given.jurisdiction,
            )
            .values(**values)
        )
    else:
        statement = membership.insert().values(  # type: ignore[assignment]
            id=new_row_id(),
            account_id=given.account,
            person=given.person,
            org_code=given.org,
            role=given.role,
            jurisdiction=given.jurisdiction,
            **values,
        )
    try:
        uow.connection.execute(statement)
    except IntegrityError as error:
        if isinstance(error.orig, ForeignKeyViolation):
            raise RuleBroken("membership.separated", "SEP-01") from error
        raise


def mark_ended(uow: UnitOfWork, recorded: Recorded, given: Membership) -> None:
    """Mark the membership that ``recorded`` ends."""
    uow.connection.execute(
        membership.update()
        .where(
            membership.c.account_id == given.account,
            membership.c.role == given.role,
            membership.c.jurisdiction == given.jurisdiction,
        )
        .values(entry_id=recorded.entry_id, status="ended")
    )
