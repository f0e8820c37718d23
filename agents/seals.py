"""The seal of a draw as contributors and custodians must see it: in the log, under a witness quorum (ED1 D7)."""

from __future__ import annotations

from dataclasses import dataclass

from agents.history import position_of, verify_logged
from trading.audit.rules.bounds import FLOOR_MS, SECOND_MS, witnessed_time
from trading.audit.rules.policy import parse_policy
from trading.bids.rules.trust import TrustFile
from trading.experts.rules.seal import SEALED, Seal, read_seal
from trading.experts.rules.spec import Spec
from trading.kernel.errors import InvalidInput, RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessedSeal:
    """A seal with the commitment of its record and when it was witnessed at the latest (T_up of TE1 T7, ms).

    ``position``: which log of the trust file, 0 for the oldest, and the index of the entry in it.
    """

    h: str
    position: tuple[int, int]
    seal: Seal
    witnessed_ms: int


def read_witnessed_seal(trust: TrustFile, proof: bytes, spec: Spec) -> WitnessedSeal:
    """Check a receipt of ``draw.sealed`` against the reader's own trust file, in its log or in one before it.

    Raises:
        InvalidInput: What is wrong with the receipt or its record; ``receipt.other_record``.
        RuleBroken: ``draw.not_witnessed``: nothing may leave this machine before a quorum has signed.
    """
    policy = parse_policy(trust.log_policy)
    verified = verify_logged(trust, proof)
    if verified.record["kind"] != SEALED:
        raise InvalidInput("receipt.other_record", "the receipt is genuine but not of draw.sealed")
    seal = read_seal(verified.record["body"], spec)
    times = witnessed_time(verified.verified, policy)
    if times is None:
        raise RuleBroken("draw.not_witnessed", "ED1 D7")
    return WitnessedSeal(
        h=verified.receipt.entry.h.hex(),
        position=position_of(trust, verified),
        seal=seal,
        witnessed_ms=SECOND_MS * times.t_up + FLOOR_MS,
    )
