"""Openings that do not go by the book: factor off, silent custodians, gaps, a rescue, a lost part (SB1 S9.6, S9.7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.ceremony import Station
from tests.support.databases import Server, clone
from tests.support.market import CLOSE, SYSTEM, WINDOWS, Bidder, Market, open_market
from tests.support.polling import eventually
from trading.bids.rules.envelope import Envelope, parse_envelope
from trading.crypto.signatures import SignedDocument, sign_document
from trading.custody import queries as custody_queries
from trading.demo import cast
from trading.demo.cast import BIDDERS
from trading.demo.stage import trust_document
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import Conflict, InvalidInput, NotFound, RuleBroken
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.openings.model import NotYet
from trading.openings.rules.answers import make_release
from trading.openings.rules.factors import make_factor, make_rescue
from trading.openings.rules.orders import OpenOrder, parse_order
from trading.openings.service import answers, factors, results
from trading.parties.queries import keys_by_kid


@pytest.fixture
def play(server: Server, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """A closed lot of three bids without factors, its order recorded."""
    specification = cast.specification

    def without_factor(*, close: int, windows: dict[str, int]) -> dict[str, Any]:
        made = specification(close=close, windows=windows)
        return {**made, "sealing": {**made["sealing"], "bidder_factor": False}}

    monkeypatch.setattr(cast, "specification", without_factor)
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("rescue"), BIDDERS[:3]) as market,
        market.serving() as base,
    ):
        market.draft()
        market.prove_local_keys()
        market.publish()
        yield Play(market, base)


class Play:
    """The market with its bids and custodians; ``index`` is a custodian's place in the policy."""

    def __init__(self, market: Market, base: str) -> None:
        self.market = market
        self.bidders = [Bidder(market, each) for each in BIDDERS[:3]]
        self.sealed = {}
        for number, bidder in enumerate(self.bidders):
            bidder.start()
            self.sealed[bidder.bid] = bidder.seal(100_00 + number)
            assert bidder.submit(self.sealed[bidder.bid]).status_code == 201
        market.advance_to(CLOSE + 10_000)
        trust = trust_document(market.stage, "0" * 64)
        self.station = Station.at(market, base, trust, market.directory / "station")
        eventually(lambda: self.station.get().status_code == 200)
        document = self.station.draft_order()
        assert self.station.sign(document, "agency", "supervisor").get_json()["h"]
        self.order: OpenOrder = parse_order(document)
        self.agency: Actor = market.stage.actors["drafter"]

    @property
    def envelopes(self) -> dict[str, Envelope]:
        return {bid: parse_envelope(sealed.envelope.doc) for bid, sealed in self.sealed.items()}

    def index(self, number: int) -> int:
        kid = self.market.custodians[number].signer.kid
        return next(row.i for row in self.market.current_policy.custodians if row.kid == kid)

    def answer(self, number: int, kind: str, signed: SignedDocument) -> None:
        """Hand in a custodian's answer to its waiting job of a kind."""
        kid = self.market.custodians[number].signer.kid
        with self.market.runtime.ledger.read() as conn:
            waiting = custody_queries.waiting(conn, kid, 0)
            institution = keys_by_kid(conn, [kid])[kid]
        job = next(job for job in waiting if job.kind == kind)
        answers.answer(self.market.runtime.ledger, institution, {"answer": signed.wire(), "job": job.id})

    def check(self, number: int) -> None:
        custodian, now = self.market.custodians[number], self.market.now()
        signed = custodian.check(self.market.place, self.index(number), self.order, self.envelopes, now)
        self.answer(number, "check", signed)

    def release(self, number: int, *, without: str = "") -> None:
        """Release for all bids; the share of one may be withheld."""
        custodian, index, now = self.market.custodians[number], self.index(number), self.market.now()
        bids = self.order.bid_ids
        full = loads_object(custodian.release(self.market.place, index, self.order, bids, "0" * 64, now).doc)
        sealed = {item["bid"]: None if item["bid"] == without else b64u_decode(item["ct"]) for item in full["items"]}
        self.answer(number, "release", self.release_of(number, sealed))

    def release_of(self, number: int, sealed: dict[str, bytes | None]) -> SignedDocument:
        """Return a release with these shares, signed by the custodian."""
        index, now = self.index(number), self.market.now()
        document = make_release(self.order, sealed, custodian=index, factor_list_sha256=None, created=now)
        return sign_document(document, self.market.custodians[number].signer)

    def nothing(self) -> dict[str, bytes | None]:
        """Return the shares of a custodian that has none."""
        return dict.fromkeys(self.order.bid_ids)

    def rescue(self, bidder: Bidder, *, s_c: bytes = b"") -> dict[str, Any]:
        """Return the rescue of a bid, in the wire form; the secret may be a wrong one."""
        sealed = self.sealed[bidder.bid]
        return SignedDocument(make_rescue(bidder.bid, sealed.envelope.sha256, s_b=b"", s_c=s_c or sealed.s_c)).wire()

    def lose(self, digest: str) -> None:
        """Lose a stored part, as a broken disk would."""
        (self.market.directory / "objects" / digest[:2] / digest).unlink()


def test_an_opening_without_factors_with_gaps_and_a_rescue(play: Play) -> None:
    before_the_checks_are_over(play)
    custodians_answer_whole_orders_under_their_own_index(play)
    releases_and_gaps(play)
    rescue_until_the_release_is_closed(play)
    a_lost_part_may_be_supplied_again_in_time(play)
    the_release_is_closed(play)


def before_the_checks_are_over(play: Play) -> None:
    bidder, stranger, ledger = play.bidders[0], play.bidders[1], play.market.runtime.ledger
    document = make_factor(bidder.bid, play.sealed[bidder.bid].envelope.sha256, b"\x01" * 32)
    with pytest.raises(RuleBroken, match=r"factor\.early"):  # there is no factor window
        factors.reveal(ledger, play.market.stage.actors[bidder.key], bidder.bid, document)
    with pytest.raises(NotFound):
        factors.reveal(ledger, play.market.stage.actors[stranger.key], bidder.bid, document)
    assert bidder.post("rescue", play.rescue(bidder)).get_json()["code"] == "rescue.early"
    with pytest.raises(NotYet):
        results.report_gaps(ledger, play.agency, play.market.place, [])


def custodians_answer_whole_orders_under_their_own_index(play: Play) -> None:
    market = play.market
    for number in range(4):
        play.check(number)  # the fifth is silent
    with pytest.raises(StopIteration):
        play.check(0)  # answered, so no job of the kind waits
    custodian, actor = market.custodians[4], Actor.party(market.custodians[4].signer.kid)
    check = custodian.check(market.place, play.index(4), play.order, play.envelopes, market.now())
    with pytest.raises(InvalidInput):  # another's index
        answers.check_shares(market.runtime.ledger, actor, market.place, play.index(1), check)
    some: dict[str, bytes | None] = dict.fromkeys(play.order.bid_ids[:2])
    for signed in (play.release_of(1, {}), play.release_of(1, some)):
        with pytest.raises(InvalidInput):  # a subset of the bids
            answers.release_shares(market.runtime.ledger, actor, market.place, play.index(1), signed)
    with pytest.raises(RuleBroken, match=r"release\.early"):
        answers.release_shares(
            market.runtime.ledger, actor, market.place, play.index(1), play.release_of(1, play.nothing())
        )


def releases_and_gaps(play: Play) -> None:
    market, ledger, where = play.market, play.market.runtime.ledger, play.market.place
    poor, rich = play.bidders[0], play.bidders[1]
    market.advance_to(CLOSE + 10_000 + WINDOWS["share_check_ms"] + 30_000)
    assert "factor.opened" not in market.kinds()
    for number in range(3):
        play.release(number, without=poor.bid if number == 0 else "")
    with pytest.raises(NotYet):
        results.report_gaps(ledger, play.agency, where, [poor.bid])  # the others may still release
    market.advance_to(CLOSE + WINDOWS["objection_ms"] + WINDOWS["release_window_ms"] + 60_000)
    for wrong in (["b-unknown"], [rich.bid, rich.bid]):
        with pytest.raises(InvalidInput):
            results.report_gaps(ledger, play.agency, where, wrong)
    reported = results.report_gaps(ledger, play.agency, where, [poor.bid])
    assert results.report_gaps(ledger, play.agency, where, [poor.bid]).h == reported.h
    with pytest.raises(Conflict):
        results.report_gaps(ledger, play.agency, where, [])
    shown = poor.client.get("/api/v1/bids").get_json()["bids"][0]["opening"]
    assert (shown["has_gap"], shown["step"]) == (True, "gaps")
    play.release(3)  # after the report, before the release is closed


def rescue_until_the_release_is_closed(play: Play) -> None:
    market, poor, rich = play.market, play.bidders[0], play.bidders[1]
    foreign = Bidder(market, rich.organisation, bid=poor.bid)
    assert foreign.post("rescue", play.rescue(poor)).status_code == 404
    assert poor.post("rescue", play.rescue(poor, s_c=b"\x01" * 32)).get_json()["code"] == "rescue.mismatch"
    accepted = poor.post("rescue", play.rescue(poor))
    assert accepted.status_code == 201
    assert poor.post("rescue", play.rescue(poor)).get_json()["h"] == accepted.get_json()["h"]


def a_lost_part_may_be_supplied_again_in_time(play: Play) -> None:
    bidder = play.bidders[2]
    digest = loads_object(play.sealed[bidder.bid].envelope.doc)["parts"][0]["sha256"]
    assert play.station.get(f"/parts/{digest}").status_code == 200
    play.lose(digest)
    assert play.station.get(f"/parts/{digest}").status_code == 404
    assert bidder.put_part(play.sealed[bidder.bid].parts["main"], digest).status_code == 201
    assert play.station.get(f"/parts/{digest}").data == play.sealed[bidder.bid].parts["main"]


def record_of_clock(market: Market, kind: str, **body: object) -> None:
    with market.runtime.ledger.begin(SYSTEM) as uow:
        uow.record(Event(kind=kind, subject="host:database", body={"host": "database", **body}))


def the_release_is_closed(play: Play) -> None:
    market, poor, rich = play.market, play.bidders[0], play.bidders[1]
    assert play.station.get("/factors").status_code == 409
    record_of_clock(market, "clock.hold", reason="drill")
    market.advance_to(market.now() + WINDOWS["rescue_ms"] + 60_000)
    assert "release.closed" not in market.kinds()  # no window is ended while the clock is on hold (TE1 T3)
    record_of_clock(market, "clock.released", size=1)
    market.advance_to(market.now() + 10_000)
    assert market.kinds().count("release.closed") == 1
    assert rich.post("rescue", play.rescue(rich)).get_json()["code"] == "rescue.late"
    with pytest.raises(RuleBroken, match=r"release\.late"):
        play.answer(4, "release", play.release_of(4, play.nothing()))
    eventually(lambda: play.station.get("/factors").status_code == 200)
    told = play.station.get("/factors").get_json()
    assert told["factors"] == []
    assert [(row["bid"], row["s_c"]) for row in told["rescues"]] == [(poor.bid, play.sealed[poor.bid].s_c.hex())]
    digest = loads_object(play.sealed[rich.bid].envelope.doc)["parts"][0]["sha256"]
    assert play.station.get(f"/parts/{digest}").status_code == 200
    play.lose(digest)
    assert rich.put_part(play.sealed[rich.bid].parts["main"], digest).status_code == 201
    assert play.station.get(f"/parts/{digest}").status_code == 404  # stored, and not used any more
