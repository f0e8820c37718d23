"""The opening API without HTTP: what the platform answers for a lot of ``tests.build.ceremony``."""
# ruff: noqa: ANN401 - JSON

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.custodian import desk
from agents.http import Refused
from agents.station.box import Box, create_box, open_box
from agents.station.ceremony import Place
from agents.station.combine import Secrets
from agents.station.gathering import Factors, LoggedRelease
from tests.build.ceremony import LOT, SECOND, STAGE, TENDER, Bidder, World
from trading.crypto.signatures import sign_document
from trading.custody.rules.jobs import read_job
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.kernel.signed import SignedDocument
from trading.openings.rules.decisions import make_adjudication
from trading.openings.rules.verdicts import Finding

PLACE = Place(tender=TENDER, lot=LOT, stage=STAGE)
SILENT: Any = lambda _text: None  # noqa: E731 - a value that the tests pass around


@dataclass
class Opening:
    """One ceremony on a platform in memory; the station talks to it as to ``Client``."""

    world: World
    directory: Path
    checks: list[dict[str, Any]] = field(default_factory=list)
    adjudications: list[dict[str, Any]] = field(default_factory=list)
    released: list[LoggedRelease] = field(default_factory=list)
    steps: dict[str, Any] = field(default_factory=dict)
    factors_by_bid: dict[str, bytes] = field(default_factory=dict)
    late_factors: dict[str, bytes] = field(default_factory=dict)
    rescues: dict[str, Secrets] = field(default_factory=dict)
    factor_document: SignedDocument | None = None
    drafts: dict[str, SignedDocument] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    journal: list[str] = field(default_factory=list)

    # The station's side.

    def box(self, name: str = "station") -> Box:
        path = self.directory / name
        if not path.exists():
            key = create_box(
                path, api="http://127.0.0.1", place=PLACE, trust=self.world.agents[0].trust.raw, passphrase=None
            )
            self.world.station = key
        return open_box(path, None)

    # The ceremony up to release.closed.

    def order(self, name: str = "station", **options: Any) -> SignedDocument:
        key = self.box(name).key
        return self.world.order(station_pk=key.public.raw, **options)

    def check(self, *indices: int) -> None:
        for index in indices:
            agent = self.world.agents[index - 1]
            if not agent.state.policies():
                desk.answer(agent, read_job(self.world.admit_job(agent)), SILENT)
            answer = SignedDocument.from_wire(desk.answer(agent, read_job(self.world.check_job(agent)), SILENT))
            self.log_check(answer, index)

    def log_check(self, answer: SignedDocument, index: int) -> None:
        placed = self.world.record("share.checked", {"check_sha256": answer.sha256, "custodian": index})
        self.checks.append({**answer.wire(), "at": self.world.clock.ms, "n": placed.n})

    def reveal(self, *bidders: Bidder, factors: Mapping[str, bytes] | None = None) -> None:
        """Open the factor window, reveal the factors of the bidders, and close the list."""
        ends_at = self.world.clock.ms + 1_800_000
        placed = self.world.record("factor.opened", {"ends_at": ends_at})
        self.steps["factor_opened"] = {"ends_at": ends_at, "n": placed.n}
        for bidder in bidders:
            self.factors_by_bid[bidder.bid] = (factors or {}).get(bidder.bid, bidder.done.s_b)
        self.list_factors([bidder.bid for bidder in bidders])

    def list_factors(self, valid: list[str]) -> None:
        self.factor_document = self.world.factor_list(valid)
        step = {"at": self.world.clock.ms, "n": self.world.log.size - 1}
        self.steps.setdefault("first_factor_closed", step)
        self.steps["factor_closed"] = step

    def release(self, *indices: int) -> None:
        for index in indices:
            agent = self.world.agents[index - 1]
            job = self.world.release_job(agent, self.factor_document)
            self.log_release(SignedDocument.from_wire(desk.answer(agent, read_job(job), SILENT)), index)

    def log_release(self, answer: SignedDocument, index: int) -> None:
        body = {"custodian": index, "release_sha256": answer.sha256}
        self.released.append(LoggedRelease(n=self.world.record("share.released", body).n, signed=answer))

    def adjudicate(self, custodian: int, findings: dict[str, Finding]) -> None:
        document = make_adjudication(
            self.world.orders[-1].sha256, findings, custodian=custodian, created=self.world.clock.ms
        )
        signed = sign_document(document, self.world.supervisor)
        body = {"adjudication_sha256": signed.sha256, "custodian": custodian}
        self.adjudications.append({**signed.wire(), "n": self.world.record("share.adjudicated", body).n})

    def close_release(self) -> None:
        self.world.clock.ms += 1_000 * SECOND
        placed = self.world.record("release.closed", {})
        self.steps["release_closed"] = {"at": self.world.clock.ms, "n": placed.n}

    # The client's methods.

    def opening(self) -> dict[str, Any]:
        world = self.world
        names = ("factor_opened", "first_factor_closed", "factor_closed", "gaps", "release_closed", "combined")
        return {
            "adjudications": self.adjudications,
            "bidder_keys": [
                {
                    "key": b64u(bidder.signer.spki),
                    "kid": bidder.signer.kid,
                    "org": bidder.code,
                    "registered_n": 0,
                    "revoked_n": None,
                }
                for bidder in world.bidders
            ],
            "bids": [self._bid(bidder) for bidder in world.bidders],
            "checkpoint": world.log.note(world.clock.ms).decode(),
            "continued": [proof.decode() for proof in world.log.continued(world.log.note(world.clock.ms))],
            "closed": {"body": world.closed_body, "h": world.closed.h, "n": world.closed.n},
            "custodians": [
                {"i": i, "key": b64u(self._spki(agent)), "kid": agent.signer.kid}
                for i, agent in enumerate(world.agents, 1)
            ],
            "factor_list": None if self.factor_document is None else self.factor_document.wire(),
            "omitted": [],
            "orders": [
                {**order.wire(), "at": world.clock.ms, "h": "0" * 64, "n": n} for n, order in enumerate(world.orders)
            ],
            "policy": world.policy_document.wire(),
            "schedule": world.schedule.wire(),
            "share_checks": self.checks,
            "steps": {**{name: self.steps.get(name) for name in names}, "completed": None},
            "time": world.clock.ms,
        }

    @staticmethod
    def _spki(agent: Any) -> bytes:
        spki: bytes = agent.signer.spki
        return spki

    def _bid(self, bidder: Bidder) -> dict[str, Any]:
        envelope = bidder.done.envelope
        return {
            "bid": bidder.bid,
            "bidder": bidder.code,
            "envelope": envelope.wire(),
            "envelope_sha256": envelope.sha256,
            "h": bidder.placed.h,
            "n": bidder.placed.n,
            "objection_h": None,
            "received_at": 0,
            "seq": bidder.seq,
        }

    def post_document(self, signed: SignedDocument) -> dict[str, Any]:
        known = self.drafts.setdefault(signed.sha256, signed)
        return {"h": None, "needs": ["supervisor"], "sha256": known.sha256, "typ": loads_object(known.doc)["typ"]}

    def documents(self, typ: str) -> list[dict[str, Any]]:
        return [
            {**signed.wire(), "h": None, "needs": ["supervisor"], "sha256": signed.sha256}
            for signed in self.drafts.values()
            if loads_object(signed.doc)["typ"] == typ
        ]

    def releases(self) -> list[LoggedRelease]:
        return self.released

    def part(self, sha256: str, target: Path) -> str | None:
        content = self.world.parts.get(sha256)
        if content is None:
            return None
        target.write_bytes(content)
        return sha256_hex(content)

    def factors(self) -> Factors:
        if "release_closed" not in self.steps:
            raise Refused(409, "opening.early", "")
        return Factors(in_window=self.factors_by_bid, rescues=self.rescues)

    def post_gaps(self, bids: list[str]) -> None:
        placed = self.world.record("release.gaps", {"bids": bids})
        self.steps["gaps"] = {"at": self.world.clock.ms, "bids": bids, "n": placed.n}

    def post_combined(self, items: list[dict[str, Any]]) -> None:
        self.journal.append("combined")
        self.steps["combined"] = {"items": items, "n": self.world.record("opening.combined", {"items": items}).n}

    def post_result(self, result: dict[str, Any]) -> None:
        (body,) = result.values()
        self.journal.append(f"result:{body['bid']}")
        self.results[body["bid"]] = result
