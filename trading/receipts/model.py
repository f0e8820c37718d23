"""What a receipt says, taken from the ``.tlog-proof`` file alone: nothing is shown that the file does not prove.

The pages, the PDF and the address in its QR code are made from these values. An instant is ms UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from trading.audit.rules.note import VerifiedCheckpoint, parse_checkpoint_text, parse_note
from trading.audit.rules.proof import ReceiptState, parse_receipt
from trading.audit.rules.record import parse_record
from trading.audit.rules.tree import leaf_hash
from trading.kernel.encoding import b64u
from trading.kernel.ids import is_practice


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A witness whose signature under the checkpoint was verified, and the instant that it signed."""

    witness: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A receipt in full: the exact file, the record that it discloses, its place, and who signed the checkpoint.

    ``leaf`` is the leaf hash of the entry, as it stands in the tiles of the log; ``root`` that of ``size`` entries.
    ``t`` is the instant at which the sequencer took the entry.
    """

    text: bytes
    state: ReceiptState
    origin: str
    n: int
    t: int
    h: str
    leaf: bytes
    size: int
    root: bytes
    record: Mapping[str, Any]
    cosignatures: tuple[Cosignature, ...]

    @property
    def name(self) -> str:
        """Return the name of the file, as it is attached."""
        return f"{self.n}.tlog-proof"

    @property
    def practice(self) -> bool:
        """Whether the record is of a practice tender, so that nothing comes of it (ADR 0061)."""
        return is_practice(self.record["procedure"] or "")

    def pointer(self, public_url: str) -> str:
        """Return the address that the QR code of a printed receipt carries (ADR 0042).

        What stands after ``#`` is never sent to a server. With it the paper can be compared with any copy of the log:
        leaf ``n`` of its tiles, and the root of its first ``size`` entries.
        """
        numbers = {"n": self.n, "leaf": b64u(self.leaf), "size": self.size, "root": b64u(self.root)}
        return f"{public_url}/log/entries/{self.h}#{urlencode(numbers)}"


def statement(text: bytes, state: ReceiptState, verified: VerifiedCheckpoint | None) -> Statement:
    """Return what an issued receipt says.

    Args:
        text: The ``.tlog-proof`` file.
        state: How far the record has got (L8.1).
        verified: Its checkpoint by the policy of the platform; None where a process knows no policy.

    Raises:
        InvalidInput: Not a receipt. A bug or damaged evidence, for the platform issued it.
    """
    receipt = parse_receipt(text)
    checkpoint = parse_checkpoint_text(parse_note(receipt.checkpoint).text)
    times = {} if verified is None else verified.times
    cosigned = sorted((time_s, key.name) for key, time_s in times.items())
    return Statement(
        text=text,
        state=state,
        origin=checkpoint.origin,
        n=receipt.entry.n,
        t=receipt.entry.t,
        h=receipt.entry.h.hex(),
        leaf=leaf_hash(receipt.entry.encode()),
        size=checkpoint.size,
        root=checkpoint.root,
        record=parse_record(receipt.record),
        cosignatures=tuple(Cosignature(witness=name, at=1000 * time_s) for time_s, name in cosigned),
    )
