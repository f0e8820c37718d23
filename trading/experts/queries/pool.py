"""The register of experts and its counts. Nothing here can name a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, func, select, text

from trading.documents import queries as documents
from trading.documents.tables import document
from trading.experts.queries.values import StratumCount
from trading.experts.rules.register import Item, Register, RegisterChange, parse_register_change
from trading.experts.rules.specialties import SEED, Tree, parse_tree
from trading.experts.tables import expert, pool_snapshot
from trading.kernel.errors import IntegrityFailure, RuleBroken
from trading.parties.tables import signing_key

CONTACT_ROLE = "contact"


def contact_public(conn: Connection) -> bytes:
    """Return the public key of the contact service.

    Raises:
        RuleBroken: ``contact.no_key``: none is registered.
    """
    query = select(signing_key.c.spki).where(signing_key.c.role == CONTACT_ROLE, signing_key.c.status == "active")
    found = conn.execute(query.order_by(signing_key.c.entry_id.desc()).limit(1)).scalar()
    if found is None:
        raise RuleBroken("contact.no_key", "ED1 D1")
    return bytes(found)


def register(conn: Connection, ids: Collection[str] | None = None) -> Register:
    """Return the register as the rows have it, or the named experts of it, with the newest change."""
    query = select(expert.c.expert_id, expert.c.strata, expert.c.unit, expert.c.state).where(
        expert.c.state != "removed"
    )
    if ids is not None:
        query = query.where(expert.c.expert_id.in_(list(ids)))
    rows = conn.execute(query).all()
    return Register(
        experts={row.expert_id: Item(id=row.expert_id, strata=tuple(row.strata), unit=row.unit) for row in rows},
        suspended=frozenset(row.expert_id for row in rows if row.state == "suspended"),
        last=newest_change(conn),
    )


def register_entry(conn: Connection) -> int | None:
    """Return the newest entry that changed the register."""
    newest: int | None = conn.execute(select(func.max(expert.c.entry_id))).scalar()
    return newest


def newest_change(conn: Connection) -> RegisterChange | None:
    """Return the newest signed change of the register."""
    query = select(document.c.bytes).where(document.c.procedure_id.is_(None), document.c.typ == "ed1.register-change")
    found = conn.execute(query.order_by(document.c.entry_id.desc()).limit(1)).scalar()
    return None if found is None else parse_register_change(bytes(found))


_CHANGES = text(
    "SELECT convert_from(e.record, 'UTF8')::jsonb #>> '{body,change_sha256}' AS sha256"
    "  FROM log.audit_entry e JOIN log.log_position p ON p.entry_id = e.id"
    " WHERE e.kind = ANY(:kinds) AND p.n < :size ORDER BY p.n"
)


def changes_before(conn: Connection, size: int, kinds: Iterable[str]) -> list[RegisterChange]:
    """Return the register changes with index below ``size``, in log order: what the register at that size is made of.

    Raises:
        IntegrityFailure: A change that a record names is not stored.
    """
    found = []
    for digest in conn.execute(_CHANGES, {"kinds": list(kinds), "size": size}).scalars():
        stored = documents.get(conn, bytes.fromhex(digest))
        if stored is None:
            raise IntegrityFailure(f"register change {digest} is missing")
        found.append(parse_register_change(stored.doc))
    return found


def lapsed(conn: Connection) -> frozenset[str]:
    """Return the experts whose appointment has ended by rule (EXP-29) and whose removal no regulator has signed yet.

    Their rows stand above this package; until the removal they count as suspended in every draw.
    """
    query = text(
        "SELECT f.number FROM record.pool_file f JOIN record.expert e ON e.expert_id = f.number"
        " WHERE f.state = 'ended' AND e.state <> 'removed'"
    )
    return frozenset(conn.execute(query).scalars())


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Pool numbers of experts whom their own files keep out of a draw: by a declared conflict, or by absence."""

    conflicts: frozenset[str]
    unavailable: frozenset[str]


def bound(conn: Connection, organisations: Iterable[str], evaluation_on: date) -> Bound:
    """Return who declared to be bound to some organisations (EXP-15, EXP-16), and who is away on a day.

    Files stand above this package and are personal: a function of the database tells their numbers to the processes
    that prepare draws and to the contact service. It refuses every other role.
    """
    query = text("SELECT number, why FROM record.bound_experts(:organisations, :evaluation_on)")
    asked = {"organisations": sorted(organisations), "evaluation_on": evaluation_on.isoformat()}
    found: dict[str, set[str]] = {"conflict": set(), "unavailable": set()}
    for number, why in conn.execute(query, asked):
        found[why].add(number)
    return Bound(conflicts=frozenset(found["conflict"]), unavailable=frozenset(found["unavailable"]))


def specialties(conn: Connection) -> Tree:
    """Return the specialty tree in force: the newest one that was published, or the one that ships with the product.

    Its rows stand above this package, as files do.

    Raises:
        IntegrityFailure: A published tree is not stored.
    """
    query = text("SELECT sha256 FROM record.specialty_tree ORDER BY version DESC LIMIT 1")
    digest = conn.execute(query).scalar_one_or_none()
    if digest is None:
        return SEED
    stored = documents.get(conn, bytes(digest))
    if stored is None:
        raise IntegrityFailure(f"specialty tree {bytes(digest).hex()} is missing")
    return parse_tree(stored.doc)


def counts(conn: Connection) -> list[StratumCount]:
    """Return the number of experts of each stratum, by id."""
    stratum = func.unnest(expert.c.strata).label("stratum")
    rows = select(stratum, expert.c.state).where(expert.c.state != "removed").subquery()
    active, suspended = (func.count().filter(rows.c.state == state).label(state) for state in ("active", "suspended"))
    query = select(rows.c.stratum, active, suspended).group_by(rows.c.stratum).order_by(rows.c.stratum)
    return [StratumCount(stratum=row[0], active=row[1], suspended=row[2]) for row in conn.execute(query)]


def newest_snapshot(conn: Connection) -> tuple[int, int] | None:
    """Return (seq, register_size) of the newest nightly snapshot."""
    query = select(pool_snapshot.c.seq, pool_snapshot.c.register_size).order_by(pool_snapshot.c.seq.desc()).limit(1)
    row = conn.execute(query).one_or_none()
    return None if row is None else (row.seq, row.register_size)
