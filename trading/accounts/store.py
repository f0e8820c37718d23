"""Rows of memberships, and the side on which a person or organisation stands in a jurisdiction (管采分离)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from psycopg.errors import ForeignKeyViolation
from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from trading.accounts.model import Membership
from trading.accounts.tables import membership, pool_duty, side
from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.kernel.errors import RuleBroken
from trading.kernel.ids import new_row_id

#: Role → side. The database derives the same by itself (migration 0003) and compares.
SIDES: Final = {
    "supervisor": "watches",
    "authority": "watches",
    "agency": "trades",
    "reviewer": "trades",
    "centre": "trades",
    "bidder": "trades",
}


#: Role → duty towards the pool of experts: who qualifies does not keep (A1.16). Derived alike in migration 0010.
DUTIES: Final = {"authority": "qualifies", "centre": "keeps", "desk": "keeps", "admin": "keeps"}


def take_sides(uow: UnitOfWork, given: Sequence[Membership]) -> None:
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
    _take_duties(uow, given)


def _take_duties(uow: UnitOfWork, given: Iterable[Membership]) -> None:
    """Note the duty of each person and organisation towards the pool, which is one wherever they act."""
    wanted = {
        (subject, DUTIES[each.role]) for each in given if each.role in DUTIES for subject in (each.person, each.org)
    }
    for subject, name in sorted(wanted):
        still_used = exists().where(
            membership.c.status == "active",
            (membership.c.person == subject) | (membership.c.org_code == subject),
            membership.c.role.in_([role for role, its in DUTIES.items() if its != name]),
        )
        uow.connection.execute(
            delete(pool_duty).where(pool_duty.c.subject == subject, pool_duty.c.duty != name, ~still_used)
        )
        uow.connection.execute(insert(pool_duty).values(subject=subject, duty=name).on_conflict_do_nothing())


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
            diagnosis = error.orig.diag.constraint_name or ""
            rule = "SEP-02" if diagnosis.endswith("_duty") else "SEP-01"
            raise RuleBroken("membership.separated", rule) from error
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
