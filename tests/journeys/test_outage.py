"""Outages as the synthetic bidders of two vantage points find them, over HTTP, with all that follows (TE1 T6).

A normal run plays the outage at a deadline, ``MINGBIAO_CAMPAIGN=long`` the one before it and its controls, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.probe.rounds import Prober
from agents.probe.state import ProbeState
from tests.support.campaigns import LONG
from tests.support.databases import Server, clone
from tests.support.exporting import Exporter
from tests.support.market import CLOSE, Bidder, Market, open_market
from tests.support.polling import eventually
from trading.assembly import SUBSCRIPTIONS
from trading.audit.relay import relay
from trading.audit.replay import replay
from trading.bids import extending
from trading.bids.rules.derivation import Verdict
from trading.bids.rules.outages import VANTAGES
from trading.bids.rules.schedule import DRAIN_MS
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.demo.cast import BIDDERS
from trading.demo.stage import trust_document
from trading.procedures import queries as procedures
from trading.up.probes import set_up

MINUTE = 60_000
RULE = {"extend_ms": 30 * MINUTE, "look_back_ms": 30 * MINUTE, "min_outage_ms": 10 * MINUTE, "triggers": ["outage"]}
NOWHERE = "http://127.0.0.1:9"  # nobody listens on the port of "discard"


class Vantages:
    """The synthetic bidders of both vantage points, each with a folder of its own."""

    def __init__(self, market: Market, folder: Path) -> None:
        self.market = market
        self.probers = {name: self._prober(folder / name, name) for name in VANTAGES}

    def _prober(self, folder: Path, vantage: str) -> Prober:
        set_up(self.market.runtime, folder, vantage)
        return Prober(ProbeState(folder), NOWHERE, self.market.runtime.clock)

    def look(self, at: int, expected: str | None = None, only: tuple[str, ...] = VANTAGES) -> None:
        """Run a round of each at an instant, and tell it; ``expected`` is why it fails, if it does."""
        self.market.advance_to(at)
        for name in only:
            assert self.probers[name].round().reason == expected
            assert self.probers[name].tell() is (expected is None)

    @contextmanager
    def served(self) -> Iterator[None]:
        """The web is there; before and after it is not."""
        with self.market.serving() as address:
            for each in self.probers.values():
                each.base = address
            yield
        for each in self.probers.values():
            each.base = NOWHERE

    def tenders(self) -> tuple[str, ...]:
        return tuple(each.state.identity.tender for each in self.probers.values())


def published(market: Market, folder: Path) -> Vantages:
    market.draft(extension_rule=RULE)
    market.prove_local_keys()
    market.publish()
    for bidder in BIDDERS[:2]:
        submitted(market, bidder.key)
    return Vantages(market, folder)


def submitted(market: Market, key: str) -> None:
    bidder = Bidder(market, next(each for each in BIDDERS if each.key == key))
    bidder.start()
    assert bidder.submit(bidder.seal(98_000_00)).status_code == 201


def count(market: Market, kind: str, expected: int) -> Callable[[], bool]:
    def look() -> bool:
        market.work()
        return market.kinds().count(kind) == expected

    return look


def close_of(market: Market) -> int:
    with market.runtime.ledger.read() as conn:
        return procedures.find_lot(conn, market.procedure_id, "1", "all").close_at or 0


def explained(market: Market) -> None:
    with market.database.connect("trading_auditor") as conn:
        assert list(replay(conn, FOLDS, REPLAYED, COMPARES)) == []


def test_the_web_is_away_at_a_deadline_which_moves_when_it_is_back(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with clone(server, demo=True) as database, open_market(database, tmp_path, BIDDERS[:3]) as market:
        vantages = published(market, tmp_path / "probes")
        with vantages.served():
            vantages.look(CLOSE - 20 * MINUTE)
        first = CLOSE - 4 * MINUTE
        vantages.look(first, "unreachable")
        vantages.look(CLOSE - MINUTE, "unreachable")
        market.advance_to(CLOSE + DRAIN_MS + 1_000)
        market.work()
        assert "tender.closed" not in market.kinds()  # the worker lives, and nobody has told it anything
        assert len(market.bodies("availability.state")) == 2
        with vantages.served():
            vantages.look(market.now())
            eventually(count(market, "tender.changed", 1))
            (changed,) = market.bodies("tender.changed")
            assert (changed["cause"], len(changed["evidence"])) == ("outage", 6)
            close = close_of(market)
            assert 0 < close - (CLOSE + 30 * MINUTE) <= 2 * MINUTE
            submitted(market, BIDDERS[2].key)
            hidden(market, vantages)
            market.advance_to(close + DRAIN_MS + 1_000)
            assert "tender.closed" not in market.kinds()  # nobody knows yet how it was at this one
            vantages.look(market.now(), only=VANTAGES[:1])
            eventually(count(market, "tender.closed", 1))
        (closed,) = market.bodies("tender.closed")
        assert (closed["count"], closed["close"]) == (3, close)
        relay(market.runtime, SUBSCRIPTIONS)
        market.work()
        assert market.client().get("/feed.atom?lang=zh").text.count("截止时间按规则顺延") == 1
        exporter = Exporter(market, trust_document(market.stage, "0" * 64), tmp_path, capsys)
        assert exporter.complaints() == {}
        assert exporter.states["TE-02"] == ["ok"] * 4
        explained(market)


def hidden(market: Market, vantages: Vantages) -> None:
    """No page, feed or answer that others read knows of the probes' lots; they are not there for other bidders."""
    names = [*vantages.tenders(), *(each.state.identity.bidder for each in vantages.probers.values()), "自测"]
    for path in ("/", "/procedures", "/feed.atom", "/api/v1/procedures", "/log", "/supervision/log", "/supervision"):
        for client in (market.client(), market.client(BIDDERS[0].key), market.client("supervisor")):
            shown = client.get(path, follow_redirects=True).text
            assert [name for name in names if name in shown] == []
    for tender in vantages.tenders():
        for path in (f"/procedures/{tender}", f"/api/v1/procedures/{tender}", f"/api/v1/procedures/{tender}/lots/1"):
            assert market.client().get(path).status_code == 404
        asked = market.client(BIDDERS[0].key).post(f"/api/v1/procedures/{tender}/lots/1/bids", json={})
        assert asked.status_code == 404
    told = market.client(BIDDERS[0].key).post("/api/v1/availability", json={"rounds": []})
    assert told.status_code == 404  # whoever is no synthetic bidder


@pytest.mark.skipif(not LONG, reason="another whole market: MINGBIAO_CAMPAIGN=long")
def test_an_outage_moves_a_deadline_to_come_and_what_one_alone_saw_moves_none(server: Server, tmp_path: Path) -> None:
    with clone(server, demo=True) as database, open_market(database, tmp_path, BIDDERS[:2]) as market:
        vantages = published(market, tmp_path / "probes")
        with vantages.served():
            vantages.look(CLOSE - 50 * MINUTE)
        for minutes in (28, 27):
            vantages.look(CLOSE - minutes * MINUTE, "unreachable", only=VANTAGES[:1])
        with vantages.served():
            vantages.look(CLOSE - 17 * MINUTE)
            market.work()
            assert close_of(market) == CLOSE  # the control: the supervisor was served, whatever the operator saw
        for minutes in (16, 10):
            vantages.look(CLOSE - minutes * MINUTE, "unreachable")
        with vantages.served():
            vantages.look(CLOSE - 5 * MINUTE, only=VANTAGES[:1])
            market.work()
            assert close_of(market) == CLOSE  # the supervisor has not told yet
            vantages.look(CLOSE - 4 * MINUTE, only=VANTAGES[1:])
            eventually(count(market, "tender.changed", 1))
            close = close_of(market)
            assert market.now() < CLOSE  # told before the deadline, not after it
            assert 0 < close - (CLOSE + 26 * MINUTE) <= 2 * MINUTE  # half an hour after it is told, at least
            again(vantages)
            market.advance_to(close + DRAIN_MS)
            vantages.look(market.now())
            assert extending.settle(market.runtime.ledger, *market.place) is Verdict.CLOSE  # nothing moves it further
            eventually(count(market, "tender.closed", 1))
        assert market.kinds().count("tender.changed") == 1
        explained(market)


def again(vantages: Vantages) -> None:
    """What was told is told once: an answer that was lost, or a folder that was set back, adds nothing."""
    market, prober = vantages.market, vantages.probers["operator"]
    before = len(market.bodies("availability.state"))
    lines = [json.loads(line) for line in (prober.state.part.parent / "rounds.jsonl").read_text().splitlines()]
    assert len(lines) == sum(body["vantage"] == "operator" for body in market.bodies("availability.state"))
    old = market.bodies("availability.state")[:2]
    rounds = [{name: body[name] for name in ("from", "ms", "ok", "reason")} for body in old]
    prober._platform().tell_rounds(rounds)
    (prober.state.part.parent / "head.json").unlink()  # it does not know any more which version stands
    vantages.look(market.now())
    assert len(market.bodies("availability.state")) == before + 2
