"""After the seal: reveals, recoveries, and the void rule (ED1 D7).

Whether a party reveals or hides makes no difference: a listed contribution has at most one r that fits, it enters the
seed revealed or recovered, and without it the contribution is void either way.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from trading.bids.rules.fields import Document
from trading.experts.rules import fields as ed1
from trading.experts.rules.contributions import Contribution, Deal, contribution_commit, is_valid
from trading.experts.rules.policy import Policy
from trading.kernel import fields
from trading.kernel.digests import SB1_SHARE_COMMIT, tuple_hash

#: Shares with distinct x → the secret.
Combine: TypeAlias = Callable[[Sequence[bytes]], bytes]
#: How long after the seal a contribution counts as unrecoverable.
RECOVERY_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal(Document):
    """``ed1.reveal``."""

    draw: str
    party: str
    r: bytes
    sealed_h: str
    spec_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery(Document):
    """``ed1.recovery``: one custodian's share of a contribution that was not revealed."""

    custodian: int
    draw: str
    party: str
    sealed_h: str
    share: bytes
    spec_sha256: str


_COMMON: Final = {
    "draw": ed1.draw_id,
    "party": ed1.party_id,
    "sealed_h": fields.digest,
    "spec_sha256": fields.digest,
}
REVEAL: Final = fields.Table("ed1.reveal", {**_COMMON, "r": ed1.bytes32})
RECOVERY: Final = fields.Table("ed1.recovery", {**_COMMON, "custodian": ed1.custodian_index, "share": ed1.share33})


def parse_reveal(raw: bytes) -> Reveal:
    """Admit a reveal; raises ``InvalidInput`` with a code of P11."""
    return Reveal(raw=raw, **REVEAL.read(raw))


def parse_recovery(raw: bytes) -> Recovery:
    """Admit a recovery; raises ``InvalidInput`` with a code of P11."""
    return Recovery(raw=raw, **RECOVERY.read(raw))


def make_reveal(contribution: Contribution, r: bytes, sealed_h: str) -> bytes:
    """Return the reveal of a listed contribution for one seal."""
    return REVEAL.write({**_of(contribution, sealed_h), "r": r.hex()})


def make_recovery(contribution: Contribution, share: bytes, sealed_h: str, *, custodian: int) -> bytes:
    """Return a custodian's recovery of one party for one seal."""
    return RECOVERY.write({**_of(contribution, sealed_h), "custodian": custodian, "share": share.hex()})


def _of(contribution: Contribution, sealed_h: str) -> dict[str, str]:
    return {
        "draw": contribution.draw,
        "party": contribution.party,
        "sealed_h": sealed_h,
        "spec_sha256": contribution.spec_sha256,
    }


def counts(reveal: Reveal, contribution: Contribution, sealed_h: str) -> bool:
    """Return whether a reveal counts: this contribution, this seal, and an r that opens the commitment (D7)."""
    expected = contribution_commit(contribution.spec_sha256, contribution.party, reveal.r)
    told = (reveal.draw, reveal.party, reveal.spec_sha256, reveal.sealed_h)
    return told == (contribution.draw, contribution.party, contribution.spec_sha256, sealed_h) and hmac.compare_digest(
        expected, contribution.commit
    )


def is_good(recovery: Recovery, contribution: Contribution, sealed_h: str) -> bool:
    """Return whether a recovered share is the one that its C_i commits to, for this contribution and this seal."""
    told = (recovery.draw, recovery.party, recovery.spec_sha256, recovery.sealed_h)
    if told != (contribution.draw, contribution.party, contribution.spec_sha256, sealed_h):
        return False
    commit = tuple_hash(SB1_SHARE_COMMIT, recovery.share, contribution.context.bytes())
    return any(share.i == recovery.custodian and share.c == commit for share in contribution.shares)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Outcome:
    """What became of one listed contribution. No ``repr``: r is public only in its document.

    Attributes:
        party: Its id.
        commit: Its commitment.
        r: Revealed or recovered; None while it is neither.
        withheld: It was not revealed, so the party is named.
        valid: r opens the commitment and re-derives every C_i; otherwise the contribution is void.
    """

    party: str
    commit: bytes
    r: bytes | None
    withheld: bool
    valid: bool


def settle(
    contribution: Contribution,
    sealed_h: str,
    policy: Policy,
    *,
    reveals: Iterable[Reveal],
    recoveries: Iterable[Recovery],
    deal: Deal,
    combine: Combine,
) -> Outcome:
    """Return what became of one listed contribution; a counted reveal wins, else the k good shares of lowest index."""
    revealed = next((item.r for item in reveals if counts(item, contribution, sealed_h)), None)
    r = revealed if revealed is not None else _recovered(contribution, sealed_h, policy, recoveries, combine)
    return Outcome(
        party=contribution.party,
        commit=contribution.commit,
        r=r,
        withheld=revealed is None,
        valid=r is not None and is_valid(contribution, r, policy.k, deal),
    )


def _recovered(
    contribution: Contribution, sealed_h: str, policy: Policy, recoveries: Iterable[Recovery], combine: Combine
) -> bytes | None:
    good = {item.custodian: item.share for item in recoveries if is_good(item, contribution, sealed_h)}
    if len(good) < policy.k:
        return None
    return combine([good[i] for i in sorted(good)[: policy.k]])


def failed_custodians(
    contribution: Contribution, sealed_h: str, policy: Policy, recoveries: Iterable[Recovery], said_ok: Collection[int]
) -> tuple[int, ...]:
    """Return the custodians that said ``ok`` but gave no good share, to be named when an attempt is unrecoverable."""
    good = {item.custodian for item in recoveries if is_good(item, contribution, sealed_h)}
    return tuple(row.i for row in policy.custodians if row.i in said_ok and row.i not in good)
