"""A small log in memory with its key, witnesses and policy: what the tests of receipts, notes and witnesses grow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading.audit.rules import tree
from trading.audit.rules.chain import genesis, link
from trading.audit.rules.cosigning import add_checkpoint_body
from trading.audit.rules.note import (
    COSIGNATURE_V1,
    ED25519,
    Checkpoint,
    Note,
    SignatureLine,
    VerifierKey,
    message_to_sign,
    signature_line,
)
from trading.crypto.notes import ed25519_public, sign_ed25519

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "protocols.json").read_text())
ORIGIN = "log.example/audit"
LOG_SEED = b"\x07" * 32
START_MS = 1_700_000_000_000


def log_key(origin: str = ORIGIN, seed: bytes = LOG_SEED) -> VerifierKey:
    return VerifierKey(name=origin, kind=ED25519, public_key=ed25519_public(seed))


def witness_key(number: int) -> VerifierKey:
    return VerifierKey(
        name=f"witness{number}.example", kind=COSIGNATURE_V1, public_key=ed25519_public(bytes([number]) * 32)
    )


def sign_line(key: VerifierKey, seed: bytes, checkpoint: Checkpoint, time_s: int | None = None) -> SignatureLine:
    message = message_to_sign(key, checkpoint, time_s or 0)
    return signature_line(key, sign_ed25519(seed, message), time_s)


def cosign(number: int, checkpoint: Checkpoint, time_s: int) -> SignatureLine:
    return sign_line(witness_key(number), bytes([number]) * 32, checkpoint, time_s)


def policy_text(origin: str = ORIGIN, *, needed: int = 2, logs: Sequence[VerifierKey] = ()) -> str:
    """Return the policy of one log, or of ``logs`` that follow each other."""
    known = "".join(f"log {key.vkey}\n" for key in logs or [log_key(origin)])
    witnesses = "".join(f"witness w{i} {witness_key(i).vkey}\n" for i in (1, 2, 3))
    return f"{known}{witnesses}group q {needed} w1 w2 w3\nquorum q\n"


@dataclass
class SignedLog:
    """Entries with their leaf hashes; ``salt`` makes two logs of one origin differ from the first entry on."""

    origin: str = ORIGIN
    salt: bytes = b""
    entries: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)

    def grow(self, count: int) -> SignedLog:
        first = len(self.entries)
        commitments = [hashlib.sha256(self.salt + n.to_bytes(8, "big")).digest() for n in range(first, first + count)]
        previous = self.hashes[-1] if first else genesis(self.origin)
        new = link(commitments, first=first, previous=previous, t=START_MS + first)
        self.entries += new
        self.hashes += [tree.leaf_hash(entry) for entry in new]
        return self

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = len(self.hashes) if size is None else size
        return Checkpoint(origin=self.origin, size=size, root=tree.root_of_hashes(self.hashes[:size]))

    def note(self, size: int | None = None, *, cosigners: Sequence[tuple[int, int]] = ()) -> bytes:
        """Return the signed note; ``cosigners`` are pairs of witness number and time in seconds."""
        checkpoint = self.checkpoint(size)
        lines = [sign_line(log_key(self.origin), LOG_SEED, checkpoint)]
        lines += [cosign(number, checkpoint, time_s) for number, time_s in cosigners]
        return Note(text=checkpoint.text, signatures=tuple(lines)).encode()

    def request(self, old: int, size: int | None = None) -> bytes:
        """Return the ``add-checkpoint`` body from ``old`` to ``size``; no proof if there can be none."""
        size = len(self.hashes) if size is None else size
        proof = tree.consistency_proof(old, size, tree.nodes_of(self.hashes)) if old <= size else []
        return add_checkpoint_body(old, proof, self.note(size))
