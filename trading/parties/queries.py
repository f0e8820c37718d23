"""Read side of organisations and keys."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, any_, literal, select, text

from trading.audit.tables import audit_entry
from trading.kernel.canonical import loads_object
from trading.parties.model import PRACTICE, SigningKey, affiliates
from trading.parties.tables import organisation, signing_key

KEY_COLUMNS: Final = (
    signing_key.c.kid,
    signing_key.c.org_code,
    signing_key.c.role,
    signing_key.c.alg,
    signing_key.c.spki,
    signing_key.c.status,
)
#: Written as in the partial index audit_entry_affiliation.
_IS_AFFILIATION: Final = text("audit_entry.kind = 'organisation.affiliation_stated'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One organisation of the register; ``code`` is the unified social credit code."""

    code: str
    name_zh: str
    name_en: str
    roles: tuple[str, ...]


def organisation_by_code(conn: Connection, code: str) -> Organisation | None:
    """Return the organisation, or None."""
    return organisations(conn, (code,)).get(code)


def organisations(conn: Connection, codes: tuple[str, ...]) -> dict[str, Organisation]:
    """Return the known ones of ``codes``, by code."""
    query = select(organisation.c.code, organisation.c.name_zh, organisation.c.name_en, organisation.c.roles)
    rows = conn.execute(query.where(organisation.c.code.in_(codes)))
    return {code: Organisation(code=code, name_zh=zh, name_en=en, roles=tuple(roles)) for code, zh, en, roles in rows}


def with_affiliates(conn: Connection, codes: Collection[str]) -> frozenset[str]:
    """Return these organisations and those affiliated to one of them, as stated in the register so far."""
    query = select(audit_entry.c.record).where(_IS_AFFILIATION)
    bodies = [loads_object(bytes(row.record))["body"] for row in conn.execute(query.order_by(audit_entry.c.id))]
    return affiliates(((body["codes"], body["affiliated"]) for body in bodies), codes)


def practising(conn: Connection, codes: Collection[str]) -> frozenset[str]:
    """Return those of ``codes`` that are organisations of practice tenders (ADR 0061)."""
    query = select(organisation.c.code).where(organisation.c.code.in_(list(codes)))
    return frozenset(conn.execute(query.where(literal(PRACTICE) == any_(organisation.c.roles))).scalars())


def centres(conn: Connection) -> frozenset[str]:
    """Return the codes of the organisations that run this platform."""
    query = select(organisation.c.code).where(literal("centre") == any_(organisation.c.roles))
    return frozenset(conn.execute(query).scalars())


def keys_of(conn: Connection, org_code: str, role: str) -> list[SigningKey]:
    """Return the active keys of an organisation in one role, by kid."""
    query = (
        select(signing_key.c.kid, signing_key.c.alg, signing_key.c.spki)
        .where(signing_key.c.org_code == org_code, signing_key.c.role == role, signing_key.c.status == "active")
        .order_by(signing_key.c.kid)
    )
    return [
        SigningKey(kid=kid, org_code=org_code, role=role, alg=alg, spki=bytes(spki), active=True)
        for kid, alg, spki in conn.execute(query)
    ]


def all_keys_of(conn: Connection, org_code: str) -> list[SigningKey]:
    """Return every key of an organisation, active ones first, by role and kid; revoked ones too."""
    columns = (signing_key.c.kid, signing_key.c.role, signing_key.c.alg, signing_key.c.spki, signing_key.c.status)
    query = select(*columns).where(signing_key.c.org_code == org_code)
    rows = conn.execute(query.order_by(signing_key.c.status, signing_key.c.role, signing_key.c.kid))
    return [
        SigningKey(kid=kid, org_code=org_code, role=role, alg=alg, spki=bytes(spki), active=status == "active")
        for kid, role, alg, spki, status in rows
    ]


def keys_by_kid(conn: Connection, kids: Collection[str]) -> dict[str, SigningKey]:
    """Return the registered ones of these keys, revoked or not."""
    columns = (signing_key.c.kid, signing_key.c.org_code, signing_key.c.role, signing_key.c.alg, signing_key.c.spki)
    query = select(*columns, signing_key.c.status).where(signing_key.c.kid.in_(list(kids)))
    return {
        kid: SigningKey(kid=kid, org_code=org, role=role, alg=alg, spki=bytes(spki), active=status == "active")
        for kid, org, role, alg, spki, status in conn.execute(query)
    }


def key_of(row: Row[*tuple[Any, ...]]) -> SigningKey:
    """Return the key in a row that has ``KEY_COLUMNS``."""
    return SigningKey(
        kid=row.kid,
        org_code=row.org_code,
        role=row.role,
        alg=row.alg,
        spki=bytes(row.spki),
        active=row.status == "active",
    )
