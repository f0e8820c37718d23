"""Making bulk files: of each day and year that is over once and for all, of the present ones as far as they have come.

Files are made from published releases alone, which tell nothing of bids before an opening. The record, the row and the
commitment of a final manifest are one transaction; a second run makes the same bytes and finds it done. Releases are
read from the primary: a replica that lags would make a day final without its last hour.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from trading.audit.runtime import Runtime
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import NotFound
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.opendata import queries, store
from trading.opendata.files import MEDIA, write
from trading.opendata.model import PUBLISHED
from trading.opendata.rules.manifest import BulkFile, Extent, manifest
from trading.opendata.rules.periods import Period, day_of, period_named, year_of
from trading.storage.objects import ObjectStore

_ACTOR: Final = Actor.system("opendata")
_LOCK: Final = 32_005
_PRESENT_YEAR_MS: Final = 24 * 3_600_000  # the files of a year that goes on are made again at most once a day


def catch_up(runtime: Runtime) -> int:
    """Make what is missing: days and years that are over, then the present ones; return how many periods were made."""
    with runtime.ledger.upkeep() as conn:
        now = runtime.ledger.platform_time(conn)
    made = sum(_finish(runtime, of, now) for of in (day_of, year_of))
    return made + sum(_renew(runtime, period, now) for period in (day_of(now), year_of(now)))


def _finish(runtime: Runtime, of: Callable[[int], Period], now: int) -> int:
    """Make every period that is over and has releases, from the last final one on."""
    made = 0
    with runtime.ledger.upkeep() as conn:
        last = queries.last_final(conn, years=of is year_of)
    period = None if last is None else period_named(last)
    begin = 0 if period is None else period.end
    while True:
        with runtime.ledger.upkeep() as conn:
            first = queries.first_release_from(conn, begin)
        if first is None or not of(first).is_over(now):
            return made
        made += build(runtime, of(first), final=True)
        begin = of(first).end


def _renew(runtime: Runtime, period: Period, now: int) -> bool:
    with runtime.ledger.upkeep() as conn:
        there, extent = queries.one(conn, period.name), queries.extent_of(conn, period)
    if extent is None or (there is not None and (there.final or there.last == extent.last)):
        return False
    if there is not None and period.is_year and now - there.made_at < _PRESENT_YEAR_MS:
        return False
    return build(runtime, period, final=False)


def build(runtime: Runtime, period: Period, *, final: bool) -> bool:
    """Make the files of a period and its manifest; whether there is anything in it.

    Args:
        runtime: With a store for files that everybody may have.
        period: Day or year.
        final: Whether it is over: then the log names the manifest, and the files are never replaced.

    Raises:
        NotFound: This process has no such store.
    """
    objects = bulk_store(runtime)
    with runtime.ledger.upkeep() as conn:
        extent = queries.extent_of(conn, period)
        before = queries.digests(conn, period.name)
    if extent is None:
        return False
    files = [_made(runtime, objects, period, extent.last, kind) for kind in MEDIA]
    told = manifest(period, extent, files, final=final, origin=runtime.origin)
    _keep(runtime, period, extent, told, final=final)
    with runtime.ledger.upkeep() as conn:
        named = queries.digests(conn, period.name[:4])
    for digest in before - named:  # files of the day so far, and nothing else: what is final stays named
        objects.remove(digest)
    return True


def bulk_store(runtime: Runtime) -> ObjectStore:
    """Return where bulk files lie.

    Raises:
        NotFound: This process has no such store.
    """
    if runtime.bulk is None:
        raise NotFound("bulk")
    return runtime.bulk


def _made(runtime: Runtime, objects: ObjectStore, period: Period, last: int, kind: str) -> BulkFile:
    extension, media = MEDIA[kind]

    def releases() -> Iterator[bytes]:
        with runtime.ledger.upkeep() as conn:
            yield from queries.releases_of(conn, period, last)

    if runtime.spool is not None:
        runtime.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runtime.spool) as folder:
        path = Path(folder) / f"bulk.{extension}"
        write(kind, releases, path)
        with path.open("rb") as source:
            digest, size = objects.put_stream(source)
    return BulkFile(name=f"mingbiao-{period.name}.{extension}", media=media, sha256=digest, size=size)


def _keep(runtime: Runtime, period: Period, extent: Extent, told: bytes, *, final: bool) -> None:
    if not final:
        with runtime.ledger.upkeep() as conn:
            store.put(conn, period, extent, told, at=runtime.ledger.platform_time(conn), final=False)
        return
    with runtime.ledger.begin(_ACTOR) as uow:
        uow.connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        there = queries.one(uow.connection, period.name)
        if there is not None and there.final:
            return
        store.put(uow.connection, period, extent, told, at=uow.at, final=True)
        body = {"manifest_sha256": sha256_hex(told), "period": period.name}
        event = Event(kind=PUBLISHED, subject=f"period:{period.name}", body=body, article="政府信息公开条例 19")
        store.proved(uow.connection, period, uow.record(event).h)
