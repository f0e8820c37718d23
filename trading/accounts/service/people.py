"""Accounts and their roles. An account is technical; a role is a record, because it says who may act (security 9.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from psycopg.errors import UniqueViolation
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from trading.accounts import model, store
from trading.accounts.model import Membership
from trading.accounts.tables import account, api_token, person, session
from trading.audit.ledger import Ledger, UnitOfWork
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor, Role

CONSOLE = Actor(account="system:desk", roles=frozenset({Role.DESK}))
HOME = "CN"  # the jurisdiction of a platform that names no other


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account to be: ids are drawn when it is planned, so that its memberships can name them."""

    login: str
    org_code: str
    roles: tuple[Role, ...]
    name: str = ""
    mail: str = ""
    jurisdiction: str = HOME
    known_person: str | None = None
    id: str = field(default_factory=lambda: f"a-{random_name(10)}")
    fresh_person: str = field(default_factory=lambda: f"p-{random_name(10)}")

    @property
    def person(self) -> str:
        """Return the id of the human being."""
        return self.known_person or self.fresh_person

    def memberships(self) -> list[Membership]:
        """Return one membership per role."""
        return [
            Membership(
                account=self.id, person=self.person, org=self.org_code, role=role, jurisdiction=self.jurisdiction
            )
            for role in sorted({role.value for role in self.roles})
        ]


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
        RuleBroken: ``account.login_taken``, ``membership.separated`` (管采分离).
    """
    new = NewAccount(
        login=login,
        org_code=org_code,
        roles=roles,
        name=name,
        mail=mail,
        jurisdiction=jurisdiction,
        known_person=person_id,
    )
    with ledger.begin(by) as uow:
        insert_account(uow, new)
        grant_all(uow, new)
    return new.id


def insert_account(uow: UnitOfWork, new: NewAccount) -> None:
    """Insert person and account and take the sides of the roles to come; before the first entry of the act.

    Raises:
        RuleBroken: ``account.login_taken``.
    """
    store.take_sides(uow, new.memberships())
    if new.known_person is None:
        uow.connection.execute(person.insert().values(id=new.person, name=new.name or new.login, mail=new.mail))
    row = account.insert().values(id=new.id, login=new.login, org_code=new.org_code, active=True, person=new.person)
    try:
        uow.connection.execute(row)
    except IntegrityError as error:
        if isinstance(error.orig, UniqueViolation):
            raise RuleBroken("account.login_taken") from error
        raise


def grant_all(uow: UnitOfWork, new: NewAccount) -> None:
    """Record the roles of a new account."""
    for each in new.memberships():
        store.put_membership(uow, uow.record(model.granted(each)), each, known=False)


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


def close_account(ledger: Ledger, account_id: str, staff: Actor = CONSOLE) -> None:
    """Close an account: its sessions and tokens die with it (security 4.7, 7.4.2)."""
    with ledger.begin(staff) as uow:
        conn = uow.connection
        found = conn.execute(update(account).where(account.c.id == account_id).values(active=False)).rowcount
        if found != 1:
            raise NotFound(account_id)
        conn.execute(api_token.delete().where(api_token.c.account_id == account_id))
        conn.execute(session.delete().where(session.c.account_id == account_id))
        uow.record(model.administered(account_id, "account.closed"))


def _membership(ledger: Ledger, account_id: str, role: Role, jurisdiction: str) -> Membership:
    with ledger.upkeep() as conn:
        row = conn.execute(select(account.c.person, account.c.org_code).where(account.c.id == account_id)).one_or_none()
    if row is None:
        raise NotFound(account_id)
    return Membership(
        account=account_id, person=row.person, org=row.org_code, role=role.value, jurisdiction=jurisdiction
    )
