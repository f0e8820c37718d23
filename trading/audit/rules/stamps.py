"""What is stamped and when (TE1 T8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput
from trading.kernel.events import Event

#: The checkpoint that first contains one of these is stamped as soon as it is witnessed.
MOMENTS: Final = frozenset({"tender.closed", "open.ordered", "opening.completed", "draw.sealed", "draw.result"})
ROUND_MS: Final = 60_000  # the newest checkpoint is stamped this often if the log grew
LATE_MS: Final = 60_000  # after this the moment is missed; the newest checkpoint, stamped in its turn, covers it
AHEAD_MS: Final = 60_000  # how far genTime may be ahead of the platform's clock
ANCHOR: Final = "tst.anchored"
#: Errands of stamping: the round of every authority, and the checkpoint of one moment.
ROUND: Final = "stamps.round"
MOMENT: Final = "stamps.moment"
#: Errands that no law and no document makes due: demonstration time may pass them by (P13).
PASSED_BY: Final = frozenset({ROUND, MOMENT})
UPKEEP: Final = "upkeep."  # so begin the names of others: rounds that return for ever, and that nobody waits for


def stamped_text(note: bytes) -> bytes:
    """Return what is stamped of a checkpoint: its three text lines, without the signatures that are added later."""
    return parse_note(note).text.encode()


def require_not_ahead(gen_time: int, now: int) -> None:
    """Refuse a stamp from the future; both instants in ms.

    Raises:
        InvalidInput: ``stamp.ahead``: ``gen_time`` is later than ``now`` + 60 s.
    """
    if gen_time > now + AHEAD_MS:
        raise InvalidInput("stamp.ahead", f"genTime is {gen_time - now} ms ahead of the platform's clock")


def is_late(witnessed_at: int, now: int) -> bool:
    """Return whether a checkpoint that was witnessed at an instant (ms) is too old to be stamped for its moment."""
    return now >= witnessed_at + LATE_MS


def anchored(note: bytes, tsa: str, gen_time: int, token: bytes) -> Event:
    """Return the event that puts the hash of a token into the log: what comes after it came after ``gen_time``."""
    checkpoint = parse_checkpoint_text(parse_note(note).text)
    body: Mapping[str, Any] = {
        "gen_time": gen_time,
        "root": checkpoint.root.hex(),
        "size": checkpoint.size,
        "token_sha256": sha256_hex(token),
        "tsa": tsa,
    }
    return Event(kind=ANCHOR, subject=f"tsa:{tsa}", body=body)
