"""Envelopes that are not their sender's own work: copied, replayed or mauled, none becomes a bid (F36, SB1 S7.2, S7.3).

A thief has everything that the platform stores of another's bid, a registered key and a bid id of its own; the bidder
itself sends old versions, or the bid of one tender to another. A normal run sends 80 envelopes,
``MINGBIAO_CAMPAIGN=long`` 1,000. The choices follow from seeds that a failure prints.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from agents.sealing import SealedBid
from tests.build.dummy_envelopes import MemoryStore
from tests.build.market import DemoTime, Market, OpenLot, Party, open_market, runtime_of
from tests.campaigns.test_tamper import Dice, flip
from tests.support.databases import Database
from tests.support.logs import LogWorld
from trading.bids import checks
from trading.bids import service as bids
from trading.bids.tables import bid_version
from trading.crypto.signatures import SignedDocument, sign_document
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import NotFound

#: Order of the group of P-256: with s, n - s is another signature of the same document.
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SCALAR: Final = 32


@dataclass(kw_only=True)
class Place:
    """Two tenders; the victim has two versions in the first, and both it and the thief have a bid id in each."""

    market: Market
    lots: list[OpenLot]
    old: SealedBid
    standing: SealedBid
    ids: dict[tuple[str, str], str]

    @property
    def victim(self) -> Party:
        return self.market.bidders[0]

    @property
    def thief(self) -> Party:
        return self.market.bidders[1]

    def bid(self, who: Party, lot: OpenLot) -> str:
        return self.ids[who.code, lot.tender]

    def send(self, sent: Sent) -> str:
        """Send an envelope and return what came of it: ``repeated``, ``accepted``, or the code of the refusal."""
        ledger, objects = self.market.ledger, self.market.runtime.objects
        for data in sent.parts.values():
            bids.store_part(ledger, objects, sent.who.actor, sent.bid, BytesIO(data), sha256_hex(data))
        arrival = bids.Arrival(bid=sent.bid, signed=sent.signed, last_byte=time.monotonic())
        try:
            accepted = bids.submit(ledger, objects, sent.who.actor, arrival)
        except bids.Refused as refused:
            return refused.reason.code
        except NotFound:
            return "not found"
        return "repeated" if accepted.repeated else "accepted"

    def versions(self) -> int:
        with self.market.ledger.upkeep() as conn:
            return conn.execute(select(func.count()).select_from(bid_version)).scalar_one()


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Who sends what under which bid id, and the parts stored under that id before."""

    who: Party
    bid: str
    signed: SignedDocument
    parts: Mapping[str, bytes]


def copied(place: Place, dice: Dice) -> Sent:
    """The victim's envelope as it is, by the thief, under either bid id."""
    sealed = dice.of([place.old, place.standing])
    owner = dice.of([place.thief, place.victim])
    parts = sealed.parts if owner is place.thief else {}
    return Sent(who=place.thief, bid=place.bid(owner, place.lots[0]), signed=sealed.envelope, parts=parts)


def adopted(place: Place, dice: Dice) -> Sent:
    """The victim's envelope under the thief's name, key and bid id; some of what is unique in it is made anew."""
    sealed, lot = dice.of([place.old, place.standing]), place.lots[0]
    body = loads_object(sealed.envelope.doc)
    body |= {
        "bid": place.bid(place.thief, lot),
        "bidder": place.thief.code,
        "bidder_kid": place.thief.signer.kid,
        "seq": 1,
        "supersedes": None,
    }
    kept = dice.below(2 + len(body["shares"]))  # this one stays; without any it would be a bid of the thief's own
    fresh = [number for number in range(2 + len(body["shares"])) if number != kept and dice.below(2)]
    for number in fresh:
        _renew(body, number)
    return Sent(
        who=place.thief, bid=body["bid"], signed=sign_document(dumps(body), place.thief.signer), parts=sealed.parts
    )


def _renew(body: dict[str, Any], number: int) -> None:
    if number < 2:
        body[("seed_commit", "factor_commit")[number]] = secrets.token_hex(32)
        return
    share = body["shares"][number - 2]
    share["ct"] = b64u(secrets.token_bytes(len(b64u_decode(share["ct"]))))


def replayed(place: Place, dice: Dice) -> Sent:
    """The victim's own envelope again: in its place, which is the same answer once more, or in another tender."""
    sealed, lot = dice.of([place.old, place.standing]), dice.of(place.lots)
    return Sent(who=place.victim, bid=place.bid(place.victim, lot), signed=sealed.envelope, parts=sealed.parts)


def renumbered(place: Place, dice: Dice) -> Sent:
    """Secrets and parts of an older version as the next one, signed by the victim's own key (S7.5 forbids it)."""
    sealed, standing = dice.of([place.old, place.standing]), place.standing
    body = loads_object(sealed.envelope.doc) | {"seq": standing.context.seq + 1, "supersedes": standing.envelope.sha256}
    signed = sign_document(dumps(body), place.victim.signer)
    return Sent(who=place.victim, bid=place.bid(place.victim, place.lots[0]), signed=signed, parts=sealed.parts)


def moved(place: Place, dice: Dice) -> Sent:
    """The victim's bid for one tender, said to be for the other one, by the victim's own key."""
    there = place.lots[1]
    body = loads_object(dice.of([place.old, place.standing]).envelope.doc)
    body |= {"bid": place.bid(place.victim, there), "seq": 1, "supersedes": None, "tender": there.tender}
    signed = sign_document(dumps(body), place.victim.signer)
    return Sent(who=place.victim, bid=body["bid"], signed=signed, parts=place.standing.parts)


def mauled(place: Place, dice: Dice) -> Sent:
    """A bit of the document changed under the signature that it had."""
    signed = dice.of([place.old, place.standing]).envelope
    changed = SignedDocument(flip(signed.doc, dice), signed.sigs)
    return Sent(who=place.victim, bid=place.bid(place.victim, place.lots[0]), signed=changed, parts={})


def forged(place: Place, dice: Dice) -> Sent:
    """The next version that the victim never made, under a signature that was changed, twisted or taken elsewhere."""
    standing = place.standing
    context = place.market.context(
        place.lots[0], place.victim, place.bid(place.victim, place.lots[0]), seq=standing.context.seq + 1
    )
    sealed = place.market.seal(place.lots[0], context, total=1, supersedes=standing.envelope.sha256)
    (own,), (old,) = sealed.envelope.sigs, standing.envelope.sigs
    raw = b64u_decode(own["sig"])
    twisted = raw[:SCALAR] + (ORDER - int.from_bytes(b64u_decode(old["sig"])[SCALAR:])).to_bytes(SCALAR)
    thief = sign_document(sealed.envelope.doc, place.thief.signer).sigs[0]
    sig = dice.of([{**own, "sig": b64u(flip(raw, dice))}, {**own, "sig": b64u(twisted)}, old, thief])
    signed = SignedDocument(sealed.envelope.doc, (sig,))
    return Sent(who=place.victim, bid=context.bid, signed=signed, parts=sealed.parts)


WAYS: Final = (copied, adopted, replayed, renumbered, moved, mauled, forged)


@pytest.fixture
def place(demo_database: Database, tmp_path: Path) -> Iterator[Place]:
    demo_time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    world = LogWorld(demo_database, tmp_path, clock=demo_time.clock)
    try:
        market = open_market(runtime_of(demo_database, world, MemoryStore()), bidders=2)
        lots = [*market.publish(), *market.publish()]
        ids = {(who.code, lot.tender): market.start_bid(lot, who) for who in market.bidders for lot in lots}
        victim, lot = market.bidders[0], lots[0]
        made: list[SealedBid] = []
        for seq in (1, 2):
            context = market.context(lot, victim, ids[victim.code, lot.tender], seq=seq)
            before = made[-1].envelope.sha256 if made else None
            made.append(market.seal(lot, context, total=seq * 100_00, supersedes=before))
            market.submit(victim, made[-1])
        yield Place(market=market, lots=lots, old=made[0], standing=made[1], ids=ids)
    finally:
        world.close()


def rounds(place: Place, count: int) -> Counter[tuple[str, str]]:
    """Send so many envelopes, each way in turn; count what came of them."""
    found: Counter[tuple[str, str]] = Counter()
    for seed in range(count):
        way = WAYS[seed % len(WAYS)]
        found[way.__name__, place.send(way(place, Dice(seed)))] += 1
    return found


def test_nothing_copied_replayed_or_mauled_becomes_a_bid(place: Place, amount: Callable[[int, int], int]) -> None:
    count, before = amount(80, 1_000), place.versions()
    found = rounds(place, count)
    assert sum(found.values()) == count
    assert {each for each in found if each[1] == "accepted"} == set()
    assert place.versions() == before
    # The same bytes in their own place are no new version, but the first answer again.
    assert {way for way, came in found if came == "repeated"} == {"replayed"}
    assert found["adopted", "bid.copied"] == found.total() // len(WAYS) + (count % len(WAYS) > 1)


def test_control_without_fingerprints_an_adopted_bid_counts(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "fingerprints", lambda _envelope: ())
    assert place.send(adopted(place, Dice(1))) == "accepted"


def test_control_without_the_signature_a_forged_bid_counts(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "verify_es256", lambda *_arguments: None)
    assert "accepted" in {place.send(forged(place, Dice(seed))) for seed in range(4)}
