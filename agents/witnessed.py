"""Checkpoints as offline agents judge them: log key, every known signature, witness quorum, witness time."""

from __future__ import annotations

from dataclasses import dataclass

from trading.audit.rules.bounds import SECOND_MS
from trading.audit.rules.note import Checkpoint, verify_checkpoint
from trading.audit.rules.policy import parse_policy
from trading.bids.rules.trust import TrustFile
from trading.crypto.notes import verify_note_signature
from trading.kernel.errors import RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """A checkpoint with a quorum. ``low_ms`` is the witness time of TE1 T7: a whole quorum signed at or after it."""

    checkpoint: Checkpoint
    low_ms: int


def verify_witnessed(trust: TrustFile, note: bytes) -> Witnessed:
    """Check a note against a trust file.

    Raises:
        InvalidInput: ``note.…``, ``checkpoint.…`` or ``policy.malformed``.
        RuleBroken: ``order.checkpoint``: the quorum of the trust file is not met.
    """
    origin, policy = trust.origin, parse_policy(trust.log_policy)
    verified = verify_checkpoint(note, origin, policy.log_keys(origin), policy.witness_keys, verify_note_signature)
    low_s = policy.t_low(verified.times)
    if low_s is None:
        raise RuleBroken("order.checkpoint", "SB1 S9.3", detail="no witness quorum")
    return Witnessed(checkpoint=verified.checkpoint, low_ms=SECOND_MS * low_s)
