"""One entry as anybody can check it: its bytes, the way to a signed root, who signed that root, when it existed.

Everything is computed again from the files of the log: a page shows what a verifier would see (AL1 L8.3, TE1 T7).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from trading.audit.queries import LoggedRecord
from trading.audit.rules.bounds import Bounds, bounds, witnessed_time
from trading.audit.rules.chain import entry_bytes
from trading.audit.rules.note import Checkpoint, VerifiedCheckpoint, parse_checkpoint_text, parse_note
from trading.audit.rules.proof import Receipt, build_receipt
from trading.audit.rules.steps import Step, inclusion_steps
from trading.audit.rules.tree import leaf_hash
from trading.audit.service import LogAccess, LogReader, policy_of, reader, verified_of_any
from trading.kernel.errors import IntegrityFailure

_NEAR: Final = 1_000  # sizes below an entry that are tried for a witnessed note


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an entry stands, and the way from it to the root of a checkpoint.

    Attributes:
        n: Its index in its log.
        entry: Its canonical bytes (L1.2); None where only its hash may be told.
        leaf: Its leaf hash.
        steps: From the leaf to the root.
        note: The checkpoint, verbatim.
        checkpoint: What it says.
        cosigners: Witnesses with the instants that they signed, in ms, the earliest first.
        bounds: When the entry existed; None without a witnessed checkpoint.
        base: Place of the first entry of its log: 0 unless the log continues another one (L13).
    """

    n: int
    entry: bytes | None
    leaf: bytes
    steps: tuple[Step, ...]
    note: bytes
    checkpoint: Checkpoint
    cosigners: tuple[tuple[str, int], ...] = ()
    bounds: Bounds | None = None
    base: int = 0

    @property
    def number(self) -> int:
        """Return the place of the entry, counted through all logs (``queries.Position``)."""
        return self.base + self.n

    @property
    def holds(self) -> bool:
        """Whether the way leads to the signed root."""
        return (self.steps[-1].node if self.steps else self.leaf) == self.checkpoint.root

    @property
    def witnessed(self) -> bool:
        """Whether a quorum of witnesses has signed the checkpoint, so that there is a latest instant."""
        return self.bounds is not None and self.bounds.upper_ms is not None


def place(access: LogAccess, n: int, note: bytes, *, record: LoggedRecord | None, earlier: bytes | None) -> Place:
    """Return the place of entry ``n`` under a checkpoint.

    Args:
        access: The log's files, origin and policy.
        n: Place of the entry (``queries.Position``), which the checkpoint covers; it is one of the log that holds it.
        note: The checkpoint.
        record: What the database has at this position; None if only the hash may be told.
        earlier: A witnessed note of ``n`` entries or fewer, for the earliest instant; None if there is none at hand.

    Raises:
        IntegrityFailure: The stored record does not open the entry, or its bytes are not what the tiles hold.
    """
    log = reader(access.log_dir).of(n)
    n -= log.base
    checkpoint = parse_checkpoint_text(parse_note(note).text)
    leaf = log.proofs.leaf(n, checkpoint.size)
    entry = None if record is None else entry_bytes(record.h, n, record.p, record.t)
    if entry is not None and leaf_hash(entry) != leaf:
        raise IntegrityFailure(f"the database has another entry at position {n} than the tiles")
    verified = [each for each in (_verified(access, note), _verified(access, earlier)) if each is not None]
    return Place(
        base=log.base,
        n=n,
        entry=entry,
        leaf=leaf,
        steps=inclusion_steps(n, checkpoint.size, leaf, log.proofs.inclusion(n, checkpoint.size)),
        note=note,
        checkpoint=checkpoint,
        cosigners=_cosigners(verified[0]) if verified else (),
        bounds=_bounds(access, n, verified),
    )


def receipt_under(access: LogAccess, record: LoggedRecord, note: bytes) -> Receipt:
    """Return the receipt of a record under a checkpoint of the caller's choice (L8.2).

    Raises:
        IntegrityFailure: The stored record does not open the entry.
    """
    log = reader(access.log_dir).of(record.n)
    size, n = parse_checkpoint_text(parse_note(note).text).size, record.n - log.base
    entry = entry_bytes(record.h, n, record.p, record.t)
    try:
        return build_receipt(entry, record.nonce, record.record, log.proofs.inclusion(n, size), note)
    except ValueError as error:
        raise IntegrityFailure(str(error)) from error


def notes_before(log: LogReader, n: int) -> Iterator[bytes]:
    """Yield the witnessed notes that do not hold place ``n``, the largest and last first, as far as they are near.

    They are of the log that holds the place.
    """
    log = log.of(n)
    n -= log.base
    for size in range(n, max(0, n - _NEAR), -1):
        for which in ("last", "first"):
            if (data := log.tiles.read(f"checkpoints/{size}-{which}")) is not None:
                yield data


def note_before(log: LogReader, n: int) -> bytes | None:
    """Return the last witnessed note of the largest size that does not hold entry ``n``; None if none is near."""
    return next(notes_before(log, n), None)


def _verified(access: LogAccess, note: bytes | None) -> VerifiedCheckpoint | None:
    policy = policy_of(access.witness_policy)
    return None if note is None or policy is None else verified_of_any(access, note, policy)


def _cosigners(verified: VerifiedCheckpoint) -> tuple[tuple[str, int], ...]:
    found = [(key.name, 1000 * time_s) for key, time_s in verified.times.items()]
    return tuple(sorted(found, key=lambda each: (each[1], each[0])))


def _bounds(access: LogAccess, n: int, verified: list[VerifiedCheckpoint]) -> Bounds | None:
    policy = policy_of(access.witness_policy)
    if policy is None:
        return None
    times = [time for each in verified if (time := witnessed_time(each, policy)) is not None]
    return bounds(n, times) if times else None
