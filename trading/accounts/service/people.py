"""Accounts and their roles. An account is technical; a role is a record, because it says who may act (security 9.1)."""

from __future__ import annotations

from sqlalchemy import select, update

from trading.accounts import model, store
from trading.accounts.model import Membership
from trading.accounts.tables import account, api_token, person, session
from trading.audit.ledger import Ledger
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor, Role

CONSOLE = Actor(account="system:desk", roles=frozenset({Role.DESK}))
HOME = "CN"  # the jurisdiction of a platform that names no other


def create_account(
    ledger: Ledger,
    *,
    login: str,
    org_code: str,
    roles: tuple[Role, ...],
    person_id: str | None = None,
    name: str = "",
    mail: str = "",
    jurisdiction: str = HOME,
    by: Actor = CONSOLE,
) -> str:
    """Create an account with its roles and return its id.

    Args:
        ledger: Where.
        login: Unique name for signing in.
        org_code: The organisation for which the account acts.
        roles: Of the account in ``jurisdiction``.
        person_id: A known human being who gets a further account; None makes a new one called ``name``.
        name: Shown to its owner and to the desk; in no record.
        mail: Where messages go.
        jurisdiction: Code in the rule book.
        by: Who does it.

    Raises:
        RuleBroken: ``membership.separated`` (管采分离).
    """
    account_id, human = f"a-{random_name(10)}", person_id or f"p-{random_name(10)}"
    given = [
        Membership(account=account_id, person=human, org=org_code, role=role.value, jurisdiction=jurisdiction)
        for role in sorted(set(roles))
    ]
    with ledger.begin(by) as uow:
        store.take_sides(uow, given)
        if person_id is None:
            uow.connection.execute(person.insert().values(id=human, name=name or login, mail=mail))
        uow.connection.execute(
            account.insert().values(id=account_id, login=login, org_code=org_code, active=True, person=human)
        )
        for each in given:
            store.put_membership(uow, uow.record(model.granted(each)), each, known=False)
    return account_id


def grant_membership(ledger: Ledger, by: Actor, account_id: str, role: Role, jurisdiction: str = HOME) -> None:
    """Give an account one more role; it acts from the next request on.

    Raises:
        RuleBroken: ``membership.known``, ``membership.separated``.
        NotFound: No such account.
    """
    given = _membership(ledger, account_id, role, jurisdiction)
    with ledger.begin(by) as uow:
        status = store.lock_membership(uow, account_id, role.value, jurisdiction)
        if status == "active":
            raise RuleBroken("membership.known")
        store.take_sides(uow, [given])
        store.put_membership(uow, uow.record(model.granted(given)), given, known=status is not None)


def end_membership(
    ledger: Ledger, by: Actor, account_id: str, role: Role, jurisdiction: str = HOME, *, reason: str
) -> None:
    """Take a role away; the next request of the account no longer has it (F56).

    Raises:
        NotFound: The account has no such role there.
    """
    given = _membership(ledger, account_id, role, jurisdiction)
    with ledger.begin(by) as uow:
        if store.lock_membership(uow, account_id, role.value, jurisdiction) != "active":
            raise NotFound(f"{account_id} is no {role} in {jurisdiction}")
        store.mark_ended(uow, uow.record(model.ended(given, reason)), given)


def close_account(ledger: Ledger, account_id: str) -> None:
    """Close an account: its sessions and tokens die with it (security 4.7, 7.4.2)."""
    with ledger.upkeep() as conn:
        found = conn.execute(update(account).where(account.c.id == account_id).values(active=False)).rowcount
        if found != 1:
            raise NotFound(account_id)
        conn.execute(api_token.delete().where(api_token.c.account_id == account_id))
        conn.execute(session.delete().where(session.c.account_id == account_id))


def _membership(ledger: Ledger, account_id: str, role: Role, jurisdiction: str) -> Membership:
    with ledger.upkeep() as conn:
        row = conn.execute(select(account.c.person, account.c.org_code).where(account.c.id == account_id)).one_or_none()
    if row is None:
        raise NotFound(account_id)
    return Membership(
        account=account_id, person=row.person, org=row.org_code, role=role.value, jurisdiction=jurisdiction
    )
