"""A log that public records are written into, and a crawler that follows the feed of records."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from tests.build.dummy_envelopes import MemoryStore
from tests.support.databases import Database
from trading.app import create_app
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.audit.runtime import Runtime
from trading.config import Process, Settings
from trading.kernel.clock import SystemClock
from trading.kernel.events import Event
from trading.kernel.roles import Actor

SYSTEM = Actor.system("test")
FEED = "/api/v1/records"


def feed_app(database: Database, tiles: Path, directory: Path, *, demo: bool, policy: str = "") -> Flask:
    """Return the application over a log that no market stands behind."""
    runtime = Runtime(
        ledger=Ledger(database.engine(), registry=REGISTRY, reader=database.engine("trading_reader")),
        objects=MemoryStore(),
        log_dir=tiles,
        origin=database.origin,
        demo=demo,
        clock=SystemClock(),
        witness_policy=policy,
    )
    settings = Settings(
        process=Process.WEB,
        demo=demo,
        data_dir=directory,
        database_url=database.url("trading_web"),
        log_origin=database.origin,
        jurisdiction="CN",
    )
    return create_app(settings, runtime)


def write(uow: UnitOfWork, kind: str, procedure_id: int = 1, **body: object) -> Recorded:
    """Write a record of a kind; what its body lacks is filled with nothing in particular."""
    known = {"lot": "1", "stage": "all", "items": [], "evidence": [], "transcript_sha256s": []}
    filled = {name: known.get(name, "") for name in REGISTRY.get(kind).fields} | body
    event = Event(
        kind=kind, subject="lot:1", body=filled, procedure_id=procedure_id, procedure=f"T-2026-{procedure_id:08}"
    )
    return uow.record(event)


def written(ledger: Ledger, kind: str, procedure_id: int = 1, **body: object) -> str:
    """Write one record in a transaction of its own; return its commitment."""
    with ledger.begin(SYSTEM) as uow:
        return write(uow, kind, procedure_id, **body).h.hex()


def pause(ms: float) -> None:
    """Let others in between an entry and its commit: the races under test live in these gaps."""
    time.sleep(ms / 1000)


@dataclass
class Crawler:
    """Somebody who follows the feed by its cursor."""

    client: FlaskClient
    limit: int = 100
    since: int = 0

    def page(self) -> list[dict[str, Any]]:
        """Return the next page and move on."""
        answer = self.client.get(FEED, query_string={"since": self.since, "limit": self.limit})
        assert answer.status_code == 200, answer.text
        content = answer.get_json()
        assert content["next"] >= self.since
        self.since = content["next"]
        return list(content["records"])

    def new(self) -> Iterator[dict[str, Any]]:
        """Yield what is new, until a page has nothing and the cursor stands."""
        while True:
            before = self.since
            yield from self.page()
            if self.since == before:
                return
