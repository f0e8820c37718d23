"""Rows of organisations and keys."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, select

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.kernel.errors import Conflict
from trading.kernel.ids import new_row_id
from trading.parties.model import SigningKey
from trading.parties.queries import KEY_COLUMNS, key_of
from trading.parties.tables import organisation, signing_key

# Built once: composing a statement costs three times as much as running it, and every submission runs these.
_BY_KID: Final = select(*KEY_COLUMNS).where(signing_key.c.kid == bindparam("kid"))
_FOR_SHARE: Final = _BY_KID.with_for_update(read=True)
_FOR_UPDATE: Final = _BY_KID.with_for_update()


def key_by_kid(conn: Connection, kid: str) -> SigningKey | None:
    """Return the registered key called ``kid``, without a lock."""
    row = conn.execute(_BY_KID, {"kid": kid}).one_or_none()
    return None if row is None else key_of(row)


def lock_key(uow: UnitOfWork, kid: str, *, for_update: bool = False) -> SigningKey | None:
    """Return the key under ``FOR SHARE`` (use) or ``FOR UPDATE`` (revocation): the order of both is then certain."""
    row = uow.connection.execute(_FOR_UPDATE if for_update else _FOR_SHARE, {"kid": kid}).one_or_none()
    return None if row is None else key_of(row)


def add_organisation(
    uow: UnitOfWork, recorded: Recorded, *, code: str, name_zh: str, name_en: str, roles: tuple[str, ...]
) -> None:
    """Insert the organisation that ``recorded`` registers."""
    uow.connection.execute(
        organisation.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            code=code,
            name_zh=name_zh,
            name_en=name_en,
            roles=sorted(roles),
        )
    )


def add_key(uow: UnitOfWork, recorded: Recorded, key: SigningKey) -> None:
    """Insert the key that ``recorded`` registers."""
    uow.connection.execute(
        signing_key.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            kid=key.kid,
            org_code=key.org_code,
            role=key.role,
            alg=key.alg,
            spki=key.spki,
            status="active",
        )
    )


def mark_revoked(uow: UnitOfWork, recorded: Recorded, kid: str) -> None:
    """Mark the key that ``recorded`` revokes."""
    result = uow.connection.execute(
        signing_key.update()
        .where(signing_key.c.kid == kid, signing_key.c.status == "active")
        .values(status="revoked", entry_id=recorded.entry_id)
    )
    if result.rowcount != 1:
        raise Conflict(f"key {kid} was revoked by another act")
