"""A log made by hand for verifier tests: entries, witnesses, notes, proofs and tiles, straight from AL1 L1.

Nothing of ``trading.audit`` is used, so that a fault there cannot hide in the bundles that test the verifier.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from trading.kernel.canonical import dumps

TYPE_LOG, TYPE_WITNESS = 0x01, 0x04
SEQUENCING_MS = 40


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right)


def split(size: int) -> int:
    """The largest power of two smaller than ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def mth(hashes: list[bytes]) -> bytes:
    """Root over leaf hashes, by the recursive definition of RFC 6962."""
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return node(mth(hashes[:k]), mth(hashes[k:]))


def inclusion_path(n: int, hashes: list[bytes]) -> list[bytes]:
    """PATH(n, D) of RFC 6962."""
    if len(hashes) <= 1:
        return []
    k = split(len(hashes))
    if n < k:
        return [*inclusion_path(n, hashes[:k]), mth(hashes[k:])]
    return [*inclusion_path(n - k, hashes[k:]), mth(hashes[:k])]


@lru_cache(maxsize=8)  # the proofs of one bundle are of one size
def inclusion_paths(hashes: tuple[bytes, ...]) -> list[list[bytes]]:
    """PATH(n, D) for every n at once, by the same recursion: each root of a half is computed once."""

    def below(start: int, end: int) -> tuple[bytes, list[list[bytes]]]:
        if end - start == 1:
            return hashes[start], [[]]
        middle = start + split(end - start)
        (left, left_paths), (right, right_paths) = below(start, middle), below(middle, end)
        return node(left, right), [*([*each, right] for each in left_paths), *([*each, left] for each in right_paths)]

    return below(0, len(hashes))[1]


def consistency_path(m: int, hashes: list[bytes], *, complete: bool = True) -> list[bytes]:
    """PROOF(m, D) of RFC 6962 (``SUBPROOF`` with its flag)."""
    if m == len(hashes):
        return [] if complete else [mth(hashes)]
    k = split(len(hashes))
    if m <= k:
        return [*consistency_path(m, hashes[:k], complete=complete), mth(hashes[k:])]
    return [*consistency_path(m - k, hashes[k:], complete=False), mth(hashes[:k])]


@dataclass(frozen=True)
class NoteSigner:
    """A C2SP key that signs notes: the log (type 0x01) or a witness (type 0x04)."""

    name: str
    type: int
    key: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        return bytes([self.type]) + self.key.public_key().public_bytes_raw()

    @property
    def id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + self.public)[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.public).decode()}"

    def line(self, text: str, time_s: int = 0) -> str:
        if self.type == TYPE_LOG:
            signature = self.key.sign(text.encode())
        else:
            message = f"cosignature/v1\ntime {time_s}\n{text}".encode()
            signature = time_s.to_bytes(8, "big") + self.key.sign(message)
        return f"— {self.name} {base64.b64encode(self.id + signature).decode()}\n"


def note_signer(name: str, kind: int, seed: int) -> NoteSigner:
    return NoteSigner(name, kind, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


@dataclass(frozen=True)
class Entry:
    """One entry with its record. ``h`` is hex."""

    n: int
    t: int
    p: bytes
    h: str
    nonce: bytes
    record: bytes
    kind: str
    value: dict[str, Any]
    data: bytes

    @cached_property
    def leaf(self) -> bytes:
        return sha256(b"\0" + self.data)


@dataclass
class MadeLog:
    """A log with three witnesses and a quorum of two; ``notes`` keeps the first and last witnessed note per size.

    ``stampers`` are roots of time-stamping authorities by name, ``tokens`` their tokens by path.
    """

    origin: str
    entries: list[Entry] = field(default_factory=list)
    notes: dict[int, list[str]] = field(default_factory=dict)
    stampers: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.signer = note_signer(self.origin, TYPE_LOG, 7)
        self.witnesses = [note_signer(f"witness{i}.example", TYPE_WITNESS, i) for i in (1, 2, 3)]

    @property
    def policy(self) -> str:
        lines = [f"log {self.signer.vkey}"]
        lines += [f"witness w{i} {witness.vkey}" for i, witness in enumerate(self.witnesses, 1)]
        return "\n".join([*lines, "group mb 2 w1 w2 w3", "quorum mb", ""])

    @property
    def hashes(self) -> list[bytes]:
        return [entry.leaf for entry in self.entries]

    def append(self, kind: str, body: dict[str, Any], *, at: int, subject: str, procedure: str | None) -> Entry:
        """Log one record at the instant ``at`` (ms)."""
        value = {
            "actor": "system:test",
            "article": None,
            "at": at,
            "body": body,
            "kind": kind,
            "on_behalf_of": None,
            "procedure": procedure,
            "request": None,
            "subject": subject,
            "v": 1,
        }
        record, nonce, n = dumps(value), secrets.token_bytes(32), len(self.entries)
        h = sha256(b"mingbiao/al1/record\0" + nonce + record)
        p = self.entries[-1].leaf if self.entries else sha256(b"mingbiao/al1/genesis\0" + self.origin.encode())
        t = max(at + SEQUENCING_MS, self.entries[-1].t if self.entries else 0)
        data = dumps({"h": h.hex(), "n": n, "p": p.hex(), "t": t, "v": 1})
        self.entries.append(Entry(n, t, p, h.hex(), nonce, record, kind, value, data))
        return self.entries[-1]

    def text(self) -> str:
        root = base64.b64encode(mth(self.hashes)).decode()
        return f"{self.origin}\n{len(self.entries)}\n{root}\n"

    def witness(self, at: int, *, cosigners: int = 3) -> str:
        """Sign the present size, have it cosigned at ``at`` (ms, rounded up to full seconds) and keep the note."""
        text, time_s = self.text(), -(-at // 1000)
        lines = [self.signer.line(text)]
        lines += [witness.line(text, time_s + i // 2) for i, witness in enumerate(self.witnesses[:cosigners])]
        note = text + "\n" + "".join(lines)
        kept = self.notes.setdefault(len(self.entries), [])
        self.notes[len(self.entries)] = [*kept[:1], note]
        return note

    def proof(self, entry: Entry, checkpoint: str) -> bytes:
        """A receipt for an entry against the present size (AL1 L8.2)."""
        extra = dumps(
            {
                "n": entry.n,
                "nonce": entry.nonce.hex(),
                "p": entry.p.hex(),
                "record": b64u(entry.record),
                "t": entry.t,
                "typ": "al1.receipt",
                "v": 1,
            }
        )
        path = inclusion_paths(tuple(self.hashes))[entry.n]
        lines = ["c2sp.org/tlog-proof@v1", f"extra {base64.b64encode(extra).decode()}", f"index {entry.n}"]
        lines += [base64.b64encode(item).decode() for item in path]
        return ("\n".join(lines) + "\n\n" + checkpoint).encode()

    def consistency(self, m: int) -> bytes:
        """A stored consistency proof from size ``m`` to the present size (AL1 L12.1)."""
        if m in (0, len(self.entries)):
            return b""
        path = consistency_path(m, self.hashes)
        return "".join(base64.b64encode(item).decode() + "\n" for item in path).encode()

    def tiles(self) -> dict[str, bytes]:
        """All tiles and entry bundles of the present size (AL1 L1.4)."""
        return {**entry_tiles([entry.data for entry in self.entries]), **hash_tiles(self.hashes)}


def b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def tile_name(number: int, width: int) -> str:
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03d}")
    return "/".join(groups) + ("" if width == 256 else f".p/{width}")


def entry_tiles(entries: list[bytes]) -> dict[str, bytes]:
    found = {}
    for start in range(0, len(entries), 256):
        part = entries[start : start + 256]
        data = b"".join(len(entry).to_bytes(2, "big") + entry for entry in part)
        found[f"tile/entries/{tile_name(start // 256, len(part))}"] = data
    return found


def hash_tiles(leaves: list[bytes]) -> dict[str, bytes]:
    found, level, hashes = {}, 0, leaves
    while hashes:
        for start in range(0, len(hashes), 256):
            part = hashes[start : start + 256]
            found[f"tile/{level}/{tile_name(start // 256, len(part))}"] = b"".join(part)
        full = len(hashes) // 256
        hashes = [mth(hashes[i * 256 : (i + 1) * 256]) for i in range(full)]
        level += 1
    return found
