"""Checkpoints as offline agents judge them: log key, every known signature, witness quorum, witness time."""

from __future__ import annotations

from dataclasses import dataclass

from trading.audit.rules.bounds import SECOND_MS, witnessed_time
from trading.audit.rules.note import Checkpoint, verify_checkpoint
from trading.audit.rules.policy import parse_policy
from trading.bids.rules.trust import TrustFile
from trading.crypto.notes import verify_note_signature
from trading.kernel.errors import RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """A checkpoint with a quorum and its times of TE1 T7.

    A whole quorum signed at or after ``low_ms``, and a whole quorum had signed by the second ``up_s``.
    """

    checkpoint: Checkpoint
    low_ms: int
    up_s: int


def verify_witnessed(trust: TrustFile, note: bytes, origin: str | None = None) -> Witnessed:
    """Check a note against a trust file: of its log, or of the one before it called ``origin`` (AL1 L13).

    Raises:
        InvalidInput: ``note.…``, ``checkpoint.…`` or ``policy.malformed``.
        RuleBroken: ``order.checkpoint``: the quorum of the trust file is not met.
    """
    name, policy = origin or trust.origin, parse_policy(trust.log_policy)
    verified = verify_checkpoint(note, name, policy.log_keys(name), policy.witness_keys, verify_note_signature)
    times = witnessed_time(verified, policy)
    if times is None:
        raise RuleBroken("order.checkpoint", "SB1 S9.3", detail=f"no witness quorum for {name}")
    return Witnessed(checkpoint=verified.checkpoint, low_ms=SECOND_MS * times.t_low, up_s=times.t_up)
