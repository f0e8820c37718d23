"""The derivation context of a bid: everything that is derived, committed or sealed depends on it (SB1 S4.1)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from trading.kernel import canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class BidContext:
    """The eight fields. A value of another type or form cannot come from a parsed document.

    Attributes:
        bid: Random bid id given out by the platform.
        bidder: Organisation code.
        bidder_kid: Key id that signs the envelope; shares are worth nothing under another key.
        lot: As in the policy.
        policy_sha256: Hex name of the policy.
        seq: Version of this bid, from 1.
        stage: As in the policy, or ``rehearsal``.
        tender: As in the policy.
    """

    bid: str
    bidder: str
    bidder_kid: str
    lot: str
    policy_sha256: str
    seq: int
    stage: str
    tender: str

    def bytes(self) -> bytes:
        """Return ``ctx``: the canonical bytes of exactly these fields, without ``typ`` and ``v``."""
        return canonical.dumps(asdict(self))
