"""One tender, step by step in the words of the protocol, while what serves it is killed at a point of each step.

Bidders, institutions and station are the product's own clients; they repeat what was not answered. One ``kill`` is one
round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from werkzeug.test import TestResponse

from agents.http import Unreachable
from agents.station import conduct
from tests.support.ceremony import Institutions
from tests.support.databases import Database
from tests.support.journey import MARGIN, Exchange, Tender
from tests.support.market import WINDOWS, Bidder, Market, open_market
from tests.support.mortal import NOTHING, OBJECT, Answer, Place, Server, mortal_server, persist
from tests.support.polling import eventually
from trading.crypto.signatures import SignedDocument
from trading.demo.cast import BIDDERS, CUSTODIANS
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u_decode
from trading.openings.rules.factors import make_factor
from trading.openings.rules.orders import parse_order

PRICES: Final = {"qinghe": 98_000_00, "bolin": 99_000_00, "yunfan": 97_000_00}
POINTS: Final = ("before commit", "after commit", "before answer")
WORKER: Final = POINTS[:2]  # nobody waits for its answer
#: How many records of each step there must be in the end, whoever died how often.
ONCE: Final = (
    *("tender.closed", "open.ordered", "factor.opened", "factor.closed"),
    *("release.gaps", "release.closed", "opening.combined", "opening.completed"),
)


@dataclass
class Killing:
    """Kills at the next point of the round; ``told`` is what was acknowledged, ``killed`` where it was killed."""

    server: Server
    most: int
    turn: Iterator[int] = field(default_factory=count)
    killed: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)

    def kill(self, what: str, act: Callable[[], Any], *points: str) -> Any:  # noqa: ANN401 - what the act returns
        """Do an act, which writes a record of the kind ``what``, and kill its server once on the way."""
        if self.killed.total() >= self.most:
            return act()
        chosen = points or POINTS
        point = chosen[next(self.turn) % len(chosen)]
        self.server.arm(point, what)
        done = act()
        assert not self.server.is_armed, f"{point} {what} was not reached"
        self.killed[f"{point} {what}"] += 1
        return done

    def acknowledge(self, answer: Answer | TestResponse) -> dict[str, Any]:
        """Keep the commitment of an answered act."""
        body: dict[str, Any] = answer.get_json()
        assert answer.status_code in {200, 201, 202}, body
        self.told.append(body["h"])
        return body


@dataclass
class KilledTender:
    """The acts of one tender, whose deadline is at ``close_at`` (ms)."""

    tender: Tender
    killing: Killing
    close_at: int

    # Submission (SB1 S7).

    def submit(self, key: str) -> None:
        killing = self.killing
        bidder = Bidder(self.tender.market, next(each for each in BIDDERS if each.key == key))
        self.tender.bidders[key] = bidder
        killing.kill("bid.started", bidder.start)
        sealed = bidder.seal(PRICES[key])
        names = {part["name"]: part["sha256"] for part in loads_object(sealed.envelope.doc)["parts"]}
        for name, data in sealed.parts.items():
            stored = killing.kill(OBJECT, partial(bidder.put_part, data, names[name]), "before", "after")
            assert stored.status_code == 201, stored.get_json()
        send = partial(bidder.post, "envelope", sealed.envelope.wire())
        body = killing.acknowledge(killing.kill("bid.received", send))
        assert killing.acknowledge(send())["h"] == body["h"]  # the same bytes again: the same receipt
        self.tender.sealed[key] = sealed

    # Opening (SB1 S8, S9).

    def close(self) -> None:
        self.killing.kill("tender.closed", partial(self._advance_to, self.close_at + 2 * MARGIN), *WORKER)

    def _advance_to(self, target: int) -> None:
        """Move demonstration time on; the worker that runs what is due may be killed."""
        self.tender.market.advance_to(target, self.killing.server.work)

    def order(self) -> None:
        station = self.tender.station
        eventually(lambda: station.get().status_code == 200)
        self._sign(persist(station.draft_order), "open.ordered", "agency", "supervisor")

    def _sign(self, document: bytes, kind: str, *roles: str) -> None:
        """Let the roles sign; the last signature makes the record."""
        answer = None
        for role in roles:
            what = kind if role == roles[-1] else NOTHING
            answer = self.killing.kill(what, partial(self.tender.station.sign, document, role))
        assert answer is not None
        if kind != NOTHING:
            self.killing.acknowledge(answer)

    def check(self) -> None:
        self._round("share.checked")

    def _round(self, kind: str) -> None:
        for organisation in CUSTODIANS:
            self.killing.kill(kind, partial(self.tender.exchange.institutions.round, organisation.key))

    def open_factors(self) -> None:
        order = parse_order(self.tender.document("open.ordered", "order_sha256"))
        window = max(WINDOWS["objection_ms"], WINDOWS["share_check_ms"])
        self.killing.kill("factor.opened", partial(self._advance_to, order.created + window + 2 * MARGIN), *WORKER)

    def reveal(self) -> None:
        for key, sealed in self.tender.sealed.items():
            bidder = self.tender.bidders[key]
            factor = make_factor(bidder.bid, sealed.envelope.sha256, sealed.s_b)
            send = partial(bidder.post, "factor", SignedDocument(factor).wire())
            self.killing.acknowledge(self.killing.kill("factor.revealed", send))

    def close_factors(self) -> None:
        self._advance_to(self.tender.bodies("factor.opened")[0]["ends_at"] + 1_000)
        listed = self.tender.station.get("/documents?typ=sb1.factor-list").get_json()["documents"][-1]
        self._sign(b64u_decode(listed["doc"]), "factor.closed", "agency", "supervisor")

    def release(self) -> None:
        self._round("share.released")
        station = self.tender.station
        eventually(lambda: len(station.get("/releases").get_json()["releases"]) == len(CUSTODIANS))

    def close_release(self) -> None:
        station = self.tender.station
        collect = partial(conduct.collect, station.box, station.client)
        assert self.killing.kill("release.gaps", partial(persist, collect)).reported
        self.killing.kill("release.closed", self.killing.server.work, *WORKER)
        eventually(lambda: station.get().get_json()["steps"]["release_closed"] is not None)

    def combine(self) -> None:
        station = self.tender.station
        combine = partial(conduct.combine, station.box, station.client)
        self.killing.kill("opening.combined", partial(persist, combine))
        eventually(lambda: station.get().get_json()["steps"]["combined"] is not None)

    def read_out(self) -> None:
        for _ in self.tender.sealed:
            self.killing.kill("bid.opened", self._until_struck)
        persist(self.tender.open_all)

    def _until_struck(self) -> None:
        """Open until the server dies; what has its result already keeps it."""
        try:
            self.tender.open_all()
        except Unreachable:
            return

    def complete(self) -> None:
        station = self.tender.station
        evaluated, opened = persist(self.tender.open_all)
        documents = persist(lambda: conduct.transcript_documents(evaluated, opened, station.client))
        first, second = (signed.doc for signed in documents)
        self._sign(first, NOTHING, "station-operator", "supervisor")
        self._sign(second, "opening.completed", "station-operator", "supervisor")

    def end(self) -> None:
        """Take every act after the submission, in its order."""
        for act in (
            *(self.close, self.order, self.check, self.open_factors, self.reveal, self.close_factors),
            *(self.release, self.close_release, self.combine, self.read_out, self.complete),
        ):
            act()

    def wrong_numbers(self) -> dict[str, int]:
        """Return the kinds of records of which there are not exactly as many as there were acts."""
        each = {
            **dict.fromkeys(ONCE, 1),
            **dict.fromkeys(("bid.started", "bid.received", "factor.revealed", "bid.opened"), len(PRICES)),
            **dict.fromkeys(("share.checked", "share.released"), len(CUSTODIANS)),
        }
        found = {kind: len(self.tender.bodies(kind)) for kind in each}
        return {kind: number for kind, number in found.items() if number != each[kind]}


def not_logged_once(told: list[str], log: Mapping[str, int]) -> dict[str, int]:
    """Return the acknowledged commitments that do not stand in the log exactly once."""
    return {h: log.get(h, 0) for h in told if log.get(h, 0) != 1}


@contextmanager
def killed_exchange(database: Database, directory: Path) -> Iterator[tuple[Exchange, Server]]:
    """Yield a platform that a mortal server serves, with its institutions."""
    with open_market(database, directory, BIDDERS[: len(PRICES)]) as market, mortal_server(_place(market)) as server:
        market.client = lambda who="": server.client(market.stage.tokens[who])  # type: ignore[method-assign,assignment,return-value]
        institutions = Institutions(market, server.base)
        try:
            yield Exchange(market, server.base, institutions), server
        finally:
            institutions.close()


def _place(market: Market) -> Place:
    return Place(
        database_url=market.database.url("trading_web"),
        reader_url=market.database.url("trading_reader"),
        directory=market.directory,
        log_dir=market.runtime.log_dir,
        origin=market.runtime.origin,
        policy=market.runtime.witness_policy,
        shift_file=market.shift_file,
    )
