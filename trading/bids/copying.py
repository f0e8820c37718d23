"""Copies of sealed parts in the second store, and the record that an envelope has one (SB1 S7.4; reliability F06).

A round comes back for ever at a fixed pace and asks the second store something even when nothing waits: neither its
errand nor what an operator reads when that store is away tells whether anybody bids (G4). Nothing here is waited for
by a bidder. A slower round compares the names in both stores and makes missing copies again, in either direction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, or_, select

from trading.audit.errands import Postponed
from trading.audit.ledger import Ledger
from trading.audit.rules.stamps import UPKEEP
from trading.audit.runtime import Runtime
from trading.bids import model, queries, store, sweeping
from trading.bids.rules.envelope import parse_envelope
from trading.bids.tables import bid, bid_version, copied, part
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import Conflict, IntegrityFailure, InvalidInput, NotFound
from trading.kernel.roles import Actor
from trading.storage.objects import OneStore, StoreAway
from trading.storage.pair import SECOND, PairedStore, copy_object, differing

COPY: Final = f"{UPKEEP}copies"
COPY_EVERY_MS: Final = 10_000
COMPARE: Final = f"{UPKEEP}stores"
COMPARE_EVERY_MS: Final = 3_600_000
RETRY_MS: Final = 60_000
AGAIN_MS: Final = 600_000  # a part that could not be read is tried again after this
_BATCH: Final = 100
_ACTOR: Final = Actor.system("worker")
_ASKED: Final = sha256_hex(b"mingbiao: is the second store there?")  # nobody stores this
_log = logging.getLogger("mingbiao.storage")


def copy(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Copy the parts that have come, and record the envelopes whose parts are all in the second store by now."""
    del arg
    return _round(runtime, COPY_EVERY_MS, _copy_parts)


def compare(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Sweep what synthetic bidders left, and make copies that either store lacks: parts, documents, opened files."""
    del arg
    return _round(runtime, COMPARE_EVERY_MS, _repair)


def _round(runtime: Runtime, every_ms: int, work: Callable[[Runtime, PairedStore, int], None]) -> int | None:
    pair = runtime.copies
    if pair is None:
        return None  # it was taken out of the settings
    with runtime.ledger.upkeep() as conn:
        now = runtime.ledger.platform_time(conn)
    try:
        pair.second.stat(_ASKED)
        work(runtime, pair, now)
    except OSError as error:
        raise Postponed(now + min(RETRY_MS, every_ms), "an object store does not answer") from error
    return now + every_ms


def _copy_parts(runtime: Runtime, pair: PairedStore, now: int) -> None:
    ledger = runtime.ledger
    faults: list[OSError] = []
    while True:
        with ledger.upkeep() as conn:
            waiting = _parts_to_copy(conn, now - AGAIN_MS)
        if not waiting:
            break
        for digest in waiting:
            is_copied = _copied(pair.first, pair.second, digest, faults)
            with ledger.upkeep() as conn:
                store.mark_tried(conn, digest, is_copied=is_copied)
    with ledger.upkeep() as conn:
        untold = _envelopes_to_tell(conn)
    for each in untold:
        _tell(ledger, each)
    if faults:
        raise faults[0]


def _parts_to_copy(conn: Connection, untried_since: int) -> list[str]:
    """Return stored parts that the second store does not have and that were not tried after an instant (ms)."""
    query = (
        select(part.c.sha256)
        .select_from(part.outerjoin(copied, copied.c.sha256 == part.c.sha256))
        .where(copied.c.copied_at.is_(None), or_(copied.c.tried_at.is_(None), copied.c.tried_at <= untried_since))
        .group_by(part.c.sha256)
        .order_by(func.min(part.c.stored_at))
        .limit(_BATCH)
    )
    return [bytes(digest).hex() for digest in conn.execute(query).scalars()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Untold:
    """An envelope of which it is not recorded that the second store has it."""

    bid: str
    sha256: str
    doc: bytes


def _envelopes_to_tell(conn: Connection) -> list[_Untold]:
    query = (
        select(bid.c.reference, bid_version.c.doc_sha256, bid_version.c.bytes)
        .join(bid, bid.c.id == bid_version.c.bid_id)
        .outerjoin(copied, copied.c.sha256 == bid_version.c.doc_sha256)
        .where(bid_version.c.kind == "envelope", copied.c.copied_at.is_(None))
        .order_by(bid_version.c.id)
    )
    return [
        _Untold(bid=row.reference, sha256=bytes(row.doc_sha256).hex(), doc=bytes(row.bytes))
        for row in conn.execute(query)
    ]


def _tell(ledger: Ledger, envelope: _Untold) -> None:
    """Record ``bid.replicated`` once, when the second store has every part."""
    parts = {bytes.fromhex(each.sha256) for each in parse_envelope(envelope.doc).parts}
    with ledger.upkeep() as conn:
        target = queries.target(conn, envelope.bid)
        there = select(copied.c.sha256).where(copied.c.sha256.in_(parts), copied.c.copied_at.is_not(None))
        if target is None or {bytes(name) for name in conn.execute(there).scalars()} != parts:
            return
    try:
        with ledger.begin(_ACTOR) as uow:
            store.add_copied(uow, envelope.sha256)
            uow.record(model.replicate(target.head, envelope.sha256, SECOND))
    except Conflict:
        return  # another run was faster


def _repair(runtime: Runtime, pair: PairedStore, now: int) -> None:
    _copy_parts(runtime, pair, now)  # what is swept has been copied and told
    sweeping.sweep(runtime.ledger, pair, now)  # here, so that no list of names is older
    faults: list[OSError] = []
    _make_equal(pair, faults)
    if isinstance(runtime.opened, PairedStore):
        _make_equal(runtime.opened, faults)
    if faults:
        raise faults[0]


def _make_equal(pair: PairedStore, faults: list[OSError]) -> None:
    lacking_second, lacking_first = differing(pair)
    if lacking_first:
        _log.error("the first object store lacks objects that the second one has: they are copied back")
    for digest in lacking_second:
        _copied(pair.first, pair.second, digest, faults)
    for digest in lacking_first:
        _copied(pair.second, pair.first, digest, faults)


def _copied(source: OneStore, target: OneStore, digest: str, faults: list[OSError]) -> bool:
    """Copy one object; what is wrong with it keeps no other one waiting, only a service that is away does."""
    try:
        copy_object(source, target, digest)
    except StoreAway:
        raise
    except OSError as error:
        faults.append(error)
        return False
    except (NotFound, IntegrityFailure, InvalidInput):
        _log.error("an object could not be copied, or a copy has other bytes: mingbiao fsck --objects names it")
        return False
    return True
