"""A whole platform whose log is closed and continued under way: the same people, agents and bids, another log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from agents.pinning import pin_trust
from agents.station.box import open_box
from agents.station.client import client_for
from tests.support.ceremony import Station
from tests.support.continued import ContinuedWorld, close, prepared, resume
from tests.support.journey import Exchange, Tender
from trading.crypto.signatures import SignedDocument, sign_document
from trading.kernel.canonical import dumps, loads_object


@contextmanager
def continue_exchange(exchange: Exchange, tender: Tender) -> Iterator[SignedDocument]:
    """Close the log of a platform, start its next one, and yield the trust file that the supervisor gives out.

    The platform then runs with the next log; its agents still hold the trust file that they have pinned.
    """
    market = exchange.market
    exchange.settle()
    market.sequencing.close()
    close(market.world)
    name = f"{market.world.origin}-2"
    following = resume(prepared(market.world, market.directory / "next", name))
    with following.running():
        _move(exchange, tender, following)
        with exchange.market.serving() as base:
            institutions = exchange.institutions
            exchange.base = institutions.base = base
            institutions.servers = {key: replace(each, base=base) for key, each in institutions.servers.items()}
            yield later_trust(exchange, following)


def _move(exchange: Exchange, tender: Tender, following: ContinuedWorld) -> None:
    runtime = replace(
        exchange.market.runtime,
        log_dir=following.log_dir / "tiles",
        origin=following.origin,
        witness_policy=following.policy_text,
    )
    stage = replace(exchange.market.stage, runtime=runtime)
    exchange.market = replace(exchange.market, runtime=runtime, world=following, stage=stage)
    tender.market = replace(tender.market, runtime=runtime, world=following, stage=stage)
    exchange.institutions.market = exchange.market
    for bidder in tender.bidders.values():
        bidder.market = tender.market


def later_trust(exchange: Exchange, following: ContinuedWorld) -> SignedDocument:
    """Return the trust file that lists both logs, the closed one first."""
    pinned = exchange.institutions.trust
    told = {**loads_object(pinned.doc), "log_policy": following.policy_text, "origin": following.origin}
    signer = exchange.market.stage.signers["supervisor", "supervisor"]
    return sign_document(dumps({**told, "seq": 2, "supersedes": pinned.sha256}), signer)


def pin_everywhere(exchange: Exchange, tender: Tender, trust: SignedDocument) -> None:
    """Let the people of every institution, and those at the station if there is one, pin a trust file."""
    exchange.institutions.trust = trust
    for server in exchange.institutions.servers.values():
        pin_trust(server.agent.directory, trust)
        server.memory.refused.clear()
    if tender._station is not None:
        directory, place = tender._station.box.directory, tender._station.box.place
        pin_trust(directory, trust)
        client = client_for(exchange.base, place, tender.market.stage.tokens["drafter"])
        tender._station = Station(tender.market, open_box(directory, None), client)
