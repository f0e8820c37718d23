"""How a part arrives in chunks (SB1 S7.1): what may be begun, and which chunk comes next.

Terms are those of the IETF's *Resumable Uploads for HTTP*: length of the whole, offset of the first byte that misses.
Sizes and offsets are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trading.kernel.errors import Conflict, InvalidInput, RuleBroken
from trading.kernel.ids import is_practice

MIB: Final = 1024 * 1024
LEAST_CHUNK: Final = 4 * MIB  # of every chunk but the last
MOST_CHUNK: Final = 8 * MIB
MOST_OF_BID: Final = 4  # two parts, and two of a version that was given up; beyond it the one longest untouched ends
MOST_OF_ORGANISATION: Final = 64
PRACTICE_BYTES: Final = 32 * MIB  # of all parts of a bid in a practice tender, all its versions together (ADR 0061)


class OffsetConflict(Conflict):
    """A chunk that does not begin where the last one ended; ``facts`` tell where the next one begins."""

    code = "upload.offset"

    def __init__(self, offset: int) -> None:
        super().__init__(f"the next chunk begins at {offset}")
        self.facts: dict[str, object] = {"offset": offset}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A part on its way: ``offset`` of its ``length`` bytes are durable."""

    id: str
    bid: str
    name: str
    sha256: str
    length: int
    offset: int

    @property
    def is_whole(self) -> bool:
        """Whether every byte is there; it need not be an object yet."""
        return self.offset == self.length


def require_part(name: str, length: int, *, parts: tuple[str, ...], most: int) -> None:
    """Check what an upload declares against the policy of the lot.

    Raises:
        InvalidInput: ``policy.mismatch``: the policy knows no such part; ``bid.part_too_large``; ``bid.part_shape``:
            no byte at all.
    """
    if name not in parts:
        raise InvalidInput("policy.mismatch", f"the policy has no part {name}")
    if length > most:
        raise InvalidInput("bid.part_too_large", f"more than {most} bytes", limit=most)
    if length < 1:
        raise InvalidInput("bid.part_shape", "an empty part is no ciphertext")


def part_limit(reference: str, stored: Mapping[str, int], sha256: str, *, most: int) -> int:
    """Return how large one more part of a bid may be, in bytes.

    Sealed parts are kept for ever, so those of a practice tender are small all together (ADR 0061).

    Args:
        reference: Of the procedure.
        stored: SHA-256 to size of the parts of the bid that are stored already, those of replaced versions too.
        sha256: Of the part, which takes no more room if it is among them.
        most: What a part of any bid may have.
    """
    if not is_practice(reference) or sha256 in stored:
        return most
    return max(0, PRACTICE_BYTES - sum(stored.values()))


def require_room(open_uploads: int) -> None:
    """Refuse an organisation's next upload when it has ``MOST_OF_ORGANISATION`` on their way.

    Raises:
        RuleBroken: ``upload.too_many``.
    """
    if open_uploads >= MOST_OF_ORGANISATION:
        raise RuleBroken("upload.too_many", "SB1 S7.1", limit=MOST_OF_ORGANISATION)


def require_next(upload: Upload, start: int, size: int) -> None:
    """Check a chunk before its first byte is read. An empty one asks for the end of an upload whose bytes are there.

    Raises:
        OffsetConflict: It begins elsewhere; the right offset is in its facts.
        InvalidInput: ``bid.part_mismatch``: it goes beyond the declared length; ``upload.chunk_size``: it has less than
            ``LEAST_CHUNK`` without being the last, or more than ``MOST_CHUNK``.
    """
    if start != upload.offset:
        raise OffsetConflict(upload.offset)
    if start + size > upload.length:
        raise InvalidInput("bid.part_mismatch", f"the part was declared with {upload.length} bytes")
    is_last = start + size == upload.length
    if size > MOST_CHUNK or (size < LEAST_CHUNK and not is_last):
        raise InvalidInput("upload.chunk_size", f"a chunk of {size} bytes", least=LEAST_CHUNK, most=MOST_CHUNK)
