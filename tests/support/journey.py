"""Whole tenders over the API of one shared platform, act by act; a test says in which act somebody misbehaves."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from sqlalchemy import select

from agents.custodian import desk, polling
from agents.sealing import SealedBid
from agents.station import conduct
from agents.station.reading import Opened
from tests.support.ceremony import Institutions, Station
from tests.support.databases import Database
from tests.support.market import CLOSE, LOT, STAGE, WINDOWS, Bidder, Market, open_market
from tests.support.polling import eventually
from trading.audit.queries import newest_h
from trading.audit.replay import Mismatch, replay
from trading.audit.service import platform_ms, wait_witnessed
from trading.audit.tables import audit_entry
from trading.awards import service as awards
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.crypto.signatures import SignedDocument, sign_document
from trading.custody import queries as custody_queries
from trading.custody.queries import WaitingJob
from trading.custody.rules.jobs import read_job
from trading.demo.cast import BIDDERS, Organisation
from trading.disclosure.rules.tiers import Tier
from trading.disclosure.service import BundleExtras, export_log, export_procedure
from trading.evaluation import service as evaluation
from trading.evaluation.rules.ranking import Ranking
from trading.kernel.canonical import loads_object
from trading.kernel.encoding import b64u_decode
from trading.notices import drafting
from trading.notices import service as notices
from trading.openings.rules.decisions import make_adjudication
from trading.openings.rules.factors import make_factor, make_rescue
from trading.openings.rules.orders import OpenOrder, parse_order
from trading.openings.rules.verdicts import Finding
from verifier.build import single_file_source
from verifier.cli import main as verify

MARGIN = 5_000  # ms after the end of a window
TEXTS = {"text_zh": "演示。", "text_en": "Demonstration."}


@dataclass
class Exchange:
    """One platform with its institutions, on which any number of tenders run."""

    market: Market
    base: str
    institutions: Institutions

    def tender(self, close: int = CLOSE) -> Tender:
        """Draft a tender and ask the custodians for its keys; they answer in their next round."""
        market = copy.copy(self.market)
        market.draft(close)
        self.institutions.ask_for_keys(market)
        return Tender(self, market)

    def tender_with_bids(self, prices: Mapping[str, int]) -> Tender:
        """Return a published tender with one bid at each price, by the key of its bidder; it is still open."""
        tender = self.tender()
        self.institutions.round()  # keys and proofs of possession
        tender.publish()
        self.institutions.round()  # admission
        for key, price in prices.items():
            tender.submit(key, price)
        return tender

    def extras(self) -> BundleExtras:
        trust = self.institutions.trust
        return BundleExtras(verifier=single_file_source(), trust=trust.doc, trust_sigs=trust.sigs_bytes)

    @property
    def trust_file(self) -> Path:
        path = self.market.directory / "trust.wire.json"
        if not path.exists():
            path.write_bytes(self.institutions.trust.wire_bytes())
        return path

    def settle(self) -> None:
        """Wait until every record so far is witnessed."""
        with self.market.runtime.ledger.read() as conn:
            newest = newest_h(conn)
        assert newest is not None
        assert wait_witnessed(self.market.runtime, newest, 20) is not None

    def export_log(self, target: Path) -> Path:
        self.settle()
        export_log(self.market.runtime, target, self.extras())
        return target

    def audit(self) -> list[Mismatch]:
        """Replay every history as ``verify-audit`` does."""
        with self.market.database.connect("trading_auditor") as conn:
            return replay(conn, FOLDS, REPLAYED, COMPARES)


@contextmanager
def open_exchange(
    database: Database, directory: Path, bidders: tuple[Organisation, ...] = BIDDERS
) -> Iterator[Exchange]:
    """Yield a platform with five custodian agents over a demonstration database."""
    with open_market(database, directory, bidders) as market, market.serving() as base:
        institutions = Institutions(market, base)
        try:
            yield Exchange(market, base, institutions)
        finally:
            institutions.close()


@dataclass
class Tender:
    """One tender; ``market`` is the platform as seen from its procedure."""

    exchange: Exchange
    market: Market
    bidders: dict[str, Bidder] = field(default_factory=dict)
    sealed: dict[str, SealedBid] = field(default_factory=dict)
    opened: dict[str, Opened] = field(default_factory=dict)
    _station: Station | None = None

    # What is recorded.

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """Return the bodies of the records of a kind about this procedure."""
        query = select(audit_entry.c.record).where(
            audit_entry.c.kind == kind, audit_entry.c.procedure_id == self.market.procedure_id
        )
        with self.market.runtime.ledger.read() as conn:
            found = conn.execute(query.order_by(audit_entry.c.id)).scalars()
            return [loads_object(bytes(raw))["body"] for raw in found]

    def verdicts(self) -> dict[str, tuple[str, list[tuple[str, int]]]]:
        """Return the result of every bid by bidder: the last verdict, and the faults that came with it."""
        combined = self.bodies("opening.combined")[-1]["items"]
        faults = {item["bid"]: item["faults"] for item in combined}
        found = {body["bid"]: ("OK", faults[body["bid"]]) for body in self.bodies("bid.opened")}
        found |= {body["bid"]: (body["verdict"], body["faults"]) for body in self.bodies("bid.verdict")}
        by_bid = {bidder.bid: key for key, bidder in self.bidders.items()}
        return {
            by_bid[bid]: (verdict, [(fault["code"], fault["custodian"]) for fault in named])
            for bid, (verdict, named) in found.items()
        }

    # Before the close.

    def publish(self) -> None:
        self.market.publish()

    def submit(self, key: str, amount: int) -> SealedBid:
        """Start, seal and submit a bid."""
        bidder = self.start(key)
        return self.send(key, bidder.seal(amount))

    def start(self, key: str) -> Bidder:
        organisation = next(each for each in BIDDERS if each.key == key)
        self.bidders[key] = Bidder(self.market, organisation)
        self.bidders[key].start()
        return self.bidders[key]

    def send(self, key: str, sealed: SealedBid) -> SealedBid:
        answer = self.bidders[key].submit(sealed)
        assert answer.status_code == 201, answer.get_json()
        self.sealed[key] = sealed
        return sealed

    def draft_extension(self, new_close: int) -> tuple[SignedDocument, dict[tuple[str, str], SignedDocument]]:
        """Return a correction that moves the deadline, and the new schedules; signed and not published."""
        market = self.market
        agency = market.stage.signers["agency", "agency"]
        with market.runtime.ledger.read() as conn:
            at = platform_ms(conn)
            drafted = drafting.extension_draft(conn, market.tender, at=at, new_close=new_close, texts=TEXTS)
        schedules = {place: sign_document(raw, agency) for place, raw in drafted.schedules.items()}
        return sign_document(drafted.notice, agency), schedules

    def extend(self, signed: SignedDocument, schedules: dict[tuple[str, str], SignedDocument]) -> None:
        """Publish a correction that moves the deadline."""
        ledger, reviewer = self.market.runtime.ledger, self.market.stage.actors["reviewer"]
        tender, cause = self.market.tender, "更正采购需求"
        notices.extend(ledger, reviewer, tender, signed, schedules, cause=cause, affects_bids=False)

    def closing_notice(self, kind: str) -> SignedDocument:
        """Return a result or cancellation notice, signed by the agency."""
        market = self.market
        with market.runtime.ledger.read() as conn:
            raw = drafting.closing_draft(conn, market.tender, at=platform_ms(conn), kind=kind, texts=TEXTS)
        return sign_document(raw, market.stage.signers["agency", "agency"])

    def cancel(self) -> None:
        market, signed = self.market, self.closing_notice("cancellation")
        reviewer = market.stage.actors["reviewer"]
        notices.cancel(market.runtime.ledger, reviewer, market.tender, signed, "采购任务取消")

    # The ceremony.

    @property
    def station(self) -> Station:
        if self._station is None:
            directory = self.market.directory / f"station-{self.market.tender}"
            trust = self.exchange.institutions.trust
            self._station = Station.at(self.market, self.exchange.base, trust, directory)
        return self._station

    @property
    def order(self) -> OpenOrder:
        return conduct.fetch(self.station.box, self.station.client).order

    def close(self, at: int = CLOSE) -> None:
        self.market.advance_to(at + 2 * MARGIN)

    def order_opening(self) -> None:
        eventually(lambda: self.station.get().status_code == 200)
        document = self.station.draft_order()
        answer = self.station.sign(document, "agency", "supervisor").get_json()
        assert answer.get("h"), answer

    def reveal(self, *keys: str) -> None:
        """Let the objection and share-check windows end, and these bidders confirm the opening."""
        order = parse_order(self.document("open.ordered", "order_sha256"))
        window = max(WINDOWS["objection_ms"], WINDOWS["share_check_ms"])
        self.market.advance_to(order.created + window + 2 * MARGIN)
        for key in keys:
            sealed, bidder = self.sealed[key], self.bidders[key]
            document = make_factor(bidder.bid, sealed.envelope.sha256, sealed.s_b)
            answer = bidder.post("factor", SignedDocument(document).wire())
            assert answer.status_code == 201, answer.get_json()
        self.market.advance_to(self.bodies("factor.opened")[0]["ends_at"] + 1_000)
        listed = self.station.get("/documents?typ=sb1.factor-list").get_json()["documents"][-1]
        answer = self.station.sign(b64u_decode(listed["doc"]), "agency", "supervisor").get_json()
        assert answer.get("h"), answer

    def document(self, kind: str, name: str) -> bytes:
        """Return the document that the newest record of a kind names."""
        digest = self.bodies(kind)[-1][name]
        waiting = self.station.get("/documents").get_json()["documents"]
        return b64u_decode(next(row["doc"] for row in waiting if row["sha256"] == digest))

    def end_release(self, *, custodians: int = 5, rescued: tuple[str, ...] = ()) -> list[str]:
        """Collect the releases of so many custodians, report gaps, rescue, wait for the end; return the gaps."""
        box, client = self.station.box, self.station.client
        eventually(lambda: len(self.station.get("/releases").get_json()["releases"]) == custodians)
        if custodians < 5:
            assert not conduct.collect(box, client).reported
            self.market.advance_to(self.market.now() + WINDOWS["release_window_ms"] + MARGIN)
        collected = conduct.collect(box, client)
        assert collected.reported
        for key in rescued:
            sealed, bid = self.sealed[key], self.bidders[key].bid
            document = make_rescue(bid, sealed.envelope.sha256, s_b=sealed.s_b, s_c=sealed.s_c)
            assert self.bidders[key].post("rescue", SignedDocument(document).wire()).status_code == 201
        self.market.advance_to(self.market.now() + (WINDOWS["rescue_ms"] + MARGIN if collected.gaps else 0))
        self.market.work()
        eventually(lambda: self.station.get().get_json()["steps"]["release_closed"] is not None)
        by_bid = {bidder.bid: key for key, bidder in self.bidders.items()}
        return sorted(by_bid[bid] for bid in collected.gaps)

    def open(self) -> None:
        """Combine all, open all, sign the transcripts."""
        station = self.station
        conduct.combine(station.box, station.client)
        eventually(lambda: station.get().get_json()["steps"]["combined"] is not None)
        evaluated, opened = self.open_all()
        for signed in conduct.transcript_documents(evaluated, opened, station.client):
            answer = station.sign(signed.doc, "station-operator", "supervisor").get_json()
            assert answer.get("needs") == [], answer
        assert len(self.bodies("opening.completed")) == 1
        self.market.work()

    def open_all(self) -> tuple[conduct.Evaluated, list[Opened]]:
        """Run the opening pass, as ``station open`` does; again after an adjudication."""
        station = self.station
        evaluated = conduct.evaluate(station.box, station.client)
        opened = conduct.open_all(station.box, evaluated, lambda result: station.client.post_result(result.result()))
        by_bid = {bidder.bid: key for key, bidder in self.bidders.items()}
        self.opened = {by_bid[each.combined.source.bid]: each for each in opened}
        return evaluated, opened

    def rank(self) -> Ranking:
        """Rank, determine the award, publish the result; a lot that fails ends there."""
        ranking = self.award()
        if ranking.failure is None:
            self.announce(self.closing_notice("result"))
        return ranking

    def award(self) -> Ranking:
        """Rank, and determine the award if there is one."""
        market, place = self.market, (LOT, STAGE)
        drafter = market.stage.actors["drafter"]
        ranking, _ = evaluation.evaluate(market.runtime.ledger, drafter, market.tender, *place)
        if ranking.failure is None:
            awards.determine(market.runtime.ledger, drafter, market.tender, *place)
        return ranking

    def announce(self, signed: SignedDocument) -> None:
        """Publish the result notice."""
        market = self.market
        notices.publish_result(market.runtime.ledger, market.stage.actors["reviewer"], market.tender, signed)

    # What custodians do other than the honest rounds of ``Institutions``.

    def jobs(self, key: str, kind: str) -> list[WaitingJob]:
        """Return the waiting jobs of an institution about this tender."""
        kid = self.market.stage.signers[key, "custodian"].kid
        with self.market.runtime.ledger.read() as conn:
            waiting = custody_queries.waiting(conn, kid, 0)
        return [job for job in waiting if (job.kind, job.procedure_id) == (kind, self.market.procedure_id)]

    def honest(self, key: str, kind: str) -> tuple[WaitingJob, SignedDocument]:
        """Return a job and what the agent would answer to it, without posting it."""
        (job,), server = self.jobs(key, kind), self.exchange.institutions.servers[key]
        answer = desk.answer(server.agent, read_job(server._fetch(job.id)), lambda _words: None)
        return job, SignedDocument.from_wire(answer)

    def post(self, key: str, job: WaitingJob, answer: dict[str, Any]) -> None:
        self.exchange.institutions.servers[key]._post("/custodian/v1/answers", {"answer": answer, "job": job.id})

    def lie(self, key: str, job: WaitingJob, document: bytes) -> None:
        """Post another answer than the agent's, signed by the same institution."""
        signer = self.market.stage.signers[key, "custodian"]
        self.post(key, job, dict(sign_document(document, signer).wire()))

    def answer_as_person(self, key: str, kind: str) -> None:
        """Let a person answer a job from the inbox, as ``mingbiao custodian answer`` does; the agent posts it."""
        server = self.exchange.institutions.servers[key]
        job, signed = self.honest(key, kind)
        polling.put_into_outbox(server.agent.directory, job.id, {"answer": signed.wire(), "job": job.id})
        server.round()
        assert self.jobs(key, kind) == []

    def adjudicate(self, custodian: int, findings: dict[str, Finding]) -> None:
        """Let the supervisor decide about everything that a custodian called BAD; findings by bidder."""
        document = make_adjudication(
            self.order.sha256,
            {self.bidders[key].bid: finding for key, finding in findings.items()},
            custodian=custodian,
            created=self.market.now(),
        )
        answer = self.station.sign(document, "supervisor").get_json()
        assert answer.get("h"), answer
        eventually(lambda: len(self.station.get().get_json()["adjudications"]) == len(self.bodies("share.adjudicated")))

    # What everybody can verify.

    def export(self, tier: Tier, target: Path) -> Path:
        self.exchange.settle()
        export_procedure(self.market.runtime, self.market.tender, tier, target, self.exchange.extras())
        return target

    def verify(self, tier: Tier = Tier.AUDIT) -> dict[str, Any]:
        """Export a bundle and return the report of the offline verifier."""
        target = self.export(tier, self.market.directory / f"{self.market.tender}-{tier.value}.zip")
        return verified(target, self.exchange.trust_file)


def verified(bundle: Path, trust: Path | None) -> dict[str, Any]:
    """Return the verifier's report with its exit code and what it found, check by check."""
    said = StringIO()
    with redirect_stdout(said):
        code = verify([str(bundle), "--json", *(("--trust", str(trust)) if trust is not None else ())])
    report: dict[str, Any] = json.loads(said.getvalue())
    report["code"] = code
    report["found"] = [
        f"{check['id']}: {row['place']}: {row['text']}"
        for check in report["checks"]
        for row in (*check["failures"], *check["gaps"])
    ]
    report["states"] = {check["id"]: check["state"] for check in report["checks"]}
    return report
