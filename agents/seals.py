"""The seal of a draw as contributors and custodians must see it: in the log, under a witness quorum (ED1 D7)."""

from __future__ import annotations

from dataclasses import dataclass

from trading.audit.rules.bounds import FLOOR_MS, SECOND_MS, witnessed_time
from trading.audit.rules.policy import parse_policy
from trading.audit.rules.proof import verify_receipt
from trading.bids.rules.trust import TrustFile
from trading.crypto.notes import verify_note_signature
from trading.experts.rules.seal import SEALED, Seal, read_seal
from trading.experts.rules.spec import Spec
from trading.kernel.errors import InvalidInput, RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessedSeal:
    """A seal with the commitment of its record and when it was witnessed at the latest (T_up of TE1 T7, ms)."""

    h: str
    n: int
    seal: Seal
    witnessed_ms: int


def read_witnessed_seal(trust: TrustFile, proof: bytes, spec: Spec) -> WitnessedSeal:
    """Check a receipt of ``draw.sealed`` against the reader's own trust file.

    Raises:
        InvalidInput: What is wrong with the receipt or its record; ``receipt.other_record``.
        RuleBroken: ``draw.not_witnessed``: nothing may leave this machine before a quorum has signed.
    """
    policy = parse_policy(trust.log_policy)
    verified = verify_receipt(proof, origin=trust.origin, policy=policy, verify=verify_note_signature)
    if verified.record["kind"] != SEALED:
        raise InvalidInput("receipt.other_record", "the receipt is genuine but not of draw.sealed")
    seal = read_seal(verified.record["body"], spec)
    times = witnessed_time(verified.verified, policy)
    if times is None:
        raise RuleBroken("draw.not_witnessed", "ED1 D7")
    return WitnessedSeal(
        h=verified.receipt.entry.h.hex(),
        n=verified.receipt.entry.n,
        seal=seal,
        witnessed_ms=SECOND_MS * times.t_up + FLOOR_MS,
    )
