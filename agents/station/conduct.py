"""The steps of the station, each safe to repeat: order, collect, combine, open, transcripts (SB1 S9, S14)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from agents.history import read_history
from agents.station.box import Box
from agents.station.ceremony import Ceremony
from agents.station.client import Client
from agents.station.combine import Combined, combine_bid
from agents.station.gathering import (
    LoggedRelease,
    OpenedRelease,
    bid_inputs,
    missing_bids,
    open_release,
    used_releases,
)
from agents.station.reading import Opened, open_bid
from trading.kernel.errors import IntegrityFailure, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.manifest import check_order, check_successor
from trading.openings.rules.orders import make_order, parse_order
from trading.openings.rules.transcripts import TranscriptItem, make_transcript, parse_transcript
from trading.openings.rules.verdicts import Code
from trading.openings.rules.windows import may_combine, may_report_gaps

WORKERS: Final = 2


def fetch(box: Box, client: Client) -> Ceremony:
    """Return a fresh snapshot of the ceremony."""
    return Ceremony(box.place, client.opening(), box.trust)


def draft_order(box: Box, ceremony: Ceremony) -> bytes:
    """Return the next order for this station's key, after checking it as every agent will (S9.1, S9.3).

    Raises:
        RuleBroken: ``order.…``; ``order.early`` while no checkpoint after the deadline is witnessed;
            ``log.not_continued``.
    """
    closed = ceremony.closed
    previous = ceremony.orders[-1] if ceremony.orders else None
    document = make_order(
        closed,
        ceremony.bids,
        checkpoint=ceremony.checkpoint,
        station_pk=box.key.public.raw,
        created=ceremony.time,
        omitted=ceremony.omitted,
        previous=previous,
    )
    order = parse_order(document)
    check_order(order, closed)
    if previous is not None:
        check_successor(previous, order)
    newest = read_history(box.trust, order.checkpoint.encode(), ceremony.continued)[-1]
    if newest.base + newest.checkpoint.size <= closed.n or newest.witnessed.low_ms < closed.close:
        raise RuleBroken("order.early", "SB1 S9.1", close=closed.close)
    if ceremony.policy.sha256 != closed.policy_sha256:
        raise RuleBroken("order.policy", "SB1 S9.1", detail="the platform shows another policy than was closed under")
    return document


def open_releases(box: Box, ceremony: Ceremony, releases: Iterable[LoggedRelease]) -> list[OpenedRelease]:
    """Open the releases that count, if the order is for this station.

    Raises:
        RuleBroken: ``station.other_key``: the newest order is for another station.
    """
    order = ceremony.order
    if order.station_pk != box.key.public.raw:
        raise RuleBroken("station.other_key", "SB1 S16", order_sha256=order.sha256)
    return [
        open_release(box.key, order, ceremony.envelopes, release)
        for _signed, release in used_releases(ceremony, releases)
    ]


def part_names(ceremony: Ceremony) -> list[str]:
    """Return the SHA-256 of every part of every ordered bid."""
    found = {part.sha256 for envelope in ceremony.envelopes.values() if envelope for part in envelope.parts}
    return sorted(found)


def fetch_parts(box: Box, ceremony: Ceremony, client: Client) -> frozenset[str]:
    """Fetch the parts that are not here yet and return the names of all that are."""
    names = part_names(ceremony)
    here = box.stored(names)
    missing = [name for name in names if name not in here]
    return here | {name for name in missing if box.store(name, partial(client.part, name))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """State of the collection: good shares by bid, gaps, and whether they were reported."""

    good: dict[str, int]
    gaps: tuple[str, ...]
    released: tuple[int, ...]
    reported: bool


def collect(box: Box, client: Client) -> Collected:
    """Fetch releases and parts, check every share, and report gaps as soon as that is allowed (S9.7)."""
    ceremony, releases = fetch(box, client), client.releases()
    opened = open_releases(box, ceremony, releases)
    stored = fetch_parts(box, ceremony, client)
    gaps = missing_bids(ceremony, opened, stored)
    reported = ceremony.step("gaps") is not None
    if may_report_gaps(ceremony.windows(len(opened)), ceremony.time):
        client.post_gaps(gaps)
        reported = True
    return Collected(
        good={bid: sum(bid in release.shares for release in opened) for bid in ceremony.order.bid_ids},
        gaps=tuple(gaps),
        released=tuple(release.custodian for release in opened),
        reported=reported,
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Evaluated:
    """The combine pass over all bids. No ``repr`` (P10)."""

    ceremony: Ceremony
    releases: Sequence[OpenedRelease]
    bids: Sequence[Combined]

    def items(self) -> list[dict[str, object]]:
        """Return the items of ``opening.combined``, in the order of the order."""
        return [combined.verdict.as_json(combined.source.bid) for combined in self.bids]


def evaluate(box: Box, client: Client) -> Evaluated:
    """Combine the shares of every bid (S9.8); nothing is decrypted.

    Raises:
        RuleBroken: ``station.not_closed``: releases are still open.
    """
    ceremony, releases = fetch(box, client), client.releases()
    if ceremony.step("release_closed") is None:
        raise RuleBroken("station.not_closed", "SB1 S9.8")
    opened = open_releases(box, ceremony, releases)
    # Parts re-supplied until release.closed count; what came later the platform does not hand out.
    stored = fetch_parts(box, ceremony, client)
    first = min((release.n for release in releases), default=None)
    inputs = bid_inputs(ceremony, opened, client.factors(), stored=stored, first_release_n=first)
    bids = [combine_bid(source, ceremony.policy) for source in inputs]
    return Evaluated(ceremony=ceremony, releases=opened, bids=bids)


def combine(box: Box, client: Client) -> Evaluated:
    """Run the combine pass and report it; the same again changes nothing."""
    evaluated = evaluate(box, client)
    if may_combine(evaluated.ceremony.windows(len(evaluated.releases))):
        client.post_combined(evaluated.items())
    return evaluated


def open_all(box: Box, evaluated: Evaluated, report: Callable[[Opened], None]) -> list[Opened]:
    """Open every bid whose verdict is OK so far, two at a time, and report each in the order of the order (S9.9).

    Raises:
        RuleBroken: ``station.not_combined``: ``opening.combined`` is not logged; nothing may be decrypted before it.
        IntegrityFailure: The logged result of the combine pass is not this station's.
    """
    require_combined(evaluated)
    policy, folder = evaluated.ceremony.policy, box.folder
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        opened = []
        for result in pool.map(lambda combined: open_bid(combined, policy, folder), evaluated.bids):
            report(result)
            opened.append(result)
    return opened


def require_combined(evaluated: Evaluated) -> None:
    """Refuse to decrypt anything before the combine pass is logged, exactly as this station found it."""
    logged = evaluated.ceremony.step("combined")
    if logged is None:
        raise RuleBroken("station.not_combined", "SB1 S9.8")
    # An adjudication since then changes nothing here: the combination is of release.closed.
    for told, found in zip(logged["items"], evaluated.items(), strict=True):
        if (told["bid"], told["verdict"]) != (found["bid"], found["verdict"]):
            raise IntegrityFailure(f"opening.combined says {told['verdict']} of {told['bid']}, this station otherwise")


def transcripts(evaluated: Evaluated, opened: Sequence[Opened], *, created: int) -> list[bytes]:
    """Return the transcript of each tier: ``bidders``, then ``audit`` (S9.9)."""
    items = [_transcript_item(result) for result in opened]
    releases = [release.sha256 for release in evaluated.releases]
    order = evaluated.ceremony.order
    return [
        make_transcript(order, items, tier=tier, release_sha256s=releases, created=created)
        for tier in ("bidders", "audit")
    ]


def transcript_documents(evaluated: Evaluated, opened: Sequence[Opened], client: Client) -> list[SignedDocument]:
    """Return the transcripts to sign: those already handed in for this order if they say the same, else new ones.

    Raises:
        IntegrityFailure: A transcript that was handed in says something else than this station found.
    """
    order = evaluated.ceremony.order
    waiting = [
        SignedDocument.from_wire({"doc": item["doc"], "sigs": item["sigs"]})
        for item in client.documents("sb1.transcript")
    ]
    handed_in = [signed for signed in waiting if parse_transcript(signed.doc).order_sha256 == order.sha256]
    if not handed_in:
        made = transcripts(evaluated, opened, created=evaluated.ceremony.time)
        return [SignedDocument(raw) for raw in made]
    for signed in handed_in:
        if signed.doc not in transcripts(evaluated, opened, created=parse_transcript(signed.doc).created):
            raise IntegrityFailure(f"the transcript {signed.sha256} is not what this station found")
    return handed_in


def _transcript_item(result: Opened) -> TranscriptItem:
    """Identities and content stand only for a bid that opened; secrets whenever they became known (S9.9)."""
    source, secrets = result.combined.source, result.combined.secrets
    item = TranscriptItem(
        bid=source.bid,
        envelope_sha256=source.envelope_sha256,
        faults=result.verdict.faults,
        identity_price=None,
        verdict=result.verdict.code,
        s_b=source.s_b if result.combined.facts.factor_revealed else None,
        s_c=None if secrets is None else secrets.s_c,
        shares=tuple(source.good_shares[index] for index in sorted(source.good_shares)),
    )
    if result.verdict.code is not Code.OK:
        return item
    return replace(
        item,
        identity_price=result.identity_price,
        identity_main=result.identity_main,
        manifest_sha256=None if result.manifest is None else result.manifest.sha256,
        price_sha256=None if result.price is None else result.price.sha256,
    )


def post_transcripts(client: Client, documents: Iterable[SignedDocument]) -> list[tuple[str, list[str]]]:
    """Hand in the transcripts and return the name of each with the roles whose signatures are missing."""
    answers = [client.post_document(signed) for signed in documents]
    return [(str(answer["sha256"]), list(answer["needs"])) for answer in answers]
