"""Whole tenders in which somebody misbehaves or something is lost; every one of them ends before the offline verifier.

All run on one platform with five custodian agents, whose time only moves on: the first fixture takes the bids of all.
Custodians have the indices of the policy: 1 agency, 2 centre, 3 supervisor, 4 notary, 5 association.
"""

from __future__ import annotations

import secrets
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]
import pytest

from agents.custodian import disclosing
from agents.custodian.shares import open_share
from agents.sealing import SealedBid
from tests.support.ceremony import Institutions
from tests.support.databases import Server, clone
from tests.support.journey import MARGIN, Exchange, Tender, open_exchange, verified
from tests.support.market import CLOSE
from trading.bids import closing
from trading.bids.rules.envelope import parse_envelope
from trading.crypto.keys import XWingPrivateKey, hpke_seal, release_info
from trading.crypto.signatures import sign_document
from trading.custody.rules.jobs import read_job
from trading.disclosure.rules.tiers import Tier
from trading.disclosure.service import export_procedure
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.answers import parse_disclosure
from trading.openings.rules.verdicts import Check, Finding
from trading.procedures import queries as procedures
from verifier.proofs import parse_proof

DAY = 86_400_000
MINUTE = 60_000
ALL = ("qinghe", "bolin", "yunfan", "songtao", "mingde")
PRICES = {"qinghe": 98_000_00, "bolin": 99_000_00, "yunfan": 97_000_00, "songtao": 96_000_00, "mingde": 95_000_00}
TIED = {"qinghe": 95_000_00, "bolin": 95_000_00, "yunfan": 90_000_00, "songtao": 152_000_00, "mingde": 97_000_00}
ABSENT, WITHHELD = "CUSTODIAN_ABSENT", "CUSTODIAN_NO_RELEASE"
BAD_SHARE, FALSE_BAD = "CUSTODIAN_BAD_SHARE", "CUSTODIAN_FALSE_BAD"


@dataclass
class Season:
    """The tenders of one platform, named by what will happen to them."""

    exchange: Exchange
    tied: Tender
    lied_to: Tender
    pending: Tender
    abandoned: Tender
    small: Tender
    extended: Tender
    cancelled: Tender

    @property
    def tenders(self) -> tuple[Tender, ...]:
        early = (self.tied, self.lied_to, self.pending, self.abandoned, self.small)
        return (*early, self.extended, self.cancelled)

    @property
    def institutions(self) -> Institutions:
        return self.exchange.institutions


@pytest.fixture(scope="module")
def season(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Season]:
    directory = tmp_path_factory.mktemp("season")
    with clone(server, demo=True) as database, open_exchange(database, directory) as exchange:
        season = Season(
            exchange=exchange,
            tied=exchange.tender(),
            lied_to=exchange.tender(),
            pending=exchange.tender(),
            abandoned=exchange.tender(),
            small=exchange.tender(),
            extended=exchange.tender(CLOSE + 5 * DAY),
            cancelled=exchange.tender(CLOSE + 9 * DAY),
        )
        exchange.institutions.round()  # keys and proofs of possession
        for tender in season.tenders:
            tender.publish()
        exchange.institutions.round()  # admission
        take_bids(season)
        exchange.market.advance_to(CLOSE + 2 * MARGIN)
        yield season


def take_bids(season: Season) -> None:
    for tender in (season.lied_to, season.abandoned):
        for key, price in PRICES.items():
            tender.submit(key, price)
    for key, price in TIED.items():
        season.tied.submit(key, price)
    for key in ALL:
        bidder = season.pending.start(key)
        sealed = bidder.seal(PRICES[key])
        season.pending.send(key, badly_dealt(season.pending, key, sealed) if key == "bolin" else sealed)
    for key in ("qinghe", "bolin"):
        season.small.submit(key, PRICES[key])
    for tender in (season.extended, season.cancelled):
        for key in ALL[:3]:
            tender.submit(key, PRICES[key])


def badly_dealt(tender: Tender, key: str, sealed: SealedBid) -> SealedBid:
    """Return the bid with a share for the notary that does not open, hashed and signed anew by its bidder."""
    body = loads_object(sealed.envelope.doc)
    ct = b64u_decode(body["shares"][3]["ct"])
    body["shares"][3]["ct"] = b64u(ct[:-1] + bytes([ct[-1] ^ 1]))
    envelope = sign_document(dumps(body), tender.bidders[key].signer)
    return SealedBid(context=sealed.context, envelope=envelope, parts=sealed.parts, s_c=sealed.s_c, s_b=sealed.s_b)


def require_proved(tender: Tender, *, sb19: str = "not in this tier") -> None:
    """The auditor's bundle verifies with trust, and the stored state is the fold of its history."""
    report = tender.verify()
    assert (report["found"], report["code"]) == ([], 0)
    assert report["states"]["SB-19"] == sb19
    assert tender.exchange.audit() == []


def require_evidence(tender: Tender, key: str) -> None:
    """What the platform gives one bidder proves the result of its bid, and tells no secret of another."""
    bid, target = tender.bidders[key].bid, tender.market.directory / f"{tender.market.tender}-{key}.zip"
    tender.exchange.settle()
    extras = tender.exchange.extras()
    export_procedure(tender.market.runtime, tender.market.tender, Tier.PUBLIC, target, extras, bid=bid)
    report = verified(target, tender.exchange.trust_file)
    assert (report["found"], report["code"]) == ([], 0)
    assert {report["states"][check] for check in ("SB-14", "SB-17")} == {"ok"}
    content = everything_in(target)
    secrets_of = {other: sealed.s_c.hex().encode() for other, sealed in tender.sealed.items() if other != key}
    assert [other for other, secret in secrets_of.items() if secret in content] == []


# A bidder that keeps its factor; a tie; a price above the ceiling.


def test_no_factor_a_tie_and_a_price_above_the_ceiling(season: Season) -> None:
    tender = season.tied
    tender.order_opening()
    season.institutions.round()
    tender.reveal("qinghe", "bolin", "songtao", "mingde")
    season.institutions.round()
    assert tender.end_release() == []
    tender.open()
    expected: dict[str, tuple[str, list[Any]]] = {key: ("OK", []) for key in ALL}
    assert tender.verdicts() == {**expected, "yunfan": ("BIDDER_NO_FACTOR", [])}
    by_bid = {bidder.bid: key for key, bidder in tender.bidders.items()}
    ranking = tender.rank()
    items = {by_bid[item.bid]: (item.rank, item.reason) for item in ranking.items}
    assert items["songtao"] == (None, "above_ceiling")
    assert items["mingde"] == (3, None)
    assert ranking.tie is not None
    assert {by_bid[bid] for bid in ranking.tie.bids} == {"qinghe", "bolin"}
    assert {items["qinghe"][0], items["bolin"][0]} == {1, 2}
    award = tender.bodies("award.determined")[0]
    assert items[by_bid[award["bid"]]][0] == 1
    require_proved(tender)
    assert tender.verify(Tier.BIDDERS)["code"] == 0


# Custodians that lie.


def test_a_lying_custodian_stops_nothing_and_is_named(season: Season) -> None:
    tender, victim = season.lied_to, "bolin"
    tender.order_opening()
    season.institutions.round("agency", "centre", "supervisor", "association")
    job, honest = tender.honest("notary", "check")
    tender.lie("notary", job, changed_item(honest, tender.bidders[victim].bid, code="commit_mismatch"))
    with pytest.raises(RuleBroken, match=r"disclose\.nothing_bad"):  # its agent knows of no bad share to prove
        disclose(tender, "notary")
    tender.adjudicate(4, {victim: Finding.CUSTODIAN_FAULT})
    tender.reveal(*ALL)
    season.institutions.round("agency", "centre", "supervisor")
    job, honest = tender.honest("notary", "release")
    tender.lie("notary", job, changed_item(honest, tender.bidders[victim].bid, ct=None))
    job, honest = tender.honest("association", "release")
    tender.lie("association", job, changed_item(honest, tender.bidders[victim].bid, ct=another_share(tender, victim)))
    assert tender.end_release() == []
    tender.open()
    expected: dict[str, tuple[str, list[Any]]] = {key: ("OK", []) for key in ALL}
    assert tender.verdicts() == {**expected, victim: ("OK", [(FALSE_BAD, 4), (BAD_SHARE, 5)])}
    assert tender.rank().failure is None
    require_proved(tender)
    assert tender.verify(Tier.BIDDERS)["code"] == 0


def changed_item(honest: SignedDocument, bid: str, **values: object) -> bytes:
    body = loads_object(honest.doc)
    next(item for item in body["items"] if item["bid"] == bid).update(values)
    return dumps(body)


def another_share(tender: Tender, key: str) -> str:
    """Return a value that is not the custodian's share, properly sealed to the station."""
    order, envelope = tender.order, tender.sealed[key].envelope
    info = release_info(5, bytes.fromhex(order.sha256), bytes.fromhex(envelope.sha256))
    return b64u(hpke_seal(order.station_pk, info, secrets.token_bytes(32) + b"\x05"))


def disclose(tender: Tender, key: str) -> bytes:
    """Let a custodian disclose its share key to the supervisor, as the platform asked; return the seed."""
    agent, auditor = tender.exchange.institutions.agent(key), pyrage.x25519.Identity.generate()
    (job,) = tender.jobs(key, "disclose")
    fetched = read_job(tender.exchange.institutions.servers[key]._fetch(job.id))
    told = disclosing.disclose(agent, fetched, str(auditor.to_public()), lambda _words: None)
    tender.post(key, job, {"auditor": told.auditor, "disclosure_sha256": told.disclosure_sha256})
    opened = SignedDocument.from_wire(pyrage.decrypt(told.sealed, [auditor]))
    assert opened.sha256 == tender.bodies("custodian.key_disclosed")[-1]["disclosure_sha256"]
    return parse_disclosure(opened.doc).seed


def finding(tender: Tender, key: str, seed: bytes, *, index: int) -> Finding:
    """Open the disputed share as the auditor does (S9.4)."""
    envelope = parse_envelope(tender.sealed[key].envelope.doc)
    opened = open_share(XWingPrivateKey.from_seed(seed), envelope.shares[index - 1], envelope.context)
    return Finding.CUSTODIAN_FAULT if opened.code is Check.OK else Finding.DEALT_BAD


# Bids that wait for an adjudication.


def test_pending_bids_are_decided_by_an_adjudication_after_the_opening(season: Season) -> None:
    tender, present = season.pending, ("agency", "supervisor")
    dealt, denied = "bolin", "yunfan"
    tender.order_opening()
    season.institutions.round(*present)
    job, honest = tender.honest("notary", "check")  # calls the bad share BAD by itself, and lies about a good one
    tender.lie("notary", job, changed_item(honest, tender.bidders[denied].bid, code="bad_length"))
    tender.reveal(*ALL)
    season.institutions.round(*present)
    job, honest = tender.honest("notary", "release")
    tender.lie("notary", job, changed_item(honest, tender.bidders[denied].bid, ct=None))
    assert tender.end_release(custodians=3) == [dealt, denied]
    tender.open()
    absent = [(ABSENT, 2), (ABSENT, 5)]
    expected: dict[str, tuple[str, list[Any]]] = dict.fromkeys(ALL, ("OK", absent))
    waiting = {dealt: ("PENDING", absent), denied: ("PENDING", absent)}
    assert tender.verdicts() == {**expected, **waiting}
    report = tender.verify()
    assert (report["code"], report["states"]["SB-17"]) == (2, "not checked")  # nothing is wrong, two bids are open
    verdict = {"bid": tender.bidders[dealt].bid, "faults": tender.bodies("bid.verdict")[0]["faults"]}
    early = tender.station.post("/results", {"verdict": {**verdict, "verdict": "BIDDER_MALFORMED_SEALING"}})
    assert (early.status_code, early.get_json()["code"]) == (409, "not_yet")
    seed = disclose(tender, "notary")
    found = {key: finding(tender, key, seed, index=4) for key in (dealt, denied)}
    assert found == {dealt: Finding.DEALT_BAD, denied: Finding.CUSTODIAN_FAULT}
    tender.adjudicate(4, found)
    wrong = tender.station.post("/results", {"verdict": {**verdict, "verdict": "BIDDER_NO_FACTOR"}})
    assert wrong.status_code == 409
    tender.open_all()
    blamed = [(ABSENT, 2), (FALSE_BAD, 4), (ABSENT, 5)]
    final = {dealt: ("BIDDER_MALFORMED_SEALING", absent), denied: ("TOO_FEW_SHARES", blamed)}
    assert tender.verdicts() == {**expected, **final}
    require_evidence(tender, dealt)
    tender.open_all()  # reporting again changes nothing
    assert len(tender.bodies("bid.verdict")) == 4
    assert tender.rank().failure is None
    require_proved(tender)
    assert tender.verify(Tier.BIDDERS)["code"] == 0


# Lost custodians.


def test_three_lost_custodians_leave_only_a_rescued_bid(season: Season) -> None:
    tender, present = season.abandoned, ("agency", "supervisor")
    tender.order_opening()
    season.institutions.round(*present)
    tender.reveal(*ALL)
    season.institutions.round(*present)
    assert tender.end_release(custodians=2, rescued=("mingde",)) == sorted(ALL)
    tender.open()
    absent = [(ABSENT, 2), (ABSENT, 4), (ABSENT, 5)]
    lost: dict[str, tuple[str, list[Any]]] = dict.fromkeys(ALL, ("TOO_FEW_SHARES", absent))
    assert tender.verdicts() == {**lost, "mingde": ("OK", absent)}
    failure = tender.rank().failure
    assert failure is not None
    assert tender.bodies("lot.failed")[0]["reason"] == "fewer_than_three_after_opening"
    require_proved(tender)
    require_evidence(tender, "mingde")  # with its rescue


# Fewer than three bids.


def test_fewer_than_three_bids_stay_sealed(season: Season) -> None:
    tender = season.small
    eventually_closed(tender)
    assert tender.bodies("opening.refused")[0]["reason"] == "fewer_than_three"
    assert tender.bodies("lot.failed")[0]["reason"] == "fewer_than_three"
    refused = tender.station.sign(tender.station.draft_order(), "agency", "supervisor")
    assert (refused.status_code, tender.bodies("open.ordered")) == (422, [])
    assert_nothing_of_a_bid(tender)
    require_statements(tender)
    assert_nothing_of_a_bid(tender)


def eventually_closed(tender: Tender) -> None:
    tender.exchange.settle()
    assert tender.station.get().status_code == 200


def assert_nothing_of_a_bid(tender: Tender) -> None:
    """No public bundle contains an id, a name, an envelope or a ciphertext of any bid; the auditor's has them all."""
    wanted = {text for key in tender.sealed for text in marks_of(tender, key)}
    for tier, expected in ((Tier.PUBLIC, set()), (Tier.BIDDERS, set()), (Tier.AUDIT, wanted)):
        report = tender.verify(tier)
        assert (report["found"], report["code"]) == ([], 0)
        content = everything_in(tender.market.directory / f"{tender.market.tender}-{tier.value}.zip")
        assert {text for text in wanted if text.encode() in content} == expected
        assert (b"bid.received" in content) == (tier is Tier.AUDIT)


def marks_of(tender: Tender, key: str) -> tuple[str, ...]:
    bidder, envelope = tender.bidders[key], tender.sealed[key].envelope
    parts = [part["sha256"] for part in loads_object(envelope.doc)["parts"]]
    return bidder.bid, bidder.organisation.code, envelope.sha256, *parts


def everything_in(path: Path) -> bytes:
    """Return all names and contents of a bundle but the verifier's, also the records inside receipts."""
    with zipfile.ZipFile(path) as bundle:
        files = {name: bundle.read(name) for name in bundle.namelist() if name != "verify.py"}
    records = [dumps(parse_proof(data).record) for name, data in files.items() if name.startswith("log/")]
    return b"\n".join([*(name.encode() + data for name, data in files.items()), *records])


def require_statements(tender: Tender) -> None:
    """Three of five statements of non-release prove that nobody can have opened anything (S12)."""
    for count, key in enumerate(("agency", "notary", "association"), start=1):
        tender.answer_as_person(key, "non-release")
        report = tender.verify()
        assert report["code"] == (0 if count >= 3 else 2)
        assert any(f"{count} of 3 statements" in text for text in report["found"]) == (count < 3)
    require_proved(tender, sb19="ok")


# An extension while bids stand; two lost custodians.


def test_an_extension_keeps_the_bids_and_moves_the_close(season: Season) -> None:
    tender, old, new = season.extended, CLOSE + 5 * DAY, CLOSE + 7 * DAY
    with pytest.raises(RuleBroken, match=r"extension\.not_later"):
        tender.extend(*tender.draft_extension(old))
    tender.extend(*tender.draft_extension(new))
    tender.close(old)
    assert (tender.bodies("deadline.reached"), tender.bodies("tender.closed")) == ([], [])
    where = dict(zip(("tender", "lot", "stage"), tender.market.place, strict=True))
    assert closing.run(tender.market.runtime, where) is None
    assert tender.bodies("tender.closed") == []
    tender.submit("songtao", PRICES["songtao"])  # after the old deadline
    tender.market.advance_to(new - 20 * MINUTE)
    with pytest.raises(RuleBroken, match=r"extension\.too_soon"):
        tender.extend(*tender.draft_extension(new + 5 * MINUTE))
    lawful_so_far = tender.draft_extension(new + DAY)
    tender.close(new)
    assert [body["close"] for body in tender.bodies("tender.closed")] == [new]
    with pytest.raises(RuleBroken, match=r"act\.wrong_phase"):
        tender.extend(*lawful_so_far)
    with tender.market.runtime.ledger.read() as conn:
        assert procedures.find_lot(conn, tender.market.procedure_id, "1", "all").close_at == new
    open_with_two_lost(season, tender)


def open_with_two_lost(season: Season, tender: Tender) -> None:
    """One custodian is silent from the beginning, another after its share check: all the same, everything opens."""
    keys = tuple(tender.sealed)
    tender.order_opening()
    season.institutions.round("agency", "centre", "supervisor", "association")
    tender.reveal(*keys)
    season.institutions.round("agency", "centre", "supervisor")
    assert tender.end_release(custodians=3) == []
    tender.open()
    faults = [(ABSENT, 4), (WITHHELD, 5)]
    assert tender.verdicts() == dict.fromkeys(keys, ("OK", faults))
    assert tender.rank().failure is None
    require_proved(tender)


# A cancellation.


def test_a_cancellation_after_bids_leaves_them_sealed(season: Season) -> None:
    tender = season.cancelled
    tender.cancel()
    late = tender.bidders["qinghe"].seal(1, seq=2, supersedes=tender.sealed["qinghe"].envelope.sha256)
    refused = tender.bidders["qinghe"].submit(late)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "bid.closed")
    tender.close(CLOSE + 9 * DAY)
    assert (tender.bodies("tender.closed"), tender.bodies("open.ordered")) == ([], [])
    assert_nothing_of_a_bid(tender)
    require_proved(tender)
