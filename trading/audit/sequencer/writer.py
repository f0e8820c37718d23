"""The files of the log as one writer: entries, write-ahead log, tiles, head, checkpoint (AL1 L5.1 B3 to B8, B10).

Order is everything here: bytes are on disk and read back before the root over them exists, the head has moved before
anything is signed, and nobody hears of a checkpoint before the database knows its positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from trading.audit.rules.chain import check_chain, genesis, link
from trading.audit.rules.note import ED25519, Checkpoint, Note, VerifierKey, message_to_sign, signature_line
from trading.audit.rules.tiles import GrowingTree, bundle_bytes, parse_bundle
from trading.crypto.notes import ed25519_public, sign_ed25519
from trading.kernel.errors import IntegrityFailure
from trading.storage.head import Head, HeadStore
from trading.storage.tiles import CHECKPOINT, TileStore
from trading.storage.wal import Frame, WriteAheadLog

#: Called with the name of a step of L5.1 when it is done; tests end the process there.
Hook: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """A checkpoint with its note, signed by the log and not yet witnessed."""

    checkpoint: Checkpoint
    note: Note


@dataclass(frozen=True, slots=True, repr=False)
class LogSigner:
    """The log's Ed25519 key; its name is the origin (AL1 L1.3)."""

    origin: str
    seed: bytes
    key: VerifierKey = field(init=False)

    def __post_init__(self) -> None:
        """Derive the public side."""
        key = VerifierKey(name=self.origin, kind=ED25519, public_key=ed25519_public(self.seed))
        object.__setattr__(self, "key", key)

    def sign(self, checkpoint: Checkpoint) -> SignedHead:
        """Sign a checkpoint; the same one always gives the same bytes."""
        line = signature_line(self.key, sign_ed25519(self.seed, message_to_sign(self.key, checkpoint)))
        return SignedHead(checkpoint=checkpoint, note=Note(text=checkpoint.text, signatures=(line,)))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFiles:
    """The three places of a log; head and write-ahead log belong on different volumes (AL1 L5.1)."""

    wal: WriteAheadLog
    head: HeadStore
    tiles: TileStore


class LogWriter:
    """State of the log in memory: tree, last leaf hash, last ``t``, head. Built by ``loading.load``."""

    def __init__(self, files: LogFiles, signer: LogSigner, hook: Hook) -> None:
        self.files = files
        self.signer = signer
        self.tree = GrowingTree()
        self.previous = genesis(signer.origin)
        self.t = 0
        self.head: Head | None = None
        self._hook = hook

    @property
    def size(self) -> int:
        """Return the number of entries in the tree."""
        return self.tree.size

    def append(self, commitments: Sequence[bytes], now_ms: int) -> tuple[list[bytes], SignedHead]:
        """Log a batch: B3 to B8.

        Args:
            commitments: ``h`` of each record in log order; their rows are durable (B2).
            now_ms: Clock of this host; the caller has made sure that it is not far behind the last ``t``.

        Returns:
            The entries and the signed checkpoint that contains them.
        """
        entries = link(commitments, first=self.size, previous=self.previous, t=max(self.t, now_ms))
        self._hook("B3")
        frame = self.files.wal.append(self.size, len(entries), bundle_bytes(entries))
        self._hook("B4")
        return entries, self.integrate(frame)

    def adopt(self, frame: Frame) -> SignedHead:
        """Take in a whole frame that lay beyond the head when the process before us ended (L5.2); it was never signed.

        Raises:
            IntegrityFailure: As ``integrate``.
            Conflict: As ``integrate``.
        """
        self.files.wal.write_again(frame)
        return self.integrate(frame)

    def integrate(self, frame: Frame) -> SignedHead:
        """Take a frame that is on disk into the log: B5 to B8.

        Raises:
            IntegrityFailure: The bytes on disk are not those that were written. Nothing has been signed.
            Conflict: The head has been moved by another sequencer. Nothing has been signed.
        """
        stored = self.files.wal.read_back(frame)
        if stored.payload != frame.payload or frame.first != self.size:
            raise IntegrityFailure(f"{frame.segment}: the frame at {frame.start} is not what was written")
        self.extend(parse_bundle(stored.payload, frame.count))
        self._hook("B5")
        self.write_tiles()
        self._hook("B6")
        self._move_head()
        self._hook("B7")
        signed = self.sign_head()
        self._hook("B8")
        return signed

    def extend(self, entries: Sequence[bytes]) -> None:
        """Check the chain over stored entries and take them into the tree; every leaf is hashed from these bytes."""
        previous = check_chain(entries, first=self.size, previous=self.previous, t=self.t)
        hashes = self.tree.extend(entries)
        if hashes and hashes[-1] != previous:
            raise IntegrityFailure("two computations of one leaf hash differ")
        self.previous = previous
        if entries:
            self.t = entry_time(entries[-1])

    def write_tiles(self) -> None:
        """Write the tiles and bundles that have changed; a full one replaces its partial ones."""
        for path, data in self.tree.take_files():
            self.files.tiles.write(path, data)
            if "." not in path:
                self.files.tiles.drop_partial(path)

    def sign_head(self) -> SignedHead:
        """Sign the head that the head store holds.

        Raises:
            IntegrityFailure: There is none, or it is not the tree in memory.
        """
        head = self.head
        if head is None or (head.size, head.root) != (self.size, self.tree.root()):
            raise IntegrityFailure("the head is not the tree in memory; nothing is signed")
        return self.signer.sign(Checkpoint(origin=head.origin, size=head.size, root=head.root))

    def publish(self, signed: SignedHead) -> None:
        """Store the note as the newest logged checkpoint (B10)."""
        self.files.tiles.write(CHECKPOINT, signed.note.encode())

    def _move_head(self) -> None:
        head = Head(origin=self.signer.origin, root=self.tree.root(), size=self.size)
        self.files.head.swap(self.head, head)
        self.head = head


def entry_time(entry: bytes) -> int:
    """Return ``t`` of an entry that ``check_chain`` has admitted: it stands between its last two commas."""
    return int(entry[entry.rindex(b'"t":') + 4 : -len(b',"v":1}')])
