"""Which bulk files there are, and the releases that go into one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Row, func, select

from trading.audit.tables import audit_entry, log_position
from trading.kernel.canonical import loads_object
from trading.notices.rules.channels import Channel
from trading.notices.tables import publication
from trading.opendata.rules.manifest import BulkFile, Extent
from trading.opendata.rules.periods import Period
from trading.opendata.tables import bulk_period

_PAGE: Final = 200
_OCDS: Final = publication.c.channel == Channel.OCDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """The files of one period; ``position`` is where the log names the manifest, None before that."""

    name: str
    final: bool
    releases: int
    last: int
    manifest: bytes
    manifest_sha256: str
    made_at: int
    position: int | None

    @property
    def files(self) -> tuple[BulkFile, ...]:
        """Return the files that the manifest names."""
        return tuple(BulkFile(**each) for each in loads_object(self.manifest)["files"])


_SELECT: Final = select(bulk_period, log_position.c.n).select_from(
    bulk_period.outerjoin(audit_entry, audit_entry.c.h == bulk_period.c.h).outerjoin(
        log_position, log_position.c.entry_id == audit_entry.c.id
    )
)


def newest(conn: Connection, *, years: bool, before: str | None = None, limit: int) -> list[Bulk]:
    """Return days or years with files, newest first; ``before`` is the name at which a page begins, exclusive."""
    query = _SELECT.where(func.length(bulk_period.c.name) == (4 if years else 10))
    if before is not None:
        query = query.where(bulk_period.c.name < before)
    return [_bulk(row) for row in conn.execute(query.order_by(bulk_period.c.name.desc()).limit(limit))]


def one(conn: Connection, name: str) -> Bulk | None:
    """Return the files of a period, or None."""
    row = conn.execute(_SELECT.where(bulk_period.c.name == name)).one_or_none()
    return None if row is None else _bulk(row)


def digests(conn: Connection, beginning: str) -> frozenset[str]:
    """Return the SHA-256 (hex) of every file of the periods whose names begin so: a year with all its days."""
    found = conn.execute(_SELECT.where(bulk_period.c.name.startswith(beginning, autoescape=True)))
    return frozenset(each.sha256 for row in found for each in _bulk(row).files)


def last_final(conn: Connection, *, years: bool) -> str | None:
    """Return the name of the last day or year whose files are final."""
    wanted = bulk_period.c.final & (func.length(bulk_period.c.name) == (4 if years else 10))
    found: str | None = conn.execute(select(func.max(bulk_period.c.name)).where(wanted)).scalar_one()
    return found


def first_release_from(conn: Connection, at: int) -> int | None:
    """Return the instant (ms) of the first release at ``at`` or later."""
    query = select(func.min(publication.c.published_at)).where(_OCDS, publication.c.published_at >= at)
    found: int | None = conn.execute(query).scalar_one()
    return found


def extent_of(conn: Connection, period: Period) -> Extent | None:
    """Return how many releases a period has, with the first and last number; None if it has none."""
    inside = publication.c.published_at.between(period.start, period.end - 1)
    number = publication.c.number
    counted = select(func.count(), func.min(number), func.max(number)).where(_OCDS, inside)
    count, first, last = conn.execute(counted).one()
    return Extent(releases=count, first=first, last=last) if count else None


def releases_of(conn: Connection, period: Period, last: int) -> Iterator[bytes]:
    """Yield the bytes of each release of a period up to number ``last``, in the order of publication."""
    inside = publication.c.published_at.between(period.start, period.end - 1)
    number, query = 0, select(publication.c.number, publication.c.content).where(_OCDS, inside)
    while True:
        wanted = query.where(publication.c.number > number, publication.c.number <= last)
        found = conn.execute(wanted.order_by(publication.c.number).limit(_PAGE)).all()
        if not found:
            return
        yield from (bytes(row.content) for row in found)
        number = found[-1].number


def _bulk(row: Row[*tuple[object, ...]]) -> Bulk:
    told = row._mapping
    return Bulk(
        name=told["name"],
        final=told["final"],
        releases=told["releases"],
        last=told["last"],
        manifest=bytes(told["manifest"]),
        manifest_sha256=bytes(told["manifest_sha256"]).hex(),
        made_at=told["made_at"],
        position=told["n"],
    )
