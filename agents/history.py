"""A log with the closed ones that it continues, as offline agents judge them (AL1 L13, ADR 0047).

A trust file lists the logs in the order in which they follow each other. A newer one proves what stands in an older one
only through its entry 0, ``log.continued``, which holds the final checkpoint of the log before; that one must have met
the quorum of witnesses by itself. The numbers of entries then count through all logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agents.witnessed import Witnessed, verify_witnessed
from trading.audit.rules.note import Checkpoint, parse_checkpoint_text, parse_note
from trading.audit.rules.policy import parse_policy
from trading.audit.rules.proof import Receipt, VerifiedReceipt, parse_receipt, verify_receipt
from trading.audit.rules.record import parse_record
from trading.audit.rules.tree import leaf_hash, verify_inclusion
from trading.bids.rules.trust import TrustFile
from trading.crypto.notes import verify_note_signature
from trading.kernel.errors import InvalidInput, RuleBroken

CONTINUED: Final = "log.continued"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One log of a history: its checkpoint with a quorum, as a note and read, and the place of its first entry."""

    note: bytes
    witnessed: Witnessed
    base: int

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint."""
        return self.witnessed.checkpoint


def origins(trust: TrustFile) -> tuple[str, ...]:
    """Return the logs that the one of a trust file continues, the oldest first, and itself: the order of its policy.

    Raises:
        InvalidInput: ``policy.malformed``.
    """
    names = list(dict.fromkeys(log.key.name for log in parse_policy(trust.log_policy).logs))
    # A log without a key proves nothing, so that nothing comes before it either.
    return tuple(names[: names.index(trust.origin) + 1]) if trust.origin in names else (trust.origin,)


def origin_of(trust: TrustFile, note: bytes) -> str:
    """Return the log that a note names if a trust file lists it; otherwise the log of the trust file.

    Raises:
        InvalidInput: ``note.…`` or ``checkpoint.malformed``.
    """
    named = parse_checkpoint_text(parse_note(note).text).origin
    return named if named in origins(trust) else trust.origin


def verify_logged(trust: TrustFile, proof: bytes) -> VerifiedReceipt:
    """Verify a receipt of the log of a trust file or of one before it.

    Raises:
        InvalidInput: What is wrong with it.
    """
    receipt = parse_receipt(proof)
    origin, policy = origin_of(trust, receipt.checkpoint), parse_policy(trust.log_policy)
    return verify_receipt(receipt, origin=origin, policy=policy, verify=verify_note_signature)


def position_of(trust: TrustFile, receipt: VerifiedReceipt) -> tuple[int, int]:
    """Return the number of the log, 0 for the oldest, and the index in it: both together order entries as places do."""
    return origins(trust).index(receipt.verified.checkpoint.origin), receipt.receipt.entry.n


def read_history(trust: TrustFile, note: bytes, continued: Sequence[bytes]) -> tuple[Span, ...]:
    """Check a checkpoint and every continuation that leads to it; return the logs, the oldest first.

    Args:
        trust: Whose ``origin`` the checkpoint is of.
        note: The newest checkpoint.
        continued: Receipts of the ``log.continued`` of each log that has one before, the newest first; each proves
            itself under the note of its log.

    Raises:
        InvalidInput: ``note.…``, ``checkpoint.…``, ``receipt.…``, ``proof.…`` or ``policy.malformed``.
        RuleBroken: ``order.checkpoint``: a checkpoint has no quorum. ``log.not_continued``: the logs do not follow each
            other as the trust file lists them.
    """
    names = origins(trust)
    chain = [(note, verify_witnessed(trust, note))]
    require_continued(f"{names[0]} is the first log that the trust file lists", holds=len(continued) < len(names))
    for number, earlier in enumerate(reversed(names[:-1])):
        told = f"{chain[-1][1].checkpoint.origin} continues {earlier}"
        require_continued(f"{told}, and its entry 0 is missing", holds=number < len(continued))
        final = _final(*chain[-1], continued[number], earlier)
        chain.append((final, verify_witnessed(trust, final, earlier)))
    spans, base = [], 0
    for text, witnessed in reversed(chain):
        spans.append(Span(note=text, witnessed=witnessed, base=base))
        base += witnessed.checkpoint.size
    return tuple(spans)


def _final(note: bytes, later: Witnessed, proof: bytes, earlier: str) -> bytes:
    """Return the final checkpoint of the earlier log, which entry 0 of the later one holds."""
    told = f"{later.checkpoint.origin} continues {earlier}"
    receipt = open_proof(proof, note, later.checkpoint)
    record = parse_record(receipt.record)
    is_first = receipt.entry.n == 0 and record["kind"] == CONTINUED
    require_continued(f"{told}, and its entry 0 does not say so", holds=is_first)
    named, final = record["body"].get("old_origin"), record["body"].get("old_checkpoint")
    require_continued(f"{told}, not {named}", holds=named == earlier)
    if not isinstance(final, str):
        raise InvalidInput("doc.bad_field", f"{CONTINUED}: old_checkpoint")
    return final.encode()


def open_proof(data: bytes, note: bytes, checkpoint: Checkpoint) -> Receipt:
    """Return the receipt if it proves its entry under this very note, whose signatures were verified.

    Raises:
        InvalidInput: ``receipt.…``, ``proof.…``, or ``job.malformed`` for another note.
    """
    receipt = parse_receipt(data)
    if receipt.checkpoint != note:
        raise InvalidInput("job.malformed", f"the proof of entry {receipt.entry.n} uses another checkpoint")
    leaf = leaf_hash(receipt.entry.encode())
    verify_inclusion(receipt.entry.n, checkpoint.size, leaf, receipt.path, checkpoint.root)
    return receipt


def require_continued(detail: str, *, holds: bool) -> None:
    """Refuse logs that do not follow each other as they should.

    Raises:
        RuleBroken: ``log.not_continued`` with the detail.
    """
    if not holds:
        raise RuleBroken("log.not_continued", "AL1 L13", detail=detail)
