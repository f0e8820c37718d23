"""Read side of accounts: the actor behind a login, memberships, the people of an organisation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, func, literal_column, select

from trading.accounts.tables import account, membership, person
from trading.kernel.errors import NotFound
from trading.kernel.roles import Actor, Role

#: The active roles of the account in hand, as an array; empty or NULL when it has none.
ROLES: Final = (
    select(func.array_agg(membership.c.role))
    .where(membership.c.account_id == account.c.id, membership.c.status == "active")
    .scalar_subquery()
    .label("roles")
)


_MOST: Final = 200  # accounts on one page; the search narrows them


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An active role of an account."""

    role: Role
    jurisdiction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountShown:
    """An account as colleagues and the desk see it: no factor, no session."""

    id: str
    login: str
    name: str
    org_code: str
    active: bool
    memberships: tuple[Held, ...]

    def membership(self, role: str, jurisdiction: str) -> Held:
        """Return one active role.

        Raises:
            NotFound: The account has no such role there.
        """
        for each in self.memberships:
            if (each.role.value, each.jurisdiction) == (role, jurisdiction):
                return each
        raise NotFound(f"{role} in {jurisdiction}")


#: The server's real clock in ms: sessions, codes and tokens never use shifted demo time (P13).
HOST_MS: Final = literal_column("(extract(epoch from clock_timestamp()) * 1000)::bigint", BigInteger)


def host_ms(conn: Connection) -> int:
    """Return ``HOST_MS``."""
    return int(conn.execute(select(HOST_MS)).scalar_one())


def actor_from(row: Any) -> Actor:  # noqa: ANN401 - a row with id, org_code and roles
    """Return the actor of a row with ``ROLES``."""
    roles = frozenset(Role(name) for name in row.roles or ())
    return Actor(account=row.id, roles=roles, organisation=row.org_code)


def actor_of(conn: Connection, login_or_id: str) -> Actor:
    """Return the actor of an active account, by login or id.

    Raises:
        NotFound: There is none, or it is closed.
    """
    query = select(account.c.id, account.c.org_code, ROLES).where(
        account.c.active, (account.c.login == login_or_id) | (account.c.id == login_or_id)
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFound(login_or_id)
    return actor_from(row)


def people_of(conn: Connection, org_code: str) -> list[AccountShown]:
    """Return the open accounts of an organisation, by name.

    Experts are nobody's colleagues: their accounts are kept by one organisation, and the list of them would be the list
    of the pool, which nobody may have (security 9.2, 12).
    """
    experts = select(membership.c.account_id).where(membership.c.role == Role.EXPERT.value)
    return _shown(conn, (account.c.org_code == org_code) & account.c.active & account.c.id.not_in(experts))


def accounts_of_person(conn: Connection, account_id: str) -> dict[str, str]:
    """Return every open account of the human being behind an account, with its organisation; itself included."""
    behind = select(account.c.person).where(account.c.id == account_id).scalar_subquery()
    query = select(account.c.id, account.c.org_code).where(account.c.person == behind, account.c.active)
    return {row.id: row.org_code for row in conn.execute(query)}


def same_person(conn: Connection, one: str, others: Collection[str]) -> bool:
    """Whether any of these accounts, open or closed, is of the human being behind ``one``: four eyes are two people."""
    if one in others:
        return True
    behind = select(account.c.person).where(account.c.id == one).scalar_subquery()
    query = select(account.c.id).where(account.c.person == behind, account.c.id.in_(others))
    return conn.execute(query.limit(1)).first() is not None


def find_accounts(conn: Connection, wanted: str) -> list[AccountShown]:
    """Return at most 200 accounts whose name, login or organisation code contains ``wanted``; the open ones first."""
    pattern = "%" + wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    fits = account.c.login.ilike(pattern) | person.c.name.ilike(pattern) | account.c.org_code.ilike(pattern)
    return _shown(conn, fits)


def account_by_id(conn: Connection, account_id: str) -> AccountShown:
    """Return one account, open or closed.

    Raises:
        NotFound: There is none.
    """
    found = _shown(conn, account.c.id == account_id)
    if not found:
        raise NotFound(account_id)
    return found[0]


def names_of(conn: Connection, account_ids: Collection[str]) -> dict[str, str]:
    """Return the name of the person behind each account."""
    query = select(account.c.id, person.c.name).join(person, person.c.id == account.c.person)
    return {row.id: row.name for row in conn.execute(query.where(account.c.id.in_(list(account_ids))))}


def _shown(conn: Connection, which: Any) -> list[AccountShown]:  # noqa: ANN401 - an SQL condition
    columns = (account.c.id, account.c.login, person.c.name, account.c.org_code, account.c.active)
    query = select(*columns).join(person, person.c.id == account.c.person).where(which)
    rows = conn.execute(query.order_by(account.c.active.desc(), person.c.name, account.c.login).limit(_MOST)).all()
    held: dict[str, list[Held]] = {row.id: [] for row in rows}
    roles = select(membership.c.account_id, membership.c.role, membership.c.jurisdiction).where(
        membership.c.account_id.in_(list(held)), membership.c.status == "active"
    )
    for row in conn.execute(roles.order_by(membership.c.role, membership.c.jurisdiction)):
        held[row.account_id].append(Held(role=Role(row.role), jurisdiction=row.jurisdiction))
    return [AccountShown(**row._mapping, memberships=tuple(held[row.id])) for row in rows]
