"""``add-checkpoint`` of C2SP ``tlog-witness``: request and answer, and what a witness must answer (AL1 L7.2).

Both sides use this module: the witness judges with it, the sequencer builds requests and reads answers with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

from trading.audit.rules.note import (
    MAX_NOTE,
    Checkpoint,
    Note,
    SignatureLine,
    VerifierKey,
    Verify,
    parse_decimal,
    parse_signature_line,
    verify_line,
)
from trading.audit.rules.tree import EMPTY_ROOT, HASH_BYTES, MAX_PROOF, verify_consistency
from trading.kernel.encoding import b64, b64_decode
from trading.kernel.errors import InvalidInput

SIZE_TYPE = "text/x.tlog.size"
NOTE_TYPE = "text/plain; charset=utf-8"
MAX_REQUEST = MAX_NOTE + (MAX_PROOF + 1) * 64
MAX_ANSWER = MAX_NOTE


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """One request: the size the witness is thought to know, the consistency proof from it, the signed note."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    def encode(self) -> bytes:
        """Return the request body."""
        head = "\n".join([f"old {self.old}", *map(b64, self.proof), "", ""])
        return head.encode("ascii") + self.note


def add_checkpoint_body(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """Return the body of ``POST <prefix>/add-checkpoint``."""
    return AddCheckpoint(old=old, proof=tuple(proof), note=note).encode()


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Read a request body; the note itself is read by ``note.parse_note``.

    Raises:
        InvalidInput: ``witness.malformed``, answered with 400.
    """
    head, separator, note = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
        if not separator or not first.startswith("old ") or len(lines) > MAX_PROOF:
            raise ValueError("no old line, no empty line, or more than 63 hashes")
        old = parse_decimal(first.removeprefix("old "))
        proof = tuple(b64_decode(line) for line in lines)
    except ValueError as error:
        raise InvalidInput("witness.malformed", str(error)) from error
    if any(len(value) != HASH_BYTES for value in proof):
        raise InvalidInput("witness.malformed", "a hash has not 32 bytes")
    return AddCheckpoint(old=old, proof=proof, note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The last checkpoint that a witness cosigned for one origin; size 0 with the empty root before the first."""

    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Status to answer and, for a refusal, why. ``fraud``: the two signed notes cannot belong to one history."""

    status: HTTPStatus
    reason: str = ""
    fraud: bool = False


def judge(request: AddCheckpoint, checkpoint: Checkpoint, seen: Seen) -> Judgement:
    """Decide about a checkpoint whose origin is known and whose log signature is valid (L7.2, in its order)."""
    if request.old > checkpoint.size:
        return Judgement(status=HTTPStatus.BAD_REQUEST, reason="old size is larger than the size of the checkpoint")
    same_size_fraud = checkpoint.size == seen.size and checkpoint.root != seen.root
    if request.old != seen.size:
        return Judgement(status=HTTPStatus.CONFLICT, reason="old size is not the last size", fraud=same_size_fraud)
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        return _inconsistent("size 0 has the root of the empty tree", fraud=True)
    if same_size_fraud:
        return _inconsistent("this size was cosigned with another root", fraud=True)
    try:
        verify_consistency(seen.size, checkpoint.size, request.proof, seen.root, checkpoint.root)
    except InvalidInput as error:
        # A wrong proof may be a mistake of the sender; only two roots of one size are proof of fraud by themselves.
        return _inconsistent(error.detail, fraud=False)
    return Judgement(status=HTTPStatus.OK)


def _inconsistent(reason: str, *, fraud: bool) -> Judgement:
    return Judgement(status=HTTPStatus.UNPROCESSABLE_ENTITY, reason=reason, fraud=fraud)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """Answer 200: signature lines, not yet verified."""

    lines: tuple[SignatureLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeConflict:
    """Answer 409: the size that the witness knows. Smaller than ours is normal, larger is a rollback (L5.3)."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Every other answer. 422 means that the witness knows another history."""

    status: int
    reason: str


Answer: TypeAlias = Cosigned | SizeConflict | Refused


def parse_answer(status: int, content_type: str | None, body: bytes) -> Answer:
    """Read the answer of a witness.

    Raises:
        InvalidInput: ``witness.bad_answer``: 200 or 409 with a body that is not what it must be.
    """
    if status not in {HTTPStatus.OK, HTTPStatus.CONFLICT}:
        return Refused(status=status, reason=body[:200].decode(errors="replace").strip())
    try:
        text = body.decode() if len(body) <= MAX_ANSWER else ""
        if not text.endswith("\n"):
            raise ValueError("no last newline, or too long")
        if status == HTTPStatus.OK:
            return Cosigned(lines=tuple(parse_signature_line(line) for line in text[:-1].split("\n")))
        if (content_type or "").partition(";")[0].strip() != SIZE_TYPE:
            raise ValueError(f"409 without {SIZE_TYPE}")
        return SizeConflict(size=parse_decimal(text[:-1]))
    except (InvalidInput, ValueError) as error:
        raise InvalidInput("witness.bad_answer", str(error)) from error


def verified_cosignatures(
    lines: Iterable[SignatureLine], checkpoint: Checkpoint, keys: Iterable[VerifierKey], verify: Verify
) -> dict[VerifierKey, tuple[SignatureLine, int]]:
    """Return the cosignatures by ``keys`` with their times in seconds; lines of other keys are ignored.

    Raises:
        InvalidInput: ``checkpoint.bad_signature``: a known key's line does not verify or comes twice.
    """
    known = {(key.name, key.key_id): key for key in keys}
    found: dict[VerifierKey, tuple[SignatureLine, int]] = {}
    for line in lines:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        if key in found:
            raise InvalidInput("checkpoint.bad_signature", f"a second signature of {line.name}")
        found[key] = (line, verify_line(line, key, checkpoint, verify))
    return found


def with_cosignatures(note: Note, lines: Iterable[SignatureLine]) -> Note:
    """Return ``note`` with cosignature lines in place of older lines of the same keys, appended in order."""
    added = tuple(lines)
    names = {(line.name, line.key_id) for line in added}
    kept = tuple(line for line in note.signatures if (line.name, line.key_id) not in names)
    return Note(text=note.text, signatures=kept + added)
