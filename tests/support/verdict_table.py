"""Every row of SB1 S10 in one lot, one bid per row, opened by any subset of its custodians.

Agents and station are the product's own. Bids are sealed and every custodian answers once; each case tells from there
its own end, in a log of its own: who of the custodians was honest, and what the others did instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from agents.custodian.agent import Agent
from agents.station import conduct
from agents.station.combine import Secrets
from agents.station.gathering import LoggedRelease, missing_bids
from agents.station.reading import Opened
from tests.build.ceremony import LOT, ORIGIN, STAGE, TENDER, Bidder, World
from tests.build.opening import Opening
from tests.build.recorded_log import RecordedLog
from tests.support.verdict_rows import ABSENT, DEALT, DENIES, LIES, ROWS, SCHEMES, WITHHOLDS, Case
from tests.support.verifying import memory_bundle
from trading.crypto.keys import hpke_seal, release_info
from trading.crypto.signatures import Es256Signer, sign_document
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.clock import FixedClock
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.kernel.signed import SignedDocument
from trading.openings.rules.factors import make_rescue
from trading.openings.rules.transcripts import make_audit_item, parse_transcript
from trading.openings.rules.verdicts import Code, Finding
from verifier.progress import Progress
from verifier.report import Report
from verifier.trust import read_trust
from verifier.verification import Options, verify_bundle

OPERATOR: Final = Es256Signer.from_scalar(103)


@dataclass
class Table:
    """A closed and ordered lot with one bid per row, and what each custodian, being honest, answers."""

    directory: Path
    k: int
    custodians: tuple[tuple[str, str], ...]
    bids: dict[str, Bidder] = field(default_factory=dict)
    checks: dict[int, SignedDocument] = field(default_factory=dict)
    releases: dict[int, SignedDocument] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = World(self.directory / "agents", custodians=self.custodians, k=self.k).publish()
        for total, (name, row) in enumerate(ROWS.items()):
            replaced = None if row.make is None else partial(row.make, self.world)
            self.bids[name] = self.world.submit(10_000 + total, replace=replaced)
        del self.world.parts[sha256_hex(self.bids["part lost"].done.parts["price"])]
        self.world.close()
        stage = Opening(self.world, self.directory)
        stage.order()
        self.ordered = forked(self.world)
        every = range(1, len(self.custodians) + 1)
        stage.check(*every)
        stage.reveal(*(self.bids[name] for name, row in ROWS.items() if row.revealed))
        stage.list_factors([self.bids[name].bid for name, row in ROWS.items() if row.listed])
        stage.release(*every)
        self.factor_list = stage.factor_document
        self.checks = {index: SignedDocument.from_wire(_wire(told)) for index, told in enumerate(stage.checks, 1)}
        self.releases = {index: each.signed for index, each in enumerate(stage.released, 1)}

    def tell(self, case: Case, lies: Mapping[str, Code] | None = None) -> Told:
        """Tell the end of the ceremony; ``lies`` are verdicts that station and supervisor put in place of the true."""
        return _Ending(self, forked(self.ordered), case, lies or {}).tell()


def forked(world: World) -> World:
    """Return the lot as it is now, with a log and a clock of its own."""
    log = world.log
    assert isinstance(log, RecordedLog)
    own = RecordedLog(log.origin, log.salt, list(log.records), list(log.entries), list(log.hashes))
    documents = dict(world.documents)
    return replace(world, log=own, clock=FixedClock(world.clock.ms), documents=documents, orders=list(world.orders))


def _wire(told: Mapping[str, Any]) -> dict[str, Any]:
    return {"doc": told["doc"], "sigs": told["sigs"]}


@dataclass
class Told:
    """A ceremony told to its end: results by row, and the bundles that prove them."""

    table: Table
    stage: Opening
    results: dict[str, Opened]
    audit: SignedDocument

    def verify(self, row: str | None = None) -> Report:
        """Return the verifier's report on the auditor's bundle, or on what the bidder of one row gets."""
        files = self._files(row)
        kind, tier = ("auditor", "audit") if row is None else ("public", "public")
        listed = [{"path": path, "sha256": sha256_hex(data), "size": len(data)} for path, data in sorted(files.items())]
        header = {
            "checkpoint_size": self.stage.world.log.size,
            "files": listed,
            "kind": kind,
            "lot": LOT,
            "origin": ORIGIN,
            "procedure": TENDER,
            "stage": STAGE,
            "tier": tier,
            "typ": "mb.bundle",
            "v": 1,
        }
        files["bundle.json"] = dumps(header)
        report = Report("Trust: given by the test", trusted=True)
        verify_bundle(memory_bundle(files), read_trust(self._trust()), report, Options(), Progress())
        return report

    def _files(self, row: str | None) -> dict[str, bytes]:
        world, secret = self.stage.world, {self.audit.sha256}
        note = world.log.note(world.clock.ms)
        files = {"checkpoint": note, **world.log.proofs(note)}
        parts = dict(world.parts)
        documents = dict(world.documents)
        if row is not None:
            bid = self.table.bids[row]
            item = make_audit_item(parse_transcript(self.audit.doc), bid.bid)
            assert item is not None
            if row != "rescued":
                secret |= {name for name, each in documents.items() if b'"typ":"sb1.rescue"' in each.doc}
            documents = {name: each for name, each in documents.items() if name not in secret}
            documents[sha256_hex(item)] = SignedDocument(item)
            names = {part["sha256"] for part in loads_object(bid.done.envelope.doc)["parts"]}
            parts = {name: data for name, data in parts.items() if name in names}
        for name, signed in documents.items():
            files[f"docs/{name}.json"] = signed.doc
            if signed.sigs:
                files[f"docs/{name}.sig"] = signed.sigs_bytes
        return files | {f"parts/{name}.age": data for name, data in parts.items()}

    def _trust(self) -> bytes:
        world = self.stage.world
        trust = loads_object(world.trust_file([_es256(agent) for agent in world.agents]))
        name = {"alg": "ES256", "key": b64u(OPERATOR.spki), "kid": OPERATOR.kid}
        rows = [*trust["institutions"], {**name, "name": "某代理公司", "role": "station-operator"}]
        return dumps({**trust, "institutions": sorted(rows, key=lambda row: str(row["kid"]))})


def _es256(agent: Agent) -> Es256Signer:
    assert isinstance(agent.signer, Es256Signer)
    return agent.signer


@dataclass
class _Ending:
    table: Table
    world: World
    case: Case
    lies: Mapping[str, Code]

    def tell(self) -> Told:
        stage = Opening(self.world, self.table.directory)
        self._check(stage)
        self._reveal(stage)
        self._release(stage)
        stage.close_release()
        box = stage.box()
        evaluated = conduct.evaluate(box, stage)  # type: ignore[arg-type]  # it has the client's methods
        stage.steps["combined"] = {"items": evaluated.items(), "n": self.world.log.size}
        evaluated = replace(evaluated, ceremony=conduct.fetch(box, stage))  # type: ignore[arg-type]
        opened = conduct.open_all(box, evaluated, lambda _result: None)
        results = dict(zip(self.table.bids, opened, strict=True))
        audit = self._record(evaluated, {name: self._told(name, result) for name, result in results.items()})
        return Told(self.table, stage, results, audit)

    def _answers(self, *silent: str) -> Iterable[int]:
        return [i for i in range(1, self.case.n + 1) if self.case.wrongs.get(i) not in silent]

    def _check(self, stage: Opening) -> None:
        for index in self._answers(ABSENT):
            answer = self.table.checks[index]
            if self.case.wrongs.get(index) == DENIES:
                body = loads_object(answer.doc)
                for item in body["items"]:
                    item["code"] = "commit_mismatch" if item["code"] == "ok" else item["code"]
                answer = self.world.agents[index - 1].sign(dumps(body))
            self.world.keep(answer)
            stage.log_check(answer, index)

    def _reveal(self, stage: Opening) -> None:
        """Record the factor window, and adjudicate what is to be."""
        placed = self.world.record("factor.opened", {"ends_at": self.world.clock.ms + 1_800_000})
        stage.steps["factor_opened"] = {"ends_at": self.world.clock.ms + 1_800_000, "n": placed.n}
        for name, row in ROWS.items():
            if row.revealed:
                bidder = self.table.bids[name]
                stage.factors_by_bid[bidder.bid] = bidder.done.s_b
                self._record_of_bid("factor.revealed", bidder, received_at=self.world.clock.ms, via="platform")
        signed = self.table.factor_list
        assert signed is not None
        self.world.clock.ms += 2_500_000
        closed = self.world.record("factor.closed", {"factor_list_sha256": self.world.keep(signed).sha256})
        stage.factor_document = signed
        stage.steps["factor_closed"] = {"at": self.world.clock.ms, "n": closed.n}
        for index in self._answers(ABSENT):
            findings = self._findings(index)
            if findings:
                stage.adjudicate(index, findings)
                self.world.keep(SignedDocument.from_wire(_wire(stage.adjudications[-1])))

    def _findings(self, index: int) -> dict[str, Finding]:
        honest = {item["bid"]: item["code"] for item in loads_object(self.table.checks[index].doc)["items"]}
        dealt = self.table.bids["dealt bad"].bid
        if self.case.wrongs.get(index) != DENIES:
            return {dealt: Finding.DEALT_BAD} if index == DEALT else {}
        return {
            bid: Finding.CUSTODIAN_FAULT if code == "ok" else Finding.DEALT_BAD
            for bid, code in honest.items()
            if code != "envelope_invalid"
        }

    def _release(self, stage: Opening) -> None:
        for index in self._answers(ABSENT, WITHHOLDS):
            answer, wrong = self.table.releases[index], self.case.wrongs.get(index)
            if wrong is not None:
                body = loads_object(answer.doc)
                for item in body["items"]:
                    item["ct"] = self._another_share(item["bid"], index) if wrong == LIES else None
                answer = self.world.agents[index - 1].sign(dumps(body))
            self.world.keep(answer)
            placed = self.world.record("share.released", {"custodian": index, "release_sha256": answer.sha256})
            stage.released.append(LoggedRelease(n=placed.n, signed=answer))
        self.world.record("release.gaps", {"bids": self._gaps(stage)})
        saved = self.table.bids["rescued"]
        stage.rescues[saved.bid] = Secrets(s_c=saved.done.s_c, s_b=saved.done.s_b)
        name = saved.done.envelope.sha256
        self.world.keep(SignedDocument(make_rescue(saved.bid, name, s_b=saved.done.s_b, s_c=saved.done.s_c)))
        self._record_of_bid("rescue.accepted", saved, received_at=self.world.clock.ms)

    def _gaps(self, stage: Opening) -> list[str]:
        box = stage.box()
        ceremony = conduct.fetch(box, stage)  # type: ignore[arg-type]
        opened = conduct.open_releases(box, ceremony, stage.released)
        return missing_bids(ceremony, opened, conduct.fetch_parts(box, ceremony, stage))  # type: ignore[arg-type]

    def _another_share(self, bid: str, index: int) -> str:
        order = self.world.newest_order
        envelope = next(each.envelope_sha256 for each in order.bids if each.bid == bid)
        info = release_info(index, bytes.fromhex(order.sha256), bytes.fromhex(envelope))
        return b64u(hpke_seal(order.station_pk, info, bytes(32) + bytes([index])))

    def _record_of_bid(self, kind: str, bidder: Bidder, **body: object) -> None:
        named = {"bid": bidder.bid, "envelope_sha256": bidder.done.envelope.sha256}
        self.world.log.add(kind, {**named, **body}, at=self.world.clock.ms, procedure=TENDER)

    def _told(self, name: str, result: Opened) -> Opened:
        """Return the result as it is recorded."""
        lie = self.lies.get(name)
        return result if lie is None else replace(result, verdict=replace(result.verdict, code=lie))

    def _record(self, evaluated: conduct.Evaluated, told: Mapping[str, Opened]) -> SignedDocument:
        """Record combination, results and transcripts, and return the transcript for auditors."""
        items = [
            {**item, "verdict": str(self.lies.get(name, item["verdict"]))}
            for name, item in zip(told, evaluated.items(), strict=True)
        ]
        self.world.record("opening.combined", {"items": items})
        for result in told.values():
            ((kind, body),) = result.result().items()
            record = {"opened": "bid.opened", "verdict": "bid.verdict"}[kind]
            self.world.log.add(record, body, at=self.world.clock.ms, procedure=TENDER)
        made = conduct.transcripts(evaluated, list(told.values()), created=self.world.clock.ms)
        signed = [self.world.keep(sign_document(raw, OPERATOR, self.world.supervisor)) for raw in made]
        self.world.record("opening.completed", {"transcript_sha256s": sorted(each.sha256 for each in signed)})
        return signed[1]


def open_table(scheme: str, directory: Path) -> Table:
    """Return the lot of a scheme, closed and ordered, with every custodian's answer."""
    k, custodians = SCHEMES[scheme]
    return Table(directory, k, custodians)
