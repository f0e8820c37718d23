"""A draw of experts over HTTP with the real programs: custodian agents, contributors, platform, offline verifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agents.contributor.desk import create_desk, open_desk
from agents.contributor.serving import Server as Contributing
from agents.http import Refused
from agents.pinning import pin_trust
from tests.support.campaigns import LONG
from tests.support.ceremony import Institutions
from tests.support.databases import Server, clone
from tests.support.made_committee import CommitteeMaker, contact_ledger, worker_ledger
from tests.support.market import SYSTEM, Market, open_market
from trading.audit.demo_clock import jump
from trading.kernel.canonical import loads_object


@dataclass
class Draw:
    """Everybody around one draw; nobody but the programs answers for custodians and contributors."""

    market: Market
    base: str
    said: list[Mapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.maker = CommitteeMaker(
            runtime=self.market.runtime,
            stage=self.market.stage,
            contact_ledger=contact_ledger(self.market.database),
            worker_ledger=worker_ledger(self.market.database),
            jump=lambda to: jump(self.market.runtime, SYSTEM, to, shift_file=self.market.shift_file),
        )
        self.maker.set_up()
        for custodian in self.maker.custodians:
            custodian.silent = True
        self.institutions = Institutions(self.market, self.base)
        self.contributors: dict[str, Contributing] = {}
        for each in self.maker.contributors:
            directory = self.market.directory / "contributors" / each.organisation.key
            create_desk(directory, api=self.base, name=each.organisation.name_zh, passphrase=None, key=each.signer)
            pin_trust(directory, self.institutions.trust)
            desk = open_desk(directory, None, self.market.runtime.clock)
            self.contributors[each.organisation.key] = Contributing(desk=desk, auto_commit=True, say=self.said.append)

    def go(self, *contributors: str) -> None:
        """Let every agent poll once, and these contributors."""
        for server in self.institutions.servers.values():
            server.memory.retry_at.clear()
            with suppress(Refused):
                server.round()
        for name in contributors:
            self.contributors[name].round()

    def close(self) -> None:
        self.institutions.close()
        for server in self.contributors.values():
            server.desk.state.close()


@pytest.fixture
def draw(server: Server, tmp_path: Path) -> Iterator[Draw]:
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path, ()) as market,
        market.serving() as base,
    ):
        market.draft()
        made = Draw(market, base)
        yield made
        made.close()


@pytest.mark.skipif(not LONG, reason="the demonstration draws by the same programs: MINGBIAO_CAMPAIGN=long")
def test_a_draw_by_its_programs(draw: Draw) -> None:
    """Keys, policy, commitments, checks and seal; one party stays silent and its number is recovered all the same."""
    maker, everybody = draw.maker, tuple(draw.contributors)
    silent = "notary" if "notary" in everybody else everybody[-1]
    maker.admit(24)
    maker.plan(draw.market.tender)
    name = maker.begin(draw.market.tender)

    def offered(typ: str) -> bool:
        draw.go()
        return maker._offers(name, typ)

    maker.until(lambda: offered("ed1.policy"), seconds=60)
    maker.sign(name)
    maker.until(lambda: offered("ed1.spec"), seconds=60)
    maker.sign(name, "ed1.spec")
    maker.sign(name, "ed1.escrow")

    def reached(state: str, *who: str) -> bool:
        draw.go(*who)
        found: str = maker.row(name).state
        return found == state

    def all_said(act: str, who: list[str]) -> bool:
        draw.go(*who)
        return [told["act"] for told in draw.said].count(act) >= len(who)

    maker.until(lambda: all_said("commit", list(everybody)), seconds=60)
    maker.until(lambda: reached("sealed"), seconds=60)
    others = [party for party in everybody if party != silent]
    maker.until(lambda: reached("seeded", *others), seconds=60)
    kinds = draw.market.kinds()
    assert kinds.count("draw.revealed") == len(others)
    assert kinds.count("draw.recovered") >= 3
    assert not [line for line in draw.institutions.said if "draw.seal_fork" in line or "draw.spec_fork" in line]
    maker.until(lambda: all_said("confirm", others), seconds=60)
    seeds = {told["seed"] for told in draw.said if told["act"] == "confirm"}
    assert len(seeds) == 1
    assert all(told["counted"] for told in draw.said if told["act"] == "confirm")
    stored = draw.contributors[others[0]].desk.state.contributions(name, 1)[0].answer
    assert stored is not None
    assert "h" in loads_object(stored)
