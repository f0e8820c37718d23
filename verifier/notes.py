"""Signed notes, checkpoints and cosignatures of C2SP (AL1 L1.3)."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from verifier.encoding import b64_decode
from verifier.hashing import digest

NOTE_LIMIT = 65536
KEY_ED25519 = 0x01
KEY_COSIGNATURE = 0x04
KEY_MLDSA44 = 0x06
KEY_LENGTHS = {KEY_ED25519: 32, KEY_COSIGNATURE: 32, KEY_MLDSA44: 1312}
CHECKPOINT_SIZE = re.compile(r"0|[1-9][0-9]{0,18}\Z")
SIGNATURE_LINE = re.compile("— ([^ +\\n]+) ([A-Za-z0-9+/=]+)\\Z")


class NoteFault(ValueError):
    """A note, checkpoint, key or signature line is malformed or does not verify."""


@dataclass(frozen=True)
class NoteKey:
    """A verifier key: ``name+hex(key id)+base64(type ‖ public key)``."""

    name: str
    id: bytes
    type: int
    public: bytes


@dataclass(frozen=True)
class Cosigned:
    """One verified line of a known key; ``time`` in seconds, ``None`` for a plain log signature."""

    key: NoteKey
    time: int | None


@dataclass(frozen=True)
class Note:
    """A parsed note: its text, and per line the key name, key id and signature bytes."""

    text: str
    lines: list[tuple[str, bytes, bytes]]


@dataclass(frozen=True)
class Checkpoint:
    """The three text lines of a checkpoint."""

    origin: str
    size: int
    root: bytes


def parse_vkey(text: str) -> NoteKey:
    """Return the key of a vkey string.

    Raises:
        NoteFault: Unknown type, wrong length, or an id that is not derived from name and key.
    """
    name, _, rest = text.partition("+")
    key_id, _, body = rest.partition("+")
    try:
        raw = b64_decode(body)
    except ValueError as error:
        raise NoteFault(f"key {name[:60]!r}: {error}") from error
    if not name or re.search(r"\s", name) or not raw or KEY_LENGTHS.get(raw[0]) != len(raw) - 1:
        raise NoteFault(f"key {name[:60]!r}: unknown type or wrong length")
    expected = digest(name.encode() + b"\n" + raw)[:4]
    if key_id != expected.hex():
        raise NoteFault(f"key {name[:60]!r}: the key id does not belong to the key")
    return NoteKey(name, expected, raw[0], raw[1:])


def parse_note(data: bytes) -> Note:
    """Split a note into its text and signature lines.

    Raises:
        NoteFault: Too long, not UTF-8, no blank line, a control character, or a malformed line.
    """
    if len(data) > NOTE_LIMIT:
        raise NoteFault("note longer than 64 KiB")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise NoteFault("note is not UTF-8") from error
    text, mark, tail = whole.rpartition("\n\n")
    if not mark or not tail.endswith("\n") or any(char < " " and char != "\n" for char in whole):
        raise NoteFault("note without signature lines, or with a control character")
    lines = []
    for line in tail[:-1].split("\n"):
        match = SIGNATURE_LINE.match(line)
        raw = _decode_line(match.group(2)) if match else b""
        if not match or len(raw) < 5:
            raise NoteFault("malformed signature line")
        lines.append((match.group(1), raw[:4], raw[4:]))
    return Note(text + "\n", lines)


def _decode_line(text: str) -> bytes:
    try:
        return b64_decode(text)
    except ValueError as error:
        raise NoteFault(f"signature line: {error}") from error


def parse_checkpoint(text: str) -> Checkpoint:
    """Return origin, size and root of a checkpoint text of exactly three lines.

    Raises:
        NoteFault: Another number of lines, a size with a leading zero, or a root that is not 32 bytes of base64.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise NoteFault("a checkpoint has exactly three text lines")
    if not CHECKPOINT_SIZE.match(lines[1]):
        raise NoteFault("tree size is not a plain decimal number")
    try:
        root = b64_decode(lines[2])
    except ValueError as error:
        raise NoteFault("root is not base64") from error
    if len(root) != 32:
        raise NoteFault("root is not 32 bytes long")
    return Checkpoint(lines[0], int(lines[1]), root)


def verify_line(key: NoteKey, note: Note, signature: bytes) -> int | None:
    """Check one signature and return its cosignature time in seconds (``None`` for type 0x01).

    Raises:
        NoteFault: It does not verify.
        UnsupportedAlgorithm: The installed library has no ML-DSA-44.
    """
    try:
        if key.type == KEY_ED25519:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, note.text.encode())
            return None
        time = int.from_bytes(signature[:8], "big")
        if key.type == KEY_COSIGNATURE:
            message = f"cosignature/v1\ntime {time}\n{note.text}".encode()
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature[8:], message)
        else:
            message = subtree_message(key.name, time, parse_checkpoint(note.text))
            _mldsa44(key.public).verify(signature[8:], message)
    except (InvalidSignature, ValueError) as error:
        raise NoteFault(f"the signature line of {key.name} does not verify") from error
    if time >= 2**53:
        raise NoteFault(f"the cosignature time of {key.name} is out of range")
    return time


def subtree_message(name: str, time: int, checkpoint: Checkpoint) -> bytes:
    """Return the message under an ML-DSA-44 cosignature (type 0x06)."""
    named, origin = name.encode(), checkpoint.origin.encode()
    if max(len(named), len(origin)) > 255:
        raise NoteFault("name too long for an ML-DSA-44 cosignature")
    return b"".join(
        (
            b"subtree/v1\n\0",
            bytes([len(named)]) + named,
            time.to_bytes(8, "big"),
            bytes([len(origin)]) + origin,
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def _mldsa44(public: bytes) -> Any:  # noqa: ANN401 - the module exists only in newer releases of the library
    try:
        module = importlib.import_module("cryptography.hazmat.primitives.asymmetric.mldsa")
        return module.MLDSA44PublicKey.from_public_bytes(public)
    except (ImportError, AttributeError) as error:
        raise UnsupportedAlgorithm("ML-DSA-44 needs cryptography 50 or newer") from error
