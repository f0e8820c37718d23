"""A log that is closed and continued: the second world beside the first, with the same database and witnesses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import NullPool, create_engine
from typing_extensions import override

from tests.support.databases import Database
from tests.support.logs import LogWorld
from tests.support.polling import eventually
from trading.audit.ledger import Ledger
from trading.audit.model import EVENTS
from trading.audit.origins import Closed, close_log, continue_log
from trading.audit.rules.note import VerifierKey, parse_note
from trading.audit.sequencer.writer import LogSigner
from trading.db import psycopg_url
from trading.kernel.events import Registry
from trading.storage.tiles import CHECKPOINT, WITNESSED

REASON = "密钥可能泄露 / the key may be known to others"


def owner(database: Database) -> Ledger:
    """Return the write path as whoever releases the database has it."""
    engine = create_engine(psycopg_url(database.url("postgres")), poolclass=NullPool)
    database._engines.append(engine)
    return Ledger(engine, registry=Registry(EVENTS))


@dataclass
class ContinuedWorld(LogWorld):
    """The log after the ``earlier`` one: a name, a key and files of its own, shown to the same witnesses."""

    earlier: LogWorld = field(kw_only=True)
    name: str = field(kw_only=True)

    @override
    def __post_init__(self) -> None:
        self.witnesses = self.earlier.witnesses
        super().__post_init__()
        self.signer = LogSigner(self.name, bytes([len(self.name)]) * 32)
        self.log_key = self.signer.key

    @property
    @override
    def log_keys(self) -> list[VerifierKey]:
        return [*self.earlier.log_keys, self.log_key]

    @property
    @override
    def origin(self) -> str:
        return self.name


def close(world: LogWorld, *, reason: str = REASON, checkpoint: bytes | None = None) -> Closed:
    return close_log(owner(world.database), world.log_dir, world.policy, reason=reason, checkpoint=checkpoint)


def prepared(world: LogWorld, directory: Path, name: str = "log.test/audit-2") -> ContinuedWorld:
    """Return the world of the next log, of which the database knows nothing yet; the witnesses know its key."""
    following = ContinuedWorld(world.database, directory, world.clock, earlier=world, name=name)
    for witness in world.witnesses:
        witness.learn(following.log_key)
    return following


def resume(following: ContinuedWorld) -> ContinuedWorld:
    """Continue the closed log in the one that was prepared."""
    continue_log(
        owner(following.database),
        following.name,
        following.policy,
        old_log_dir=following.earlier.log_dir,
        log_dir=following.log_dir,
    )
    return following


def witness_all(world: LogWorld) -> None:
    """Run the sequencer until everything that is committed is in the log and a quorum has cosigned its newest note."""

    def done() -> bool:
        note, newest = world.tiles.read(WITNESSED), world.tiles.read(CHECKPOINT)
        is_logged = len(world.log_order()) == len(world.commitments())
        return is_logged and note is not None and parse_note(note).text == parse_note(newest or b"").text

    with world.running():
        eventually(done)
