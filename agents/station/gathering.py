"""What the station has gathered when releases close: opened shares, parts, factors; the input of the combine pass.

The station opens each release as it arrives, compares every share with C_i, and does nothing else with it (SB1 S9.7).
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from agents.station.ceremony import Ceremony
from agents.station.combine import BidInput, Secrets, copied_bids
from trading.bids.rules.envelope import Envelope
from trading.crypto.keys import XWingPrivateKey, release_info
from trading.crypto.shares import SHARE_BYTES, commit_share
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument
from trading.openings.rules.answers import ShareRelease, parse_release
from trading.openings.rules.orders import OpenOrder
from trading.openings.rules.verdicts import Check, CustodianFacts, Finding, Release


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRelease:
    """A release as the platform lists it."""

    n: int
    signed: SignedDocument


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OpenedRelease:
    """One custodian's release: what it gave for each bid, and the shares that equal C_i. No ``repr`` (P10)."""

    custodian: int
    sha256: str
    given: Mapping[str, Release]
    shares: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Factors:
    """Factors and rescues as the platform hands them over after ``release.closed``, by bid."""

    in_window: Mapping[str, bytes] = field(default_factory=dict)
    rescues: Mapping[str, Secrets] = field(default_factory=dict)


def used_releases(ceremony: Ceremony, releases: Iterable[LoggedRelease]) -> list[tuple[SignedDocument, ShareRelease]]:
    """Return the releases for the newest order that came before ``release.closed``, by custodian; one each.

    Raises:
        InvalidInput: One of them is malformed or not signed by its custodian: the platform must not have taken it.
    """
    closed, order = ceremony.step("release_closed"), ceremony.order
    found: dict[int, tuple[SignedDocument, ShareRelease]] = {}
    for logged in sorted(releases, key=lambda release: release.n):
        if closed is not None and logged.n >= closed["n"]:
            continue
        release = parse_release(logged.signed.doc)
        ceremony.require_custodian(logged.signed, release.custodian)
        if release.order_sha256 == order.sha256:
            found.setdefault(release.custodian, (logged.signed, release))
    return [found[index] for index in sorted(found)]


def open_release(
    key: XWingPrivateKey, order: OpenOrder, envelopes: Mapping[str, Envelope | None], release: ShareRelease
) -> OpenedRelease:
    """Open every share of a release and compare it with C_i."""
    given: dict[str, Release] = {}
    shares: dict[str, bytes] = {}
    names = {bid.bid: bid.envelope_sha256 for bid in order.bids}
    for item in release.items:
        envelope = envelopes.get(item.bid)
        if item.ct is None or envelope is None:
            given[item.bid] = Release.WITHHELD
            continue
        info = release_info(release.custodian, bytes.fromhex(order.sha256), bytes.fromhex(names[item.bid]))
        share = _good_share(key, info, item.ct, envelope, release.custodian)
        given[item.bid] = Release.BAD if share is None else Release.GOOD
        if share is not None:
            shares[item.bid] = share
    return OpenedRelease(custodian=release.custodian, sha256=release.sha256, given=given, shares=shares)


def _good_share(key: XWingPrivateKey, info: bytes, ct: bytes, envelope: Envelope, index: int) -> bytes | None:
    try:
        share = key.open(info, ct)
    except InvalidInput:
        return None
    wanted = envelope.shares[index - 1].c
    is_whole = len(share) == SHARE_BYTES and share[-1] == index
    return share if is_whole and hmac.compare_digest(commit_share(share, envelope.context.bytes()), wanted) else None


def missing_bids(ceremony: Ceremony, opened: Iterable[OpenedRelease], stored: Collection[str]) -> list[str]:
    """Return the bids for ``release.gaps``: fewer than k good shares, or a part that no replica has (S9.7).

    Only bids that are released for can lack shares: one without a factor is not a gap that anybody could fill. A bid
    that the platform should not have taken (row 1) lacks all of them, and the verifier wants it named (SB-14).
    """
    factors, gaps = ceremony.factor_list, []
    releasing = set(ceremony.order.bid_ids if factors is None else factors.valid_bids)
    releases = list(opened)
    for bid, envelope in ceremony.envelopes.items():
        if bid not in releasing:
            continue
        good = sum(bid in release.shares for release in releases)
        lost = envelope is None or any(part.sha256 not in stored for part in envelope.parts)
        if good < ceremony.policy.k or lost:
            gaps.append(bid)
    return sorted(gaps)


def bid_inputs(
    ceremony: Ceremony,
    opened: Iterable[OpenedRelease],
    factors: Factors,
    *,
    stored: Collection[str],
    first_release_n: int | None = None,
) -> list[BidInput]:
    """Return the input of the combine pass, in the order of the order.

    Args:
        ceremony: The snapshot.
        opened: The used releases, opened.
        factors: What was revealed.
        stored: SHA-256 of the parts that were fetched and have their hash.
        first_release_n: Index of the first ``share.released``; with the factor off it ends the share checks.
    """
    releases = {release.custodian: release for release in opened}
    envelopes, listed = ceremony.envelopes, ceremony.factor_list
    valid = frozenset(listed.valid_bids) if listed is not None else frozenset()
    copied = copied_bids({bid: envelope for bid, envelope in envelopes.items() if envelope is not None})
    facts = _CustodianFacts(ceremony, releases, first_release_n)
    inputs = []
    for bid in ceremony.order.bids:
        envelope = envelopes[bid.bid]
        shares = {index: release.shares[bid.bid] for index, release in releases.items() if bid.bid in release.shares}
        inputs.append(
            BidInput(
                bid=bid.bid,
                envelope_sha256=bid.envelope_sha256,
                envelope=envelope,
                copied=bid.bid in copied,
                parts_stored=envelope is None or all(part.sha256 in stored for part in envelope.parts),
                custodians=facts.of(bid.bid),
                later=facts.of(bid.bid, late=True),
                good_shares=shares,
                s_b=factors.in_window.get(bid.bid),
                factor_listed=bid.bid in valid,
                rescue=factors.rescues.get(bid.bid),
            )
        )
    return inputs


class _CustodianFacts:
    """Share checks, findings and releases by bid and index; of several the last in log order counts."""

    def __init__(self, ceremony: Ceremony, releases: Mapping[int, OpenedRelease], first_n: int | None) -> None:
        self._indices = [row.i for row in ceremony.policy.custodians]
        self._releases = releases
        self._checks: dict[tuple[str, int], Check] = {}
        self._findings: dict[tuple[str, int], Finding] = {}
        self._late: dict[tuple[str, int], Finding] = {}
        for check in ceremony.checks_until(first_n):
            for item in check.items:
                self._checks[item.bid, check.custodian] = item.code
        for n, adjudication in ceremony.adjudications:
            findings = self._findings if ceremony.is_early(n) else self._late
            for found in adjudication.items:
                findings[found.bid, adjudication.custodian] = found.finding

    def of(self, bid: str, *, late: bool = False) -> list[CustodianFacts]:
        """Return every index in order; with ``late`` also what was adjudicated after ``release.closed``."""
        findings = {**self._findings, **self._late} if late else self._findings
        return [
            CustodianFacts(
                index=index,
                check=self._checks.get((bid, index)),
                release=self._release(bid, index),
                finding=findings.get((bid, index)),
            )
            for index in self._indices
        ]

    def _release(self, bid: str, index: int) -> Release:
        release = self._releases.get(index)
        return Release.ABSENT if release is None else release.given.get(bid, Release.WITHHELD)
