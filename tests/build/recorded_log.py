"""A log of real records in memory, with witnessed notes, receipts and consistency proofs; for agents and stations."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from tests.build.signed_log import LOG_SEED, cosign, log_key, sign_line
from trading.audit.rules import tree
from trading.audit.rules.chain import genesis, link, record_commitment
from trading.audit.rules.note import Checkpoint, Note
from trading.audit.rules.proof import build_receipt
from trading.kernel.canonical import dumps
from trading.kernel.encoding import b64


@dataclass(frozen=True)
class Placed:
    """Where a record stands."""

    n: int
    h: str


@dataclass
class RecordedLog:
    """Appends records one by one; two logs with another ``salt`` are forks of each other from the first entry on."""

    origin: str
    salt: bytes = b""
    records: list[tuple[bytes, bytes]] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)

    def add(self, kind: str, body: dict[str, Any], *, at: int, procedure: str | None) -> Placed:
        record = dumps(
            {
                "actor": "system:test",
                "article": None,
                "at": at,
                "body": body,
                "kind": kind,
                "on_behalf_of": None,
                "procedure": procedure,
                "request": None,
                "subject": "lot:1",
                "v": 1,
            }
        )
        n = len(self.records)
        nonce = hashlib.sha256(self.salt + n.to_bytes(8, "big")).digest()
        h = record_commitment(nonce, record)
        previous = self.hashes[-1] if n else genesis(self.origin)
        entry = link([h], first=n, previous=previous, t=at)[0]
        self.records.append((nonce, record))
        self.entries.append(entry)
        self.hashes.append(tree.leaf_hash(entry))
        return Placed(n, h.hex())

    @property
    def size(self) -> int:
        return len(self.records)

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = self.size if size is None else size
        return Checkpoint(origin=self.origin, size=size, root=tree.root_of_hashes(self.hashes[:size]))

    def note(self, at: int, size: int | None = None, witnesses: tuple[int, ...] = (1, 2, 3)) -> bytes:
        """Return the note of a size with cosignatures at the second of ``at`` (ms)."""
        checkpoint = self.checkpoint(size)
        lines = [sign_line(log_key(self.origin), LOG_SEED, checkpoint)]
        lines += [cosign(number, checkpoint, at // 1000) for number in witnesses]
        return Note(text=checkpoint.text, signatures=tuple(lines)).encode()

    def receipt(self, n: int, note: bytes, size: int) -> bytes:
        """Return the tlog-proof of entry ``n`` against a note of ``size``."""
        nonce, record = self.records[n]
        path = tree.inclusion_proof(n, size, tree.nodes_of(self.hashes[:size]))
        return build_receipt(self.entries[n], nonce, record, path, note).encode()

    def consistency(self, old: int, new: int) -> dict[str, bytes]:
        """Return the file of a consistency proof, or nothing where none is needed."""
        if not 0 < old < new:
            return {}
        proof = tree.consistency_proof(old, new, tree.nodes_of(self.hashes[:new]))
        return {f"consistency/{old}-{new}": "".join(b64(item) + "\n" for item in proof).encode()}
