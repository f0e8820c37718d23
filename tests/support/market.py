"""A platform with its people in one process: database, log with witnesses, web application, demonstration time.

The desk is set up by the services, as on a real platform; time moves by jumps between which the due errands are run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from agents.sealing import SealedBid, seal_bid
from tests.build.tenders import ms
from tests.support.databases import Database
from tests.support.logs import LogWorld
from tests.support.serving import serving
from trading.app import create_app
from trading.assembly import ERRANDS, REGISTRY
from trading.audit import errands
from trading.audit.demo_clock import jump
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.audit.service import platform_ms
from trading.audit.tables import audit_entry, errand
from trading.bids.rules.context import BidContext
from trading.bids.rules.manifest import FileSource, build_manifest, write_main
from trading.bids.rules.policy import Policy, parse_policy
from trading.bids.rules.price import build_price, pad_price
from trading.config import Process, Settings
from trading.crypto.signatures import Es256Signer, sign_document
from trading.custody import queries as custody_queries
from trading.custody import service as custody
from trading.demo import cast
from trading.demo.cast import Organisation
from trading.demo.custodian import LocalCustodian
from trading.demo.stage import Stage, set_stage
from trading.kernel.canonical import loads_object
from trading.kernel.clock import ShiftedClock, SystemClock
from trading.kernel.encoding import b64u_decode
from trading.kernel.roles import Actor
from trading.notices import drafting
from trading.notices import service as notices
from trading.notices.service import LotDocuments
from trading.procedures import queries as procedures
from trading.procedures import service as procedure_service
from trading.storage.local import LocalStore

START = ms("2026-03-02 09:00:00")
CLOSE = ms("2026-03-31 10:00:00")
LOT, STAGE = "1", "all"
WINDOWS = {
    "factor_window_ms": 1_800_000,
    "objection_ms": 600_000,
    "share_check_ms": 600_000,
    "release_window_ms": 900_000,
    "rescue_ms": 900_000,
}
POOL = 30  # threads of the widest test
SYSTEM = Actor.system("worker")


@dataclass
class Market:
    """One platform; ``tender`` is the reference of its one procedure after ``publish``."""

    directory: Path
    database: Database
    runtime: Runtime
    world: LogWorld
    stage: Stage
    shift_file: Path
    tender: str = ""
    procedure_id: int = 0
    policy: Policy | None = None
    custodians: list[LocalCustodian] = field(default_factory=list)
    sequencing: ExitStack = field(default_factory=ExitStack)  # closed, the sequencer ends

    @cached_property
    def app(self) -> Flask:
        """The web; use cases know none, and their markets are set up in half the time."""
        settings = Settings(
            process=Process.WEB,
            demo=True,
            data_dir=self.directory,
            database_url=self.database.url("trading_web"),
            log_origin=self.runtime.origin,
            jurisdiction="CN",
        )
        return create_app(settings, self.runtime)

    @property
    def place(self) -> tuple[str, str, str]:
        return self.tender, LOT, STAGE

    @property
    def current_policy(self) -> Policy:
        assert self.policy is not None
        return self.policy

    def now(self) -> int:
        with self.runtime.ledger.read() as conn:
            return platform_ms(conn)

    def client(self, who: str = "") -> FlaskClient:
        """Return a client with the bearer token of a login; none for the public."""
        client = self.app.test_client()
        if who:
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {self.stage.tokens[who]}"
        return client

    def draft(self, close: int = CLOSE, **changes: Any) -> None:  # noqa: ANN401 - fields of the specification
        """Draft the procedure; who keeps its keys is not asked yet."""
        specification = cast.specification(close=close, windows=WINDOWS) | changes
        drafter = self.stage.actors["drafter"]
        self.tender = procedure_service.draft(self.runtime.ledger, drafter, specification)
        with self.runtime.ledger.read() as conn:
            self.procedure_id = procedures.find(conn, self.tender).id

    def prove_local_keys(self) -> None:
        """Hold the key ceremony with custodians of this process, for tests in which no share is ever opened."""
        for organisation in cast.CUSTODIANS:
            signer = self.stage.signers[organisation.key, "custodian"]
            custodian, party = LocalCustodian(organisation, signer), Actor.party(signer.kid, organisation.code)
            signed = custodian.key_document(self.place, self.now())
            custody.register_share_key(self.runtime.ledger, party, self.procedure_id, self.place, signed)
            with self.runtime.ledger.read() as conn:
                waiting = custody_queries.waiting(conn, signer.kid, 0)
            job = next(job for job in waiting if (job.kind, job.procedure_id) == ("prove", self.procedure_id))
            challenge = custodian.prove(self.place, b64u_decode(job.request["ct"]))
            custody.prove_possession(self.runtime.ledger, party, signed.sha256, challenge)
            self.custodians.append(custodian)

    def publish(self) -> None:
        """Review, sign and publish; from now on bids are taken."""
        procedure_service.submit_for_review(self.runtime.ledger, self.stage.actors["drafter"], self.tender)
        self.publish_as(self.stage.actors["reviewer"])

    def publish_as(self, reviewer: Actor) -> None:
        """Sign and publish what was submitted."""
        ledger = self.runtime.ledger
        with ledger.read() as conn:
            drafted = drafting.tender_draft(conn, self.tender, at=platform_ms(conn), demo=True)
        agency, lot = self.stage.signers["agency", "agency"], drafted.lots[0]
        documents = LotDocuments(policy=sign_document(lot.policy, agency), schedule=sign_document(lot.schedule, agency))
        notice = sign_document(drafted.notice, agency)
        notices.publish_tender(ledger, reviewer, self.tender, notice, {(LOT, STAGE): documents}, demo=True)
        self.policy = parse_policy(lot.policy)

    def work(self) -> None:
        """Run everything that is due, until nothing is."""
        while True:
            with self.runtime.ledger.read() as conn:
                found = errands.due(conn, platform_ms(conn))
            if not found:
                return
            for each in found:
                errands.run(self.runtime, ERRANDS, each.id)

    def advance_to(self, target: int, work: Callable[[], object] | None = None) -> None:
        """Move demonstration time to ``target``, running each errand at its instant: here, or by ``work``."""
        work = work or self.work
        work()
        while (now := self.now()) < target:
            with self.runtime.ledger.read() as conn:
                overdue, due = errands.due(conn, now), errands.next_due_after(conn, now)
            to = target if due is None else min(due, target)
            if not overdue and to > now + 100:
                jump(self.runtime, SYSTEM, to, shift_file=self.shift_file)
            work()

    def kinds(self) -> list[str]:
        """Return the kinds of all records so far, in order of their entries."""
        with self.runtime.ledger.read() as conn:
            return list(conn.execute(select(audit_entry.c.kind).order_by(audit_entry.c.id)).scalars())

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """Return the bodies of the records of a kind."""
        with self.runtime.ledger.read() as conn:
            query = select(audit_entry.c.record).where(audit_entry.c.kind == kind).order_by(audit_entry.c.id)
            return [loads_object(bytes(raw))["body"] for raw in conn.execute(query).scalars()]

    def open_errands(self) -> list[str]:
        with self.runtime.ledger.read() as conn:
            return list(conn.execute(select(errand.c.name).where(errand.c.done_at.is_(None))).scalars())

    def serving(self) -> AbstractContextManager[str]:
        """Serve the application on a free port of the loopback interface; yield its address."""
        return serving(self.app)


@dataclass
class Bidder:
    """One organisation that bids through the API."""

    market: Market
    organisation: Organisation
    bid: str = ""

    @property
    def key(self) -> str:
        return self.organisation.key

    @property
    def signer(self) -> Es256Signer:
        return self.market.stage.signers[self.key, "bidder"]

    @property
    def client(self) -> FlaskClient:
        return self.market.client(self.key)

    def start(self) -> str:
        path = f"/api/v1/procedures/{self.market.tender}/lots/{LOT}/bids"
        self.bid = self.client.post(path, json={"stage": STAGE}).get_json()["bid"]
        return self.bid

    def context(self, seq: int) -> BidContext:
        return BidContext(
            bid=self.bid,
            bidder=self.organisation.code,
            bidder_kid=self.signer.kid,
            lot=LOT,
            policy_sha256=self.market.current_policy.sha256,
            seq=seq,
            stage=STAGE,
            tender=self.market.tender,
        )

    def seal(
        self,
        amount: int,
        *,
        seq: int = 1,
        supersedes: str | None = None,
        terms: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> SealedBid:
        """Seal one version with a price in minor units, one small file, and others by their paths."""
        context, policy = self.context(seq), self.market.current_policy
        price = build_price(context, currency="CNY", total=amount, terms=terms)
        letter = FileSource.of_bytes("letter.txt", f"{self.key}: {amount}".encode())
        sources = [letter, *(FileSource.of_bytes(path, data) for path, data in (files or {}).items())]
        main = b"".join(write_main(build_manifest(context, sources, [bytes(32)] * len(sources)), sources))
        parts = {"main": main, "price": pad_price(price, policy.price_bytes or 0)}
        return seal_bid(
            context=context, policy=policy, parts=parts, signer=self.signer, created=CLOSE, supersedes=supersedes
        )

    def upload(self, parts: Mapping[str, bytes], sealed: SealedBid) -> None:
        rows = {row["name"]: row["sha256"] for row in loads_object(sealed.envelope.doc)["parts"]}
        for name, data in parts.items():
            assert self.put_part(data, rows[name]).status_code == 201

    def put_part(self, data: bytes, sha256: str) -> TestResponse:
        path, headers = f"/api/v1/bids/{self.bid}/parts", {"X-Content-SHA256": sha256}
        return self.client.post(path, data=data, headers=headers, content_type="application/octet-stream")

    def post(self, action: str, body: Mapping[str, Any], **headers: str) -> TestResponse:
        return self.client.post(f"/api/v1/bids/{self.bid}/{action}", json=dict(body), headers=headers)

    def submit(self, sealed: SealedBid) -> TestResponse:
        """Upload the parts and submit the envelope."""
        self.upload(sealed.parts, sealed)
        return self.post("envelope", sealed.envelope.wire())


@contextmanager
def open_market(database: Database, directory: Path, bidders: tuple[Organisation, ...]) -> Iterator[Market]:
    """Yield a market whose desk is set up; the sequencer runs until the end."""
    shift_file = directory / "demo-shift"
    shift = START - SystemClock().now_ms()
    shift_file.write_text(str(shift))
    with database.connect() as owner:
        # Demonstration time only moves on; where it begins is the release's decision, and this stands for it.
        owner.exec_driver_sql("ALTER TABLE log.demo_shift DISABLE TRIGGER USER")
        owner.exec_driver_sql("UPDATE log.demo_shift SET ms = %s", (shift,))
        owner.exec_driver_sql("ALTER TABLE log.demo_shift ENABLE TRIGGER USER")
    clock = ShiftedClock(shift_file)
    world = LogWorld(database, directory, clock)
    try:
        reader = database.engine("trading_reader", pool_size=POOL)
        runtime = Runtime(
            ledger=Ledger(database.engine(pool_size=POOL), registry=REGISTRY, reader=reader),
            objects=LocalStore(directory / "objects"),
            log_dir=world.log_dir / "tiles",
            origin=database.origin,
            demo=True,
            clock=clock,
            ack=Es256Signer.generate(),
            witness_policy=world.policy_text,
        )
        stage = set_stage(runtime, directory / "people", 2026, bidders)
        with ExitStack() as sequencing:
            sequencing.enter_context(world.running())
            yield Market(directory, database, runtime, world, stage, shift_file, sequencing=sequencing)
    finally:
        world.close()
