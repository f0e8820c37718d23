"""What a running process of the platform is made of, without the web: kinds of records, errands, the runtime."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from trading.accounts import model as accounts
from trading.audit import jobs as audit_jobs
from trading.audit import model as audit
from trading.audit import relay
from trading.audit.authorities import parse_authorities
from trading.audit.errands import Handler
from trading.audit.ledger import Ledger
from trading.audit.relay import Subscription
from trading.audit.runtime import IntakeService, Runtime
from trading.awards import jobs as award_jobs
from trading.awards import model as awards
from trading.bids import jobs as bid_jobs
from trading.bids import model as bids
from trading.bids.rules.trust import parse_trust
from trading.clarifications import model as clarifications
from trading.config import Place, Process, Settings
from trading.contracts import model as contracts
from trading.crypto.keyfiles import load_es256
from trading.crypto.passwords import Passwords
from trading.custody import model as custody
from trading.db import open_engine
from trading.disclosure import model as disclosure
from trading.evaluation import jobs as evaluation_jobs
from trading.evaluation import model as evaluation
from trading.experts import jobs as expert_jobs
from trading.experts import model as experts
from trading.kernel.events import EventKind, Registry
from trading.kernel.signed import SignedDocument
from trading.notices import jobs as notice_jobs
from trading.notices import model as notices
from trading.opendata import jobs as bulk_jobs
from trading.opendata import model as opendata
from trading.openings import jobs as opening_jobs
from trading.openings import model as openings
from trading.participation import jobs as participation_jobs
from trading.parties import model as parties
from trading.pool import jobs as pool_jobs
from trading.pool import model as pool
from trading.procedures import model as procedures
from trading.statistics import jobs as statistics_jobs
from trading.statistics import model as statistics
from trading.storage.intake import carrier_of
from trading.storage.local import LocalStore
from trading.storage.objects import OneStore, StoreAway
from trading.storage.pair import PairedStore

_log = logging.getLogger("mingbiao.assembly")

EVENTS: Final[tuple[EventKind, ...]] = (
    *audit.EVENTS,
    *parties.EVENTS,
    *accounts.EVENTS,
    *custody.EVENTS,
    *procedures.EVENTS,
    *bids.EVENTS,
    *clarifications.EVENTS,
    *openings.EVENTS,
    *experts.EVENTS,
    *pool.EVENTS,
    *evaluation.EVENTS,
    *awards.EVENTS,
    *contracts.EVENTS,
    *notices.EVENTS,
    *disclosure.EVENTS,
    *opendata.EVENTS,
    *statistics.EVENTS,
)

REGISTRY: Final = Registry(EVENTS)

# Below DATA_DIR: the supervisor's trust file (P8); the play of a demonstration keeps it with its people.
TRUST_FILES: Final = ("trust.wire.json", "people/trust.wire.json")

# Below DATA_DIR: files on their way into a bucket, and parts while they are opened.
SPOOL: Final = "spool"

# Below either object store, apart from what is sealed: files of opened bids.
OPENED: Final = "opened"

# As above: files of open data, which everybody may have and which can be made again.
BULK: Final = "bulk"

# Below LOG_DIR: what every process may read; the write-ahead log beside it is the sequencer's alone (AL1 L5.1).
TILES: Final = "tiles"

# Who reacts to entries of the log a moment later (architecture 5). A process with an unknown kind here does not start.
SUBSCRIPTIONS: Final[tuple[Subscription, ...]] = (
    *notice_jobs.SUBSCRIPTIONS,
    *audit_jobs.SUBSCRIPTIONS,
    *participation_jobs.SUBSCRIPTIONS,
    *evaluation_jobs.SUBSCRIPTIONS,
)
relay.require_known(SUBSCRIPTIONS, REGISTRY)

ERRANDS: Final[Mapping[str, Handler]] = {
    **audit_jobs.ERRANDS,
    **award_jobs.ERRANDS,
    **bid_jobs.ERRANDS,
    **bulk_jobs.ERRANDS,
    **opening_jobs.ERRANDS,
    **evaluation_jobs.ERRANDS,
    **expert_jobs.ERRANDS,
    **pool_jobs.ERRANDS,
    **statistics_jobs.ERRANDS,
    **relay.handlers(SUBSCRIPTIONS),
}


def trust_file(data_dir: Path) -> SignedDocument | None:
    """Return the supervisor's trust file as it was handed to this installation; None if it was not."""
    for path in (data_dir / name for name in TRUST_FILES):
        if path.is_file():
            return SignedDocument.from_wire(path.read_bytes())
    return None


def authority_roots(data_dir: Path) -> dict[str, tuple[bytes, ...]]:
    """Return the root certificates (DER) of time-stamping authorities by their names in the trust file (TE1 T8)."""
    found = trust_file(data_dir)
    stampers = () if found is None else parse_trust(found.doc).tsa
    return {each.name: tuple(row.cert for row in stampers if row.name == each.name) for each in stampers}


def open_objects(store: Path | Place, data_dir: Path) -> OneStore:
    """Return an object store of an installation; ``data_dir`` holds what is on its way into a bucket."""
    if isinstance(store, Path):
        return LocalStore(store)
    from trading.storage.bucket import Bucket  # noqa: PLC0415 - its library costs every start time and memory
    from trading.storage.s3 import S3Store  # noqa: PLC0415 - as above

    return S3Store(Bucket(store), data_dir / SPOOL)


def opened_in(pair: PairedStore, name: str = OPENED) -> PairedStore:
    """Return where the files of opened bids lie in both stores, or what else has a folder of its own there."""
    return PairedStore(first=pair.first.folder(name), second=pair.second.folder(name))


def open_copies(settings: Settings) -> PairedStore | None:
    """Return both object stores of an installation that has a second one."""
    if settings.object_store is None or settings.object_copy is None:
        return None
    first, second = (open_objects(each, settings.data_dir) for each in (settings.object_store, settings.object_copy))
    return PairedStore(first=first, second=second)


def require_conditions(runtime: Runtime) -> None:
    """See that the services of both object stores keep conditions on writes; one that is away is seen later.

    Raises:
        ConfigError: One does not: two writers could undo each other there.
    """
    opened, copies = runtime.opened, runtime.copies
    first = opened.first if isinstance(opened, PairedStore) else opened
    stores = (first, None if copies is None else copies.second)
    for store in stores:
        try:
            if store is not None:
                store.require_conditions()
        except StoreAway as error:
            _log.warning("%s; whether it keeps conditions is not known", error)


def open_intake(settings: Settings) -> IntakeService | None:
    """Return the supervisor's intake as this process knows it; only a worker asks it for lists (SB1 S7.6)."""
    if settings.intake_url is None or settings.intake_vkey is None:
        return None
    token = None if settings.intake_token_file is None else settings.intake_token_file.read_text().strip()
    carrier = carrier_of(settings.intake_url, token) if settings.process is Process.WORKER else None
    return IntakeService(vkey=settings.intake_vkey, url=settings.intake_url, carrier=carrier)


def open_runtime(settings: Settings, *, pool_size: int) -> Runtime:
    """Return ledger, stores and clock of a process; nothing is connected before the first use.

    Args:
        settings: Of a process that reads the log and the object store (web or worker).
        pool_size: At least the threads that use the ledger at one time.
    """
    if settings.log_dir is None or settings.object_store is None:
        raise ValueError(f"the settings of {settings.process} name no log or object store")
    name = settings.process.value
    writer = open_engine(settings.database_url, pool_size=pool_size, application=name)
    reader = None
    if settings.database_read_url is not None:
        reader = open_engine(settings.database_read_url, pool_size=pool_size, application=f"{name}-read")
    copies = open_copies(settings)
    first = open_objects(settings.object_store, settings.data_dir) if copies is None else copies.first
    return Runtime(
        ledger=Ledger(writer, registry=REGISTRY, reader=reader),
        objects=copies or first,
        copies=copies,
        opened=first.folder(OPENED) if copies is None else opened_in(copies),
        bulk=first.folder(BULK) if copies is None else opened_in(copies, BULK),
        spool=settings.data_dir / SPOOL,
        log_dir=settings.log_dir / TILES,
        origin=settings.log_origin,
        demo=settings.demo,
        clock=settings.clock(),
        ack=load_es256(settings.ack_key_file, None) if settings.ack_key_file is not None else None,
        witness_policy=settings.witness_policy.read_text() if settings.witness_policy is not None else "",
        passwords=Passwords(settings.argon2_memory_kib, settings.argon2_passes),
        public_url=(settings.public_url or "http://localhost").rstrip("/"),
        authorities=parse_authorities(settings.time_stamps, settings.time_stamp_credentials or {}),
        authority_roots=lambda: authority_roots(settings.data_dir),
        intake=open_intake(settings),
        upload_keep_ms=settings.upload_days * 86_400_000,
        ocid_prefix=settings.ocid_prefix,
    )
