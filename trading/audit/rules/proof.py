"""Receipts: C2SP ``tlog-proof`` files that prove offline where a record stands in the log (AL1 L8).

Nothing in a receipt is believed: the commitment, the entry and the path are hashed again up to a root that the log and
enough witnesses have signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trading.audit.rules import tree
from trading.audit.rules.chain import Entry, parse_entry, record_commitment
from trading.audit.rules.note import MAX_NOTE, VerifiedCheckpoint, Verify, verify_checkpoint
from trading.audit.rules.policy import Policy
from trading.audit.rules.record import check_fields, parse_record
from trading.kernel.canonical import MAX_DOCUMENT, dumps, loads_object
from trading.kernel.encoding import b64, b64_decode, b64u, b64u_decode, hex_bytes
from trading.kernel.errors import InvalidInput

FIRST_LINE = "c2sp.org/tlog-proof@v1"
BEFORE = "before/"  # in bundles, files of the log that the newest one continues; repeated for those before that (L13)
MAX_EXTRA = 2 * MAX_DOCUMENT  # a record of 1 MiB grows by a third in b64u
MAX_RECEIPT = 2 * MAX_EXTRA + MAX_NOTE


class ReceiptState(StrEnum):
    """How far a record has got (L8.1)."""

    ACKNOWLEDGED = "acknowledged"
    LOGGED = "logged"
    WITNESSED = "witnessed"
    STAMPED = "stamped"

    @property
    def is_witnessed(self) -> bool:
        """Return whether a quorum has cosigned it; a stamped one is witnessed too."""
        return self in {ReceiptState.WITNESSED, ReceiptState.STAMPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One receipt: the entry with nonce and exact record bytes, its inclusion path, the checkpoint verbatim."""

    entry: Entry
    nonce: bytes
    record: bytes
    path: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """Return the ``.tlog-proof`` file (L8.2)."""
        extra = {
            "n": self.entry.n,
            "nonce": self.nonce.hex(),
            "p": self.entry.p.hex(),
            "record": b64u(self.record),
            "t": self.entry.t,
            "typ": "al1.receipt",
            "v": 1,
        }
        if self.entry.q is not None:
            extra["q"] = self.entry.q.hex()
        lines = [FIRST_LINE, f"extra {b64(dumps(extra))}", f"index {self.entry.n}", *map(b64, self.path), "", ""]
        return "\n".join(lines).encode("ascii") + self.checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReceipt:
    """A receipt that holds: its state, the record as data, and the checkpoint with the signed times."""

    state: ReceiptState
    receipt: Receipt
    record: dict[str, Any]
    verified: VerifiedCheckpoint


def build_receipt(entry: bytes, nonce: bytes, record: bytes, path: Sequence[bytes], checkpoint: bytes) -> Receipt:
    """Put a receipt together from stored parts.

    Raises:
        ValueError: The record does not open the entry. Stored evidence is damaged, or the caller mixed up rows.
    """
    parsed = parse_entry(entry)
    if record_commitment(nonce, record) != parsed.h:
        raise ValueError(f"the record does not open entry {parsed.n}")
    return Receipt(entry=parsed, nonce=nonce, record=record, path=tuple(path), checkpoint=checkpoint)


def _is_hex_hash(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(hex_bytes(value, 32))
    except ValueError:
        return False


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


_EXTRA_FIELDS = {
    "n": _is_count,
    "nonce": _is_hex_hash,
    "p": _is_hex_hash,
    "record": lambda value: isinstance(value, str),
    "t": _is_count,
    "typ": lambda value: value == "al1.receipt",
    "v": lambda value: type(value) is int and value == 1,
}


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt strictly (L8.3 item 1); the checkpoint is kept verbatim and read by ``verify_receipt``.

    Raises:
        InvalidInput: ``receipt.malformed``, ``receipt.too_large``, ``proof.…`` or a code of P11 for extra and record.
    """
    if len(data) > MAX_RECEIPT:
        raise InvalidInput("receipt.too_large", f"{len(data)} bytes")
    header, separator, checkpoint = data.partition(b"\n\n")
    try:
        lines = header.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise InvalidInput("receipt.malformed", "not ASCII before the checkpoint") from error
    match lines:
        case [first, extra, index, *hashes] if separator and first == FIRST_LINE:
            path = tuple(_hash_line(line) for line in hashes)
        case _:
            raise InvalidInput("receipt.malformed", f"not a {FIRST_LINE}")
    if len(path) > tree.MAX_PROOF:
        raise InvalidInput("proof.too_long", f"{len(path)} hashes")
    entry, nonce, record = _parse_extra(_after("extra ", extra))
    if _after("index ", index) != str(entry.n):
        raise InvalidInput("receipt.malformed", "the index line does not repeat n")
    return Receipt(entry=entry, nonce=nonce, record=record, path=path, checkpoint=checkpoint)


def _after(prefix: str, line: str) -> str:
    if not line.startswith(prefix):
        raise InvalidInput("receipt.malformed", f"no {prefix.strip()} line")
    return line.removeprefix(prefix)


def _hash_line(line: str) -> bytes:
    try:
        value = b64_decode(line)
    except ValueError as error:
        raise InvalidInput("receipt.malformed", "a line of the path is not base64") from error
    if len(value) != tree.HASH_BYTES:
        raise InvalidInput("proof.bad_hash", "a hash has not 32 bytes")
    return value


def _parse_extra(text: str) -> tuple[Entry, bytes, bytes]:
    try:
        extra = loads_object(b64_decode(text), MAX_EXTRA)
        check_fields(extra, _EXTRA_FIELDS | ({"q": _is_hex_hash} if "q" in extra else {}))
        record = b64u_decode(extra["record"])
    except ValueError as error:
        raise InvalidInput("receipt.malformed", "extra or its record is not base64") from error
    nonce = bytes.fromhex(extra["nonce"])
    entry = Entry(
        h=record_commitment(nonce, record),
        n=extra["n"],
        p=bytes.fromhex(extra["p"]),
        t=extra["t"],
        q=bytes.fromhex(extra["q"]) if "q" in extra else None,
    )
    parse_record(record)
    return entry, nonce, record


def verify_receipt(data: bytes | Receipt, *, origin: str, policy: Policy, verify: Verify) -> VerifiedReceipt:
    """Verify a receipt against the reader's own trust (L8.3 items 1 to 4).

    Item 5, that the record says what the holder expects, is the caller's: ``record`` is returned for it.

    Raises:
        InvalidInput: Everything that is wrong, with the code of the part that is.
    """
    receipt = data if isinstance(data, Receipt) else parse_receipt(data)
    verified = verify_checkpoint(receipt.checkpoint, origin, policy.log_keys(origin), policy.witness_keys, verify)
    checkpoint = verified.checkpoint
    leaf = tree.leaf_hash(receipt.entry.encode())
    tree.verify_inclusion(receipt.entry.n, checkpoint.size, leaf, receipt.path, checkpoint.root)
    return VerifiedReceipt(
        state=ReceiptState.WITNESSED if policy.is_met(verified.times.keys()) else ReceiptState.LOGGED,
        receipt=receipt,
        record=parse_record(receipt.record),
        verified=verified,
    )
