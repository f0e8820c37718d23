"""Read side of accounts: the actor behind a login, memberships, the people of an organisation."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Connection, cast, func, select, text

from trading.accounts.tables import account, membership
from trading.kernel.errors import NotFound
from trading.kernel.roles import Actor, Role

#: The active roles of the account in hand, as an array; empty or NULL when it has none.
ROLES: Final = (
    select(func.array_agg(membership.c.role))
    .where(membership.c.account_id == account.c.id, membership.c.status == "active")
    .scalar_subquery()
    .label("roles")
)


def host_ms(conn: Connection) -> int:
    """Return the server's real clock in ms: sessions, codes and tokens never use shifted demo time (P13)."""
    return int(conn.execute(text("SELECT (extract(epoch from clock_timestamp()) * 1000)::bigint")).scalar_one())


#: The same as an expression.
HOST_MS: Final = cast(func.floor(func.extract("epoch", func.clock_timestamp()) * 1000), BigInteger)


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
