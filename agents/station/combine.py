"""Combining the shares of every bid, before the first part is decrypted (SB1 S9.8, S10 up to row 10).

Pure but for the cryptography: the same inputs always give the same facts, so that any other station, and every
verifier, comes to the same verdicts.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from trading.bids.rules.envelope import Envelope
from trading.bids.rules.policy import Policy
from trading.crypto.shares import combine, commit_factor, commit_seed, deal
from trading.openings.rules.verdicts import BidFacts, Code, CustodianFacts, Verdict, verdict


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Secrets:
    """What opens one bid. No ``repr`` (P10)."""

    s_c: bytes
    s_b: bytes


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BidInput:
    """Everything known of one bid at ``release.closed``.

    Attributes:
        bid: Its id.
        envelope_sha256: Its name.
        envelope: ``None`` if it fails S7.2 items 2 to 4 or its key was not valid there (row 1).
        copied: A ct or part repeats that of another bidder's envelope (row 2).
        parts_stored: Every part was fetched and has its hash (row 3).
        custodians: Every index in order, as at ``release.closed``.
        later: The same with what was adjudicated since then.
        good_shares: Shares that equal C_i, by index.
        s_b: The revealed factor, checked or not; ``None`` if none was revealed before the first ``factor.closed``.
        factor_listed: The newest factor list says ``valid``.
        rescue: The secrets of a rescue that the platform accepted.
    """

    bid: str
    envelope_sha256: str
    envelope: Envelope | None
    copied: bool
    parts_stored: bool
    custodians: Sequence[CustodianFacts]
    later: Sequence[CustodianFacts] = ()
    good_shares: Mapping[int, bytes] = field(default_factory=dict)
    s_b: bytes | None = None
    factor_listed: bool = False
    rescue: Secrets | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Combined:
    """One bid after the combine pass: its facts and verdict so far; secrets only if it can be opened."""

    source: BidInput
    facts: BidFacts
    secrets: Secrets | None

    @property
    def verdict(self) -> Verdict:
        """Return the verdict of S10 from what is known so far."""
        return verdict(self.facts)

    @property
    def settled(self) -> Verdict:
        """Return the verdict, after the adjudications if it was ``PENDING`` and they decide it (row 9)."""
        before = self.verdict
        if before.code is not Code.PENDING or not self.source.later:
            return before
        after = verdict(replace(self.facts, custodians=self.source.later))
        return before if after.code is Code.PENDING else after


def combine_bid(source: BidInput, policy: Policy) -> Combined:
    """Compute the facts of one bid up to row 10 and, if they allow it, the secrets that open it."""
    facts = BidFacts(
        k=policy.k,
        custodians=source.custodians,
        envelope_valid=source.envelope is not None,
        copied=source.copied,
        parts_stored=source.parts_stored,
        bidder_factor=policy.bidder_factor,
        factor_revealed=_fits(source.envelope, source.s_b),
        factor_listed=source.factor_listed,
    )
    if source.envelope is None:
        return Combined(source=source, facts=facts, secrets=None)
    s_b = (source.s_b or b"") if policy.bidder_factor else b""
    rescue = source.rescue
    rescued = rescue is not None and rescue.s_b == s_b and fits_dealing(source.envelope, policy, rescue)
    secrets = rescue if rescued else _recover(source, policy.k, s_b)
    fits = None if secrets is None else fits_dealing(source.envelope, policy, secrets)
    return Combined(source=source, facts=replace(facts, rescued=rescued, dealing_fits=fits), secrets=secrets)


def _fits(envelope: Envelope | None, s_b: bytes | None) -> bool:
    if envelope is None or s_b is None or envelope.factor_commit is None:
        return False
    return hmac.compare_digest(commit_factor(s_b, envelope.context.bytes()), envelope.factor_commit)


def _recover(source: BidInput, k: int, s_b: bytes) -> Secrets | None:
    """Combine the k good shares with the lowest indices (S9.8)."""
    chosen = [source.good_shares[index] for index in sorted(source.good_shares)[:k]]
    return Secrets(s_c=combine(chosen), s_b=s_b) if len(chosen) == k else None


def fits_dealing(envelope: Envelope, policy: Policy, secrets: Secrets) -> bool:
    """Return whether ``seed_commit`` and **every** C_j re-derive from the secrets (row 10; R2)."""
    ctx = envelope.context.bytes()
    if not hmac.compare_digest(commit_seed(secrets.s_c, secrets.s_b, ctx), envelope.seed_commit):
        return False
    again = deal(secrets.s_c, ctx, policy.k, policy.n).commitments
    return all(hmac.compare_digest(c, share.c) for c, share in zip(again, envelope.shares, strict=True))


def copied_bids(envelopes: Mapping[str, Envelope]) -> frozenset[str]:
    """Return the bids whose ct or part sha256 repeats that of another bidder's envelope (row 2).

    Both the copy and the original repeat each other; row 2 tells them apart by the share checks, which only the
    original passes.
    """
    return frozenset(bid for marks in (_ciphertexts, _parts) for bid in _repeated(envelopes, marks))


def _ciphertexts(envelope: Envelope) -> Iterable[bytes]:
    return {share.ct for share in envelope.shares}


def _parts(envelope: Envelope) -> Iterable[str]:
    return {part.sha256 for part in envelope.parts}


def _repeated(envelopes: Mapping[str, Envelope], marks: Callable[[Envelope], Iterable[object]]) -> set[str]:
    owners: dict[object, set[str]] = {}
    for envelope in envelopes.values():
        for mark in marks(envelope):
            owners.setdefault(mark, set()).add(envelope.bidder)
    shared = {mark for mark, bidders in owners.items() if len(bidders) > 1}
    return {bid for bid, envelope in envelopes.items() if shared & set(marks(envelope))}
