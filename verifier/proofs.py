"""Entries, receipts (C2SP tlog-proof) and stored consistency proofs (AL1 L1.2, L8.2, L8.3, L12.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from verifier.canonical import MAX_DOCUMENT, NotCanonical, admit_object
from verifier.encoding import b64_decode, b64u_decode
from verifier.fields import FieldFault
from verifier.hashing import record_commitment
from verifier.merkle import ProofFault, leaf_hash
from verifier.records import RECEIPT_EXTRA, RECORD_FIELDS

PROOF_LIMIT = 2 * MAX_DOCUMENT + 131072
PROOF_FIRST_LINE = "c2sp.org/tlog-proof@v1"
PROOF_INDEX = re.compile(r"index (0|[1-9][0-9]{0,15})\Z")


@dataclass(frozen=True)
class LogProof:
    """A parsed receipt: position, commitment, record, path, and the checkpoint exactly as it stands in the file."""

    n: int
    t: int
    p: bytes
    q: bytes | None
    h: bytes
    record: dict[str, Any]
    leaf: bytes
    path: list[bytes]
    checkpoint: bytes


def entry_bytes(h: bytes, n: int, p: bytes, q: bytes | None, t: int) -> bytes:
    """Return the canonical bytes of a log entry (AL1 L1.2)."""
    middle = f'"q":"{q.hex()}",' if q is not None else ""
    return f'{{"h":"{h.hex()}","n":{n},"p":"{p.hex()}",{middle}"t":{t},"v":1}}'.encode()


def parse_proof(data: bytes) -> LogProof:
    """Read a tlog-proof strictly and recompute commitment, entry and leaf hash (AL1 L8.3 steps 1 and 2).

    Raises:
        ProofFault: Any deviation from the format, or index and extra disagree.
    """
    if len(data) > PROOF_LIMIT:
        raise ProofFault("proof file too long")
    head, mark, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise ProofFault("the proof part is not ASCII") from error
    if not mark or len(lines) < 3 or lines[0] != PROOF_FIRST_LINE or not lines[1].startswith("extra "):
        raise ProofFault("not a tlog-proof of version 1 with an extra line")
    index = PROOF_INDEX.match(lines[2])
    if not index:
        raise ProofFault("malformed index line")
    extra = _extra(lines[1][6:])
    if extra["n"] != int(index.group(1)):
        raise ProofFault("index line and extra name different entries")
    raw = b64u_decode(extra["record"])
    record = read_record(raw)
    h = record_commitment(bytes.fromhex(extra["nonce"]), raw)
    p, q = bytes.fromhex(extra["p"]), bytes.fromhex(extra["q"]) if "q" in extra else None
    leaf = leaf_hash(entry_bytes(h, extra["n"], p, q, extra["t"]))
    return LogProof(extra["n"], extra["t"], p, q, h, record, leaf, proof_hashes(lines[3:]), checkpoint)


def _extra(text: str) -> dict[str, Any]:
    try:
        extra = admit_object(b64_decode(text), PROOF_LIMIT)
        RECEIPT_EXTRA(extra, "extra")
        b64u_decode(extra["record"])
    except (NotCanonical, FieldFault, ValueError) as error:
        raise ProofFault(f"extra line: {error}") from error
    return extra


def read_record(raw: bytes) -> dict[str, Any]:
    """Return the fields of record bytes (AL1 L1.1); the body is judged by the registry of kinds.

    Raises:
        ProofFault: Not canonical, or not exactly the fields of L1.1.
    """
    try:
        record = admit_object(raw)
        RECORD_FIELDS(record, "record")
    except (NotCanonical, FieldFault) as error:
        raise ProofFault(f"record: {error}") from error
    return record


def proof_hashes(lines: list[str]) -> list[bytes]:
    """Return the hashes of base64 lines, each exactly 32 bytes.

    Raises:
        ProofFault: A line that is not the base64 of 32 bytes.
    """
    try:
        hashes = [b64_decode(line) for line in lines]
    except ValueError as error:
        raise ProofFault(str(error)) from error
    if any(len(item) != 32 for item in hashes):
        raise ProofFault("a proof hash is not 32 bytes long")
    return hashes


def parse_consistency(data: bytes) -> list[bytes]:
    """Return the hashes of a stored consistency proof: base64 lines, each with its newline.

    Raises:
        ProofFault: Malformed lines.
    """
    text = data.decode("ascii", "replace")
    if text and not text.endswith("\n"):
        raise ProofFault("the last line has no newline")
    return proof_hashes(text.split("\n")[:-1])
