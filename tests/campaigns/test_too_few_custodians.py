"""Fewer than k custodians with the whole database and object store read 0 bytes of a bid (F40; SB1 S0).

Every subset of the share keys below the threshold is tried, with everything that the server has and with every factor
besides; all of them read nothing either while the bidders keep theirs. Control: any k and the factors read everything.
A normal run takes the documents, records and parts of a lot in memory, ``MINGBIAO_CAMPAIGN=long`` a real server.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from agents.custodian.state import Place
from tests.build.ceremony import LOT, STAGE, TENDER, World
from tests.build.recorded_log import RecordedLog
from tests.support.campaigns import LONG
from tests.support.databases import Server, clone
from tests.support.hauls import Attack, Haul, Keys
from tests.support.market import Bidder, Market, open_market
from tests.support.verdict_rows import SCHEMES
from trading.crypto.keys import XWingPrivateKey
from trading.demo.cast import BIDDERS

PRICE = 98_765_432


def require_secret(haul: Haul, keys: Keys, k: int, factors: frozenset[bytes], *, bids: int) -> Attack:
    """Nobody below the threshold reads a byte, with the factors or without; return the attack that had them."""
    alone, with_factors = Attack(haul), Attack(haul, factors)
    assert len(alone.envelopes) == bids
    for size in range(k):
        for chosen in combinations(keys.items(), size):
            assert with_factors.read(dict(chosen)) == 0, [index for index, _ in chosen]
    if factors:
        assert alone.read(keys) == 0, "all custodians read a bid whose bidder keeps its factor"
    # Negative control: with k custodians and the factors the same attack reads every part of every bid.
    sizes = {with_factors.read(dict(chosen)) for chosen in combinations(keys.items(), k)}
    assert len(sizes) == 1
    assert sizes.pop() >= bids * (4096 + 65_536)  # price and proposal (S5)
    return with_factors


@pytest.mark.parametrize(("scheme", "factor"), [("2 of 3", True), ("3 of 5", True), ("3 of 5", False)])
def test_a_lot_in_memory(scheme: str, factor: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    k, custodians = SCHEMES[scheme]
    world = World(tmp_path, factor=factor, custodians=custodians, k=k).publish()
    bidders = [world.submit(PRICE) for _ in range(2)]
    world.close()
    assert isinstance(world.log, RecordedLog)
    values = [signed.doc for signed in world.documents.values()]
    values += [value for record in world.log.records for value in record]
    haul = Haul(values=values, objects=dict(world.parts))
    place = Place(tender=TENDER, lot=LOT, stage=STAGE)
    keys = {index: agent.share_key(place) for index, agent in enumerate(world.agents, 1)}
    factors = frozenset(bidder.done.s_b for bidder in bidders) - {b""}
    require_secret(haul, keys, k, factors, bids=len(bidders))


@pytest.mark.skipif(not LONG, reason="a whole database and object store: MINGBIAO_CAMPAIGN=long")
def test_a_whole_server(server: Server, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    with clone(server, demo=True) as database, open_market(database, tmp_path, BIDDERS[:3]) as market:
        market.draft()
        market.prove_local_keys()
        market.publish()
        sealed = {}
        for bidder in (Bidder(market, each) for each in BIDDERS[:3]):
            bidder.start()
            sealed[bidder.key] = bidder.seal(PRICE)
            assert bidder.submit(sealed[bidder.key]).status_code == 201
        keys, k = keys_of(market), market.current_policy.k
        with database.connect() as superuser:
            haul = Haul.take(superuser, tmp_path / "objects")
    attack = require_secret(haul, keys, k, frozenset(bid.s_b for bid in sealed.values()), bids=len(sealed))
    assert len(attack.secrets) > 100
    assert attack.read_directly() == 0
    for key in sealed:
        named = f"{key}: {PRICE}".encode()
        assert (haul.holds(named), Haul(values=[named]).holds(named)) == (False, True)
    record_property("tried", f"{attack.tried} identities; {len(attack.secrets)} secrets of the haul")


def keys_of(market: Market) -> Keys:
    """Return the share keys of the policy by the index of their custodian."""
    seeds = [custodian._seeds[market.tender, LOT, STAGE] for custodian in market.custodians]
    return {index: XWingPrivateKey.from_seed(seed) for index, seed in enumerate(seeds, 1)}
