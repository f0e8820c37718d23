"""A whole draw without a server: centre, supervisor, three contributors, five agents, log, and the jobs for them.

Time stands still until it is moved. Every document can be replaced before a job is built, so that a test changes one
thing and sees it refused.
"""
# ruff: noqa: ANN401 - a builder takes any field

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.contributor import acts
from agents.contributor.desk import Desk, create_desk, open_desk
from agents.contributor.package import read_package
from agents.custodian.agent import Agent, create_agent, open_agent
from agents.custodian.draws import make_draw_key
from agents.custodian.evidence import seen_place
from agents.pinning import pin_trust
from tests.build.recorded_log import ContinuedLog, Placed, RecordedLog, continue_log
from tests.build.signed_log import policy_text
from trading.crypto import shares as shamir
from trading.crypto.signatures import Es256Signer
from trading.custody.rules.jobs import JobKind, build_job, document_files
from trading.experts.rules import contributions, pool
from trading.experts.rules.fields import EXCLUSION_KEY, POOL_KEY
from trading.experts.rules.policy import Policy, parse_policy, write_policy
from trading.experts.rules.pool import Entrant
from trading.experts.rules.spec import Spec, parse_spec, write_spec
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.clock import FixedClock
from trading.kernel.encoding import b64u
from trading.kernel.signed import SignedDocument

DRAW = "D-7k3m9q2d"
ORIGIN = "log.example/audit"
BEGAN = 1_750_000_000_000
SECOND = 1000
PARTIES = ("agency", "notary", "supervisor")
CUSTODIANS = (
    ("某代理公司", "agency"),
    ("某交易中心", "operator"),
    ("某监督局", "supervisor"),
    ("某公证处", "notary"),
    ("某协会", "association"),
)
K_DRAW, K_X = b"\x0d" * 32, b"\x0e" * 32


@dataclass
class DrawWorld:
    """One draw of three experts from twenty in two strata."""

    directory: Path
    clock: FixedClock = field(default_factory=lambda: FixedClock(BEGAN))
    log: RecordedLog | ContinuedLog = field(default_factory=lambda: RecordedLog(ORIGIN))
    centre: Es256Signer = field(default_factory=lambda: Es256Signer.from_scalar(301))
    supervisor: Es256Signer = field(default_factory=lambda: Es256Signer.from_scalar(302))
    agents: list[Agent] = field(default_factory=list)
    desks: dict[str, Desk] = field(default_factory=dict)
    keys: list[SignedDocument] = field(default_factory=list)
    documents: dict[str, SignedDocument] = field(default_factory=dict)
    placed: dict[str, Placed] = field(default_factory=dict)

    def keep(self, signed: SignedDocument) -> SignedDocument:
        self.documents[signed.sha256] = signed
        return signed

    def record(self, kind: str, body: Mapping[str, Any], attempt: int = 1) -> Placed:
        full = {**body, "attempt": attempt, "draw": DRAW}
        return self.log.add(kind, full, at=self.clock.ms, procedure=None)

    def both(self, raw: bytes) -> SignedDocument:
        return self.keep(SignedDocument(raw, (self.centre.sign(raw), self.supervisor.sign(raw))))

    def set_up(self) -> DrawWorld:
        """Make institutions, agents, contributors, keys, policy and spec; nothing is admitted yet."""
        for i, (name, role) in enumerate(CUSTODIANS, 1):
            key = Es256Signer.from_scalar(201 + i)
            directory = self.directory / f"c{i}"
            create_agent(directory, name=name, role=role, passphrase=None, key=key, jobs_per_minute=10_000)
            pin_trust(directory, SignedDocument(self.trust_file()))
            self.agents.append(open_agent(directory, None, self.clock))
        for i, party in enumerate(PARTIES, 1):
            directory = self.directory / party
            key = Es256Signer.from_scalar(310 + i)
            create_desk(directory, api="https://example.org", name=f"参与{i}", passphrase=None, key=key)
            pin_trust(directory, SignedDocument(self.trust_file()))
            self.desks[party] = open_desk(directory, None, self.clock)
        self.keys = [self.keep(make_draw_key(agent, DRAW)) for agent in self.agents]
        self.policy_signed = self.both(self.policy_bytes())
        self.placed["policy"] = self.record("draw.policy_fixed", {"policy_sha256": self.policy_signed.sha256})
        self.spec_signed = self.both(self.spec_bytes())
        self.placed["spec"] = self.record("draw.specified", {"spec_sha256": self.spec_signed.sha256})
        return self

    def trust_file(self) -> bytes:
        rows = [("custodian", name, Es256Signer.from_scalar(201 + i)) for i, (name, _) in enumerate(CUSTODIANS, 1)]
        rows += [("contributor", f"参与{i}", Es256Signer.from_scalar(310 + i)) for i in range(1, len(PARTIES) + 1)]
        rows += [("centre", "某交易中心", self.centre), ("supervisor", "某监督局", self.supervisor)]
        institutions = [
            {"alg": "ES256", "key": b64u(key.spki), "kid": key.kid, "name": name, "role": role}
            for role, name, key in rows
        ]
        return dumps(
            {
                "institutions": sorted(institutions, key=lambda row: str(row["kid"])),
                "issued": BEGAN,
                "log_policy": policy_text(ORIGIN),
                "origin": ORIGIN,
                "release_sha256": [],
                "seq": 1,
                "supersedes": None,
                "tsa": [],
                "typ": "mb.trust",
                "v": 1,
                "x509_roots": [],
            }
        )

    def policy_bytes(self, **changes: Any) -> bytes:
        rows = []
        for i, signed in enumerate(self.keys, 1):
            body = loads_object(signed.doc)
            row = {name: body[name] for name in ("hpke_pk", "name", "role")}
            rows.append({**row, "i": i, "kid": signed.sigs[0]["kid"]})
        body = {
            "custodians": rows,
            "demo": False,
            "draw": DRAW,
            "k": 3,
            "suite": "SB1-XWING-AGE",
            "supersedes": None,
        }
        return write_policy({**body, **changes})

    def spec_bytes(self, **changes: Any) -> bytes:
        entrants = [
            Entrant(id=f"E{number:04}", stratum="S07" if number < 12 else "S11", unit=f"U{number % 7}")
            for number in range(20)
        ]
        made = pool.make_pool(K_DRAW, entrants)
        attempt = changes.get("attempt", 1)
        body: dict[str, Any] = {
            "attempt": 1,
            "beacon": None,
            "call_ms": 600_000,
            "commit_ms": 600_000,
            "committee": {"appointed": 0, "representatives": 1, "seated": 0},
            "draw": DRAW,
            "excl_root": pool.exclusion_root(K_X, 20, {}).hex(),
            "exclusion_key_commit": pool.exclusion_key_commit(DRAW, attempt, K_X).hex(),
            "excluded": [{"count": 0, "id": "S07"}, {"count": 0, "id": "S11"}],
            "limits": ["person", "unit"],
            "min_valid": 2,
            "parties": [{"id": party, "kid": self.desks[party].signer.kid} for party in PARTIES],
            "policy_sha256": self.policy_signed.sha256,
            "pool_key_commit": pool.pool_key_commit(DRAW, attempt, K_DRAW).hex(),
            "pool_root": made.root.hex(),
            "pool_size": 20,
            "previous": None,
            "procedure_commit": pool.procedure_commit(bytes(32), "T-1").hex(),
            "register_size": 1,
            "reveal_ms": 300_000,
            "rule_version": "mb-experts-1",
            "strata": made.strata({"S07": 2, "S11": 1}),
        }
        return write_spec({**body, **changes})

    @property
    def policy(self) -> Policy:
        return parse_policy(self.policy_signed.doc)

    @property
    def spec(self) -> Spec:
        return parse_spec(self.spec_signed.doc)

    def move(self) -> None:
        """Close the log, go on in the next one, and have everybody pin its trust file."""
        final = self.note()
        self.clock.ms += SECOND
        self.log = continue_log(self.log, final, self.clock.ms)
        pinned = SignedDocument(self.trust_file())
        told = {"log_policy": self.log.policy, "origin": self.log.origin, "seq": 2, "supersedes": pinned.sha256}
        later = dumps({**loads_object(pinned.doc), **told})
        for name in (*(f"c{i}" for i in range(1, len(CUSTODIANS) + 1)), *PARTIES):
            pin_trust(self.directory / name, SignedDocument(later, (self.supervisor.sign(later),)))

    # What the platform shows and asks.

    def note(self) -> bytes:
        return self.log.note(self.clock.ms)

    def receipt(self, placed: Placed, *, witnesses: tuple[int, ...] = (1, 2, 3)) -> bytes:
        note = self.log.note(self.clock.ms, witnesses=witnesses)
        return self.log.receipt(placed.n, note, self.log.size)

    def package(self, **changes: Any) -> dict[str, Any]:
        body = {
            "attempt": 1,
            "custodian_keys": [signed.wire() for signed in self.keys],
            "draw": DRAW,
            "policy": self.policy_signed.wire(),
            "policy_proof": self.receipt(self.placed["policy"]).decode(),
            "spec": self.spec_signed.wire(),
            "spec_proof": self.receipt(self.placed["spec"]).decode(),
            "state": "specified",
        }
        return {**body, **changes}

    def job(
        self, kind: JobKind, agent: Agent, request: Mapping[str, Any], documents: Iterable[str], *placed: Placed
    ) -> bytes:
        """Return a job with the newest witnessed checkpoint, grown from what the agent has seen."""
        note, size = self.note(), self.log.size
        files = {"checkpoint": note, **self.log.leading(note)}
        for sha256 in documents:
            files.update(document_files(self.documents[sha256]))
        for item in placed:
            files.update(self.log.proof_file(item.n, note))
        files.update(self.log.grown(seen_place(agent), note))
        return build_job(kind, files, {**request, "draw": DRAW}, origin=ORIGIN, checkpoint_size=size)

    def admit_job(self, agent: Agent) -> bytes:
        policy = self.policy_signed.sha256
        return self.job(
            JobKind.DRAW_ADMIT,
            agent,
            {"policy_sha256": policy},
            [policy, *(signed.sha256 for signed in self.keys)],
            self.placed["policy"],
        )

    def escrow(self) -> list[SignedDocument]:
        """Deal both keys of the centre."""
        made = []
        for use, key in ((POOL_KEY, K_DRAW), (EXCLUSION_KEY, K_X)):
            raw = contributions.make_escrow(self.spec, self.policy, use, key, deal=shamir.deal, seal=acts.seal_share)
            made.append(self.keep(SignedDocument(raw, (self.centre.sign(raw),))))
            self.placed[use] = self.record("draw.escrowed", {"escrow_sha256": made[-1].sha256, "use": use})
        return made

    def commit(self, party: str) -> SignedDocument:
        """Let a contributor commit, and log it."""
        desk = self.desks[party]
        signed = self.keep(acts.contribute(desk, read_package(desk, self.package()), lambda _text: None))
        self.log_contribution(party, signed)
        return signed

    def log_contribution(self, party: str, signed: SignedDocument) -> Placed:
        body = {"contribution_sha256": signed.sha256, "party": party, "via": "platform"}
        self.placed[signed.sha256] = self.record("draw.committed", body)
        return self.placed[signed.sha256]

    def check_job(self, agent: Agent, documents: Iterable[str]) -> bytes:
        names = sorted(documents)
        policy, spec = self.policy_signed.sha256, self.spec_signed.sha256
        placed = [self.placed["spec"], *(self.placed[n] for n in self.placed if n in names or n.startswith("ed1."))]
        request = {"attempt": 1, "documents": names, "policy_sha256": policy, "spec_sha256": spec}
        return self.job(JobKind.DRAW_CHECK, agent, request, [spec, *names], *placed)

    def seal(self, listed: Mapping[str, SignedDocument], left_out: Mapping[str, str] | None = None) -> Placed:
        """Log a seal."""
        left = left_out or {}
        body = {
            "contributions": [
                {"contribution_sha256": listed[party].sha256, "party": party} for party in sorted(listed)
            ],
            "left_out": [{"party": party, "reason": left[party]} for party in sorted(left)],
            "spec_sha256": self.spec_signed.sha256,
        }
        self.placed["seal"] = self.record("draw.sealed", body)
        return self.placed["seal"]

    def recover_job(self, agent: Agent, parties: Iterable[str], placed: Placed | None = None) -> bytes:
        seal = placed or self.placed["seal"]
        request = {
            "attempt": 1,
            "parties": sorted(parties),
            "policy_sha256": self.policy_signed.sha256,
            "sealed_h": seal.h,
            "spec_sha256": self.spec_signed.sha256,
        }
        return self.job(JobKind.DRAW_RECOVER, agent, request, [], seal)
