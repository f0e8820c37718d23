"""Custodian agents and an opening station around a market, over HTTP, as their institutions run them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from agents.custodian.agent import Agent, create_agent, open_agent
from agents.custodian.desk import Automatic
from agents.custodian.polling import Server
from agents.pinning import pin_trust
from agents.station import conduct
from agents.station.box import Box, create_box, open_box
from agents.station.ceremony import Place
from agents.station.client import Client, client_for
from tests.support.market import LOT, STAGE, Market
from tests.support.polling import eventually
from trading.crypto.signatures import SignedDocument
from trading.custody import queries as custody_queries
from trading.custody import service as custody
from trading.demo import cast
from trading.demo.stage import trust_document
from trading.kernel.errors import MingbiaoError
from trading.openings.service.job_bundles import is_pointless

PERSONAL = ("disclose", "non-release")  # what waits for a person of the institution, whatever the agent may do


@dataclass
class Institutions:
    """The custodians of a market, each with an agent that polls ``base``."""

    market: Market
    base: str
    servers: dict[str, Server] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.trust = trust_document(self.market.stage, "0" * 64)
        for organisation in cast.CUSTODIANS:
            directory = self.market.directory / "agents" / organisation.key
            key = self.market.stage.signers[organisation.key, "custodian"]
            create_agent(
                directory,
                name=organisation.name_zh,
                role=organisation.seat or "other",
                passphrase=None,
                key=key,
                jobs_per_minute=10_000,
            )
            pin_trust(directory, self.trust)
            agent = open_agent(directory, None, self.market.runtime.clock)
            automatic = Automatic(key=True, release=True)
            self.servers[organisation.key] = Server(agent=agent, base=self.base, automatic=automatic, say=self.hear)
        self.said: list[str] = []

    def hear(self, line: str) -> None:
        """Keep what the agents say to their people."""
        self.said.append(line)

    def agent(self, key: str) -> Agent:
        return self.servers[key].agent

    def close(self) -> None:
        for server in self.servers.values():
            server.agent.state.close()

    def ask_for_keys(self, market: Market | None = None) -> None:
        """Ask for the keys of the procedure of ``market``, which may be another one on the same platform."""
        asking = market or self.market
        for organisation in cast.CUSTODIANS:
            custody.ask_for_key(
                asking.runtime.ledger,
                kid=asking.stage.signers[organisation.key, "custodian"].kid,
                procedure_id=asking.procedure_id,
                tender=asking.tender,
                lot=LOT,
                stage=STAGE,
                titles=("课桌椅", "Desks"),
            )

    def waiting(self, key: str) -> list[str]:
        """Return the kinds of jobs that an institution's agent answers and has not answered yet."""
        kid = self.market.stage.signers[key, "custodian"].kid
        with self.market.runtime.ledger.read() as conn:
            waiting = custody_queries.waiting(conn, kid, 0)
            return [job.kind for job in waiting if job.kind not in PERSONAL and not is_pointless(conn, job)]

    def round(self, *keys: str) -> None:
        """Let the agents poll until no job waits for them."""
        for key in keys or tuple(self.servers):
            try:
                eventually(partial(self._round, key))
            except AssertionError as error:
                raise AssertionError(f"{key}: {self.waiting(key)}: {self.said[-3:]}") from error

    def _round(self, key: str) -> bool:
        try:
            self.servers[key].round()
        except MingbiaoError as error:
            self.hear(f"{key}: {error}")
        self.servers[key].memory.retry_at.clear()
        return not self.waiting(key)


@dataclass
class Station:
    """An opening station with the token of the agency."""

    market: Market
    box: Box
    client: Client

    @classmethod
    def at(cls, market: Market, base: str, trust: SignedDocument, directory: Path) -> Station:
        place = Place(tender=market.tender, lot=LOT, stage=STAGE)
        create_box(directory, api=base, place=place, trust=trust.doc, passphrase=None)
        return cls(market, open_box(directory, None), client_for(base, place, market.stage.tokens["drafter"]))

    @property
    def path(self) -> str:
        return f"/api/v1/procedures/{self.market.tender}/lots/{LOT}/stages/{STAGE}/opening"

    def get(self, path: str = "", who: str = "drafter") -> TestResponse:
        return self.market.client(who).get(self.path + path)

    def post(self, path: str, body: Mapping[str, Any], who: str = "drafter") -> TestResponse:
        return self.market.client(who).post(self.path + path, json=dict(body))

    def sign(self, document: bytes, *roles: str) -> TestResponse:
        """Hand in a document signed by the keys of these roles, one call a role; return the last answer."""
        return [self._sign(document, role) for role in roles][-1]

    def _sign(self, document: bytes, role: str) -> TestResponse:
        who, key = {
            "agency": ("drafter", ("agency", "agency")),
            "supervisor": ("supervisor", ("supervisor", "supervisor")),
            "station-operator": ("drafter", ("centre", "station-operator")),
        }[role]
        signed = SignedDocument(document, (self.market.stage.signers[key].sign(document),))
        return self.post("/documents", signed.wire(), who)

    def draft_order(self) -> bytes:
        return conduct.draft_order(self.box, conduct.fetch(self.box, self.client))
