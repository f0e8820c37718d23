"""C2SP signed notes, verifier keys and checkpoints (AL1 L1.3); no cryptography, signatures are checked by a callable.

A line of an unknown key, by name and key id together, is ignored. A line of a known key that does not verify, or a
second line of one, makes the whole note invalid.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from trading.audit.rules.tree import HASH_BYTES, MAX_SIZE
from trading.kernel.encoding import b64, b64_decode
from trading.kernel.errors import InvalidInput

ED25519: Final = 0x01  # log signature over the note text
COSIGNATURE_V1: Final = 0x04  # Ed25519 cosignature with a time
ML_DSA_44: Final = 0x06  # ML-DSA-44 cosignature with a time
KEY_BYTES: Final[Mapping[int, int]] = {ED25519: 32, COSIGNATURE_V1: 32, ML_DSA_44: 1312}
SIGNATURE_BYTES: Final[Mapping[int, int]] = {ED25519: 64, COSIGNATURE_V1: 64, ML_DSA_44: 2420}
KEY_ID_BYTES = 4
TIME_BYTES = 8
MAX_NOTE = 64 * 1024  # bytes (P12)
MAX_SIGNATURES = 100  # as the Go implementation; P12 asks for at least 16
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")

#: ``(note type byte, public key, message, signature)`` → whether the signature is valid.
Verify: TypeAlias = Callable[[int, bytes, bytes, bytes], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A note key: name, type byte (0x01, 0x04 or 0x06) and public key."""

    name: str
    kind: int
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """Return the 4 bytes that a signature line carries."""
        data = self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key
        return hashlib.sha256(data).digest()[:KEY_ID_BYTES]

    @property
    def kid(self) -> str:
        """Return the full key id of records: hex SHA-256 of what ``key_id`` is cut from (P6.1)."""
        data = self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key
        return hashlib.sha256(data).hexdigest()

    @property
    def vkey(self) -> str:
        """Return the text ``name+hex(key id)+base64(type byte ‖ public key)``."""
        return f"{self.name}+{self.key_id.hex()}+{b64(bytes([self.kind]) + self.public_key)}"


def check_key_name(name: str) -> str:
    """Return ``name`` if it may name a note key: not empty, no plus sign, no white space or control, ≤ 255 bytes.

    Raises:
        InvalidInput: ``note.bad_key``.
    """
    if not name or len(name.encode()) > 255 or "+" in name or not name.isprintable() or any(map(str.isspace, name)):  # noqa: PLR2004 - u8 length of L1.3
        raise InvalidInput("note.bad_key", "a key name has 1 to 255 bytes without spaces, plus signs and controls")
    return name


def parse_vkey(text: str) -> VerifierKey:
    """Read a vkey strictly; its key id must be right.

    Raises:
        InvalidInput: ``note.bad_key``.
    """
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    check_key_name(name)
    try:
        data = b64_decode(encoded)
    except ValueError as error:
        raise InvalidInput("note.bad_key", str(error)) from error
    if not data or KEY_BYTES.get(data[0]) != len(data) - 1:
        raise InvalidInput("note.bad_key", f"the key of {name} is of an unknown type or length")
    key = VerifierKey(name=name, kind=data[0], public_key=data[1:])
    if key.key_id.hex() != key_id:
        raise InvalidInput("note.bad_key", f"the key id of {name} does not belong to its key")
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureLine:
    """One signature line: key name, 4-byte key id, and what follows it (for cosignatures ``u64(time)`` first)."""

    name: str
    key_id: bytes
    signature: bytes

    def encode(self) -> str:
        """Return the line with its newline."""
        return f"— {self.name} {b64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A signed note: ``text`` ends with a newline; ``signatures`` in the order of the note."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def encode(self) -> bytes:
        """Return the bytes of the note."""
        return (self.text + "\n" + "".join(line.encode() for line in self.signatures)).encode()


def parse_signature_line(line: str) -> SignatureLine:
    """Read one signature line without its newline.

    Raises:
        InvalidInput: ``note.malformed``.
    """
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—":  # noqa: PLR2004 - dash, name, base64
        raise InvalidInput("note.malformed", "not a signature line")
    try:
        check_key_name(parts[1])
        data = b64_decode(parts[2])
    except (InvalidInput, ValueError) as error:
        raise InvalidInput("note.malformed", "a signature line has a bad name or bad base64") from error
    if len(data) <= KEY_ID_BYTES:
        raise InvalidInput("note.malformed", "a signature line carries no signature")
    return SignatureLine(name=parts[1], key_id=data[:KEY_ID_BYTES], signature=data[KEY_ID_BYTES:])


def parse_note(data: bytes) -> Note:
    """Read a signed note strictly: UTF-8, no control characters but newline, at least one signature line.

    Raises:
        InvalidInput: ``note.too_large`` (64 KiB, 100 signatures) or ``note.malformed``.
    """
    if len(data) > MAX_NOTE:
        raise InvalidInput("note.too_large", f"{len(data)} bytes; at most {MAX_NOTE}")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("note.malformed", "not UTF-8") from error
    if any(ord(ch) < ord(" ") and ch != "\n" for ch in whole):
        raise InvalidInput("note.malformed", "a control character")
    text, separator, rest = whole.rpartition("\n\n")
    if not separator or not rest.endswith("\n"):
        raise InvalidInput("note.malformed", "no signature lines, or the last newline is missing")
    lines = rest[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise InvalidInput("note.too_large", f"{len(lines)} signatures; at most {MAX_SIGNATURES}")
    return Note(text=text + "\n", signatures=tuple(parse_signature_line(line) for line in lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint says: origin, size and root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """Return the note text: exactly three lines, each with its newline."""
        return f"{self.origin}\n{self.size}\n{b64(self.root)}\n"


def parse_decimal(text: str) -> int:
    """Read a tree size or index: ASCII decimal, no leading zeros, at most 2^63−1.

    Raises:
        ValueError: Anything else.
    """
    if _DECIMAL.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise ValueError("not a decimal number without leading zeros below 2^63")
    return int(text)


def parse_checkpoint_text(text: str) -> Checkpoint:
    """Read the text of a checkpoint: exactly three lines, no extension lines.

    Raises:
        InvalidInput: ``checkpoint.malformed``.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:  # noqa: PLR2004 - three lines, and nothing after the last newline
        raise InvalidInput("checkpoint.malformed", "a checkpoint has exactly three lines")
    try:
        checkpoint = Checkpoint(
            origin=check_key_name(lines[0]), size=parse_decimal(lines[1]), root=b64_decode(lines[2])
        )
    except (InvalidInput, ValueError) as error:
        raise InvalidInput("checkpoint.malformed", str(error)) from error
    if len(checkpoint.root) != HASH_BYTES:
        raise InvalidInput("checkpoint.malformed", "the root has not 32 bytes")
    return checkpoint


def cosignature_message(time_s: int, text: str) -> bytes:
    """Return what an Ed25519 cosigner signs: header, time in seconds, note text."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def subtree_message(name: str, time_s: int, checkpoint: Checkpoint) -> bytes:
    """Return what an ML-DSA-44 key called ``name`` signs about a checkpoint at ``time_s`` seconds."""
    cosigner, origin = name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\0",
            len(cosigner).to_bytes(1, "big"),
            cosigner,
            time_s.to_bytes(TIME_BYTES, "big"),
            len(origin).to_bytes(1, "big"),
            origin,
            (0).to_bytes(TIME_BYTES, "big"),
            checkpoint.size.to_bytes(TIME_BYTES, "big"),
            checkpoint.root,
        )
    )


def message_to_sign(key: VerifierKey, checkpoint: Checkpoint, time_s: int = 0) -> bytes:
    """Return the message of a signature by ``key``; ``time_s`` is ignored for type 0x01."""
    if key.kind == ED25519:
        return checkpoint.text.encode()
    if key.kind == COSIGNATURE_V1:
        return cosignature_message(time_s, checkpoint.text)
    return subtree_message(key.name, time_s, checkpoint)


def signature_line(key: VerifierKey, signature: bytes, time_s: int | None = None) -> SignatureLine:
    """Assemble the line of a raw signature; cosignature types need the time that was signed."""
    if (key.kind == ED25519) != (time_s is None):
        raise ValueError("exactly the cosignature types carry a time")
    prefix = b"" if time_s is None else time_s.to_bytes(TIME_BYTES, "big")
    return SignatureLine(name=key.name, key_id=key.key_id, signature=prefix + signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCheckpoint:
    """A checkpoint whose known signatures are all valid.

    Attributes:
        checkpoint: What was signed.
        note: The note as received.
        log_keys: Keys of the log that signed; one of type 0x01 is among them.
        times: Witness keys that cosigned, with the signed time in seconds.
    """

    checkpoint: Checkpoint
    note: Note
    log_keys: tuple[VerifierKey, ...]
    times: Mapping[VerifierKey, int]


def verify_checkpoint(
    note: bytes | Note,
    origin: str,
    log_keys: Iterable[VerifierKey],
    witness_keys: Iterable[VerifierKey],
    verify: Verify,
) -> VerifiedCheckpoint:
    """Check form, origin and every known signature of a checkpoint (L1.3, L8.3 item 3).

    The quorum is not decided here: ``Policy.is_witnessed`` does that with the times returned.

    Raises:
        InvalidInput: ``note.…`` and ``checkpoint.malformed`` for the form, ``checkpoint.wrong_origin``,
            ``checkpoint.bad_signature`` (a known key fails or appears twice), ``checkpoint.not_signed`` (no valid
            signature of type 0x01 by the log).
    """
    signed = note if isinstance(note, Note) else parse_note(note)
    checkpoint = parse_checkpoint_text(signed.text)
    if checkpoint.origin != origin:
        raise InvalidInput("checkpoint.wrong_origin", checkpoint.origin)
    logs = [key for key in log_keys if key.name == origin]  # a log's key is called as the log (L1.3)
    times = _verify_lines(signed, checkpoint, [*logs, *witness_keys], verify)
    signers = tuple(key for key in logs if key in times)
    if not any(key.kind == ED25519 for key in signers):
        raise InvalidInput("checkpoint.not_signed", "no valid signature by the log")
    cosigners = {key: time_s for key, time_s in times.items() if key not in signers}
    return VerifiedCheckpoint(checkpoint=checkpoint, note=signed, log_keys=signers, times=cosigners)


def _verify_lines(
    note: Note, checkpoint: Checkpoint, keys: list[VerifierKey], verify: Verify
) -> dict[VerifierKey, int]:
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise ValueError(f"two known keys share the name and key id of {key.name}")
    times: dict[VerifierKey, int] = {}
    for line in note.signatures:
        signer = known.get((line.name, line.key_id))
        if signer is None:
            continue
        if signer in times:
            raise InvalidInput("checkpoint.bad_signature", f"a second signature of {line.name}")
        times[signer] = verify_line(line, signer, checkpoint, verify)
    return times


def verify_line(line: SignatureLine, key: VerifierKey, checkpoint: Checkpoint, verify: Verify) -> int:
    """Check one line against its key and return the signed time in seconds (0 for type 0x01).

    Raises:
        InvalidInput: ``checkpoint.bad_signature``.
    """
    timed = key.kind != ED25519
    signature = line.signature[TIME_BYTES:] if timed else line.signature
    time_s = int.from_bytes(line.signature[:TIME_BYTES], "big") if timed else 0
    if len(signature) != SIGNATURE_BYTES[key.kind] or not verify(
        key.kind, key.public_key, message_to_sign(key, checkpoint, time_s), signature
    ):
        raise InvalidInput("checkpoint.bad_signature", f"the signature of {line.name} is not valid")
    return time_s
