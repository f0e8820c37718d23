"""Rows of the register: experts, their sealed identities, snapshots, and the accounts tied to pool numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.experts.rules.register import Act, RegisterChange
from trading.experts.tables import expert, expert_account, expert_identity, pool_key, pool_snapshot
from trading.kernel.ids import new_row_id

_REGISTER_LOCK = 0x6D62_6578


def lock_register(uow: UnitOfWork) -> None:
    """Let one change of the register, or one pool made from it, happen at a time."""
    uow.connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_REGISTER_LOCK,))


def put_experts(uow: UnitOfWork, recorded: Recorded, change: RegisterChange, state: str) -> None:
    """Store the experts of a change as they stand after it; who was removed keeps his row and may be admitted again."""
    ids = [item.id for item in change.items]
    known = set(uow.connection.execute(select(expert.c.expert_id).where(expert.c.expert_id.in_(ids))).scalars())
    fresh = []
    for item in change.items:
        values = {"entry_id": recorded.entry_id, "strata": list(item.strata), "unit": item.unit}
        if item.id not in known:
            fresh.append({"id": new_row_id(), "expert_id": item.id, "state": state, **values})
            continue
        row = expert.update().where(expert.c.expert_id == item.id)
        # A change of employer or strata ends no suspension.
        uow.connection.execute(row.values(**values) if change.act == Act.CHANGED else row.values(state=state, **values))
    if fresh:
        uow.connection.execute(expert.insert(), fresh)


def add_identities(uow: UnitOfWork, recorded: Recorded, sealed: Mapping[str, bytes]) -> None:
    """Insert sealed identities; nobody but the contact service reads them again."""
    rows = [
        {"id": new_row_id(), "entry_id": recorded.entry_id, "expert_id": name, "sealed": data}
        for name, data in sealed.items()
    ]
    uow.connection.execute(expert_identity.insert().inline(), rows)


def add_snapshot(uow: UnitOfWork, recorded: Recorded, key: bytes) -> None:
    """Insert a nightly snapshot, with its key for the supervisor."""
    body = recorded.body
    uow.connection.execute(
        pool_snapshot.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            seq=body["seq"],
            register_size=body["register_size"],
            root=bytes.fromhex(body["root"]),
            size=body["size"],
            key_commit=bytes.fromhex(body["key_commit"]),
        )
    )
    uow.connection.execute(pool_key.insert().values(seq=body["seq"], key=key))


def identities(conn: Connection, ids: Iterable[str] | None = None) -> dict[str, bytes]:
    """Return the newest sealed identity of each expert; only the contact service has the right to."""
    query = select(expert_identity.c.expert_id, expert_identity.c.sealed).order_by(expert_identity.c.entry_id)
    if ids is not None:
        query = query.where(expert_identity.c.expert_id.in_(list(ids)))
    return {row.expert_id: bytes(row.sealed) for row in conn.execute(query)}


def identities_unlike(conn: Connection, known: AbstractSet[int]) -> dict[int, str]:
    """Return the sealed identities that are not among the ``known``: whose each of them is, by its id."""
    rows = conn.execute(select(expert_identity.c.id, expert_identity.c.expert_id))
    return {row.id: row.expert_id for row in rows if row.id not in known}


def linked_accounts(conn: Connection) -> set[str]:
    """Return the accounts that are tied to a pool number."""
    return set(conn.execute(select(expert_account.c.account_id)).scalars())


def link_of(conn: Connection, account: str) -> bytes | None:
    """Return the keyed hash that ties an account to a pool number."""
    found = conn.execute(select(expert_account.c.link).where(expert_account.c.account_id == account)).scalar()
    return None if found is None else bytes(found)


def add_link(conn: Connection, account: str, link: bytes) -> None:
    """Tie an account to a pool number by a hash that only the contact service can compute."""
    row = insert(expert_account).values(account_id=account, link=link)
    conn.execute(row.on_conflict_do_update(index_elements=["account_id"], set_={"link": link}))
