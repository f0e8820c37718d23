"""A log of real records in memory, with witnessed notes, receipts and consistency proofs; for agents and stations."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.build.signed_log import LOG_SEED, cosign, log_key, policy_text, sign_line
from trading.audit.rules import tree
from trading.audit.rules.chain import genesis, link, record_commitment
from trading.audit.rules.note import Checkpoint, Note, VerifierKey, parse_checkpoint_text, parse_note
from trading.audit.rules.proof import build_receipt
from trading.kernel.canonical import dumps, loads_object
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
    seed: bytes = LOG_SEED

    @property
    def keys(self) -> list[VerifierKey]:
        return [log_key(self.origin, self.seed)]

    @property
    def policy(self) -> str:
        return policy_text(logs=self.keys)

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
        lines = [sign_line(self.keys[0], self.seed, checkpoint)]
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

    def proofs(self, note: bytes, hide: Callable[[dict[str, Any]], bool] = lambda _record: False) -> dict[str, bytes]:
        """Return the files of a job that prove all records but the hidden ones under a note."""
        size = said(note.decode()).size
        shown = [n for n, (_nonce, record) in enumerate(self.records[:size]) if not hide(loads_object(record))]
        return {f"log/{n}.tlog-proof": self.receipt(n, note, size) for n in shown}

    def proof_file(self, n: int, note: bytes) -> dict[str, bytes]:
        """Return the file of a job that proves one record under a note of the whole log."""
        return {f"log/{n}.tlog-proof": self.receipt(n, note, self.size)}

    def leading(self, note: bytes) -> dict[str, bytes]:  # noqa: ARG002 - a continued log proves its entry 0 under it
        """Return the files of a job that lead to the logs before: there is none."""
        return {}

    def place_of(self, note: str) -> int:
        """Return the size of a note, counted as ``size`` is."""
        return said(note).size

    def grown(self, place: int, note: bytes) -> dict[str, bytes]:
        """Return the consistency proof from an older size to that of a note."""
        return self.consistency(place, said(note.decode()).size)

    def continued(self, note: bytes) -> list[bytes]:  # noqa: ARG002 - a continued log proves its entry 0 under it
        """Return the proofs that lead to the logs before: there is none."""
        return []


@dataclass
class ContinuedLog:
    """The log after ``before``, whose end is ``final``; everything that a lot asks of it counts through both."""

    before: RecordedLog | ContinuedLog
    final: bytes
    own: RecordedLog
    base: int = field(init=False)

    def __post_init__(self) -> None:
        self.base = self.before.place_of(self.final.decode())

    @property
    def origin(self) -> str:
        return self.own.origin

    @property
    def keys(self) -> list[VerifierKey]:
        return [*self.before.keys, *self.own.keys]

    @property
    def policy(self) -> str:
        return policy_text(logs=self.keys)

    @property
    def size(self) -> int:
        return self.base + self.own.size

    def add(self, kind: str, body: dict[str, Any], *, at: int, procedure: str | None) -> Placed:
        placed = self.own.add(kind, body, at=at, procedure=procedure)
        return Placed(self.base + placed.n, placed.h)

    def note(self, at: int, size: int | None = None, witnesses: tuple[int, ...] = (1, 2, 3)) -> bytes:
        return self.own.note(at, size, witnesses)

    def receipt(self, n: int, note: bytes, size: int) -> bytes:
        """Return the tlog-proof of the record at place ``n``: under ``note``, or under the end of its closed log."""
        if n >= self.base:
            return self.own.receipt(n - self.base, note, size - self.base)
        return self.before.receipt(n, self.final, self.base)

    def proofs(self, note: bytes, hide: Callable[[dict[str, Any]], bool] = lambda _record: False) -> dict[str, bytes]:
        before = self.before.proofs(self.final, hide)
        return self.own.proofs(note, hide) | _below(before) | self.leading(note)

    def proof_file(self, n: int, note: bytes) -> dict[str, bytes]:
        if n >= self.base:
            return self.own.proof_file(n - self.base, note)
        return _below(self.before.proof_file(n, self.final))

    def leading(self, note: bytes) -> dict[str, bytes]:
        before = {"checkpoint": self.final, **self.before.leading(self.final)}
        return self.own.proof_file(0, note) | _below(before)

    def place_of(self, note: str) -> int:
        return self.base + said(note).size if said(note).origin == self.origin else self.before.place_of(note)

    def grown(self, place: int, note: bytes) -> dict[str, bytes]:
        if place > self.base:
            return self.own.grown(place - self.base, note)
        return _below(self.before.grown(place, self.final))

    def continued(self, note: bytes) -> list[bytes]:
        return [self.own.receipt(0, note, self.own.size), *self.before.continued(self.final)]


def _below(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"before/{path}": data for path, data in files.items()}


def said(note: str) -> Checkpoint:
    """Return what a note says."""
    return parse_checkpoint_text(parse_note(note.encode()).text)


def continue_log(before: RecordedLog | ContinuedLog, final: bytes, at: int, **body: Any) -> ContinuedLog:  # noqa: ANN401 - any field
    """Return the log after ``before``; ``body`` replaces fields of its ``log.continued``."""
    own = RecordedLog(f"{before.origin}-2", seed=bytes([8 + len(before.keys)]) * 32)
    told = {"old_checkpoint": final.decode(), "old_origin": before.origin, "reason": "密钥可能泄露"}
    own.add("log.continued", {**told, **body}, at=at, procedure=None)
    return ContinuedLog(before, final, own)
