"""A draw of experts as a story, told without the platform: every record and every document of ED1 D2 in order.

``DrawStory`` says who misbehaves; a ``twist`` changes a record or document before it is logged or signed and makes the
story a lie. ``make_draw_bundle`` gives the bundle of kind ``draw`` that the verifier reads.
"""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.made_bids import Signer, XWing, make_signer
from tests.support.made_log import Entry, MadeLog, b64u, sha256
from tests.support.make_bundle import Files, add_checkpoints, make_trust, with_list
from tests.support.verifying import memory_bundle
from trading.crypto import shares as shamir
from trading.crypto.keys import hpke_seal, pop_info, share_info
from trading.experts.rules import checks, contributions, disclosed, finals, pool, register, results, reveals, walk
from trading.experts.rules.contributions import Contribution
from trading.experts.rules.disclosed import OpenedReason
from trading.experts.rules.fields import ESCROWED
from trading.experts.rules.policy import Policy, parse_policy
from trading.experts.rules.pool import Pool
from trading.experts.rules.register import Act, Register
from trading.experts.rules.spec import SPEC, Spec
from trading.experts.rules.walk import Entry as Step
from trading.experts.rules.walk import State, Walk
from trading.kernel.canonical import dumps, loads_object
from verifier.build import single_file_source
from verifier.progress import Progress
from verifier.report import Report
from verifier.trust import read_trust
from verifier.verification import Options, verify_bundle

START = 1_770_000_000_000
SECOND, MINUTE = 1000, 60_000
DRAW, PROCEDURE = "D-7k3m9q2d5w1x", "T-2026-7k3m9q2d"
PARTIES = ("agency", "notary", "supervisor")
CUSTODIANS = ("agency", "operator", "supervisor", "notary", "association")
STRATA = {"S07-LOCAL": 3, "S11-LOCAL": 2}
REVEAL_MS = 5 * MINUTE
Twist = Callable[[str, dict[str, Any]], dict[str, Any]]


def seal_share(public_key: bytes, i: int, ctx: bytes, share: bytes) -> bytes:
    """Encrypt a share to its custodian."""
    return hpke_seal(public_key, share_info(i, ctx), share)


@dataclass(frozen=True, kw_only=True)
class DrawStory:
    """What differs from a clean draw. Parties by name, custodians from 1, answers of the walk by number of the call."""

    name: str = "clean"
    experts: int = 24
    units: int = 9
    absent: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    void: frozenset[str] = frozenset()
    suspended: int = 2
    silent: frozenset[int] = frozenset()  # custodians without share check, waived
    no_recovery: frozenset[int] = frozenset()
    refusing: frozenset[int] = frozenset({1})
    unreachable: frozenset[int] = frozenset({4})
    replaced: bool = True
    cancelled: str | None = None  # the first attempt ends so before its seal, and a second follows


@dataclass
class MadeDraw:
    """The story with its log, keys and documents."""

    story: DrawStory
    twist: Twist | None = None
    log: MadeLog = field(default_factory=lambda: MadeLog("log.example/draws"))
    now: int = START
    documents: dict[str, tuple[bytes, list[dict[str, str]]]] = field(default_factory=dict)
    secret: set[str] = field(default_factory=set)
    attempt: int = 1
    checkpoint: str = ""

    def __post_init__(self) -> None:
        self.centre = make_signer("91110000000000001A", "示例市公共资源交易中心", "centre")
        self.supervisor = make_signer("91110000000000002A", "示例市财政局", "supervisor")
        self.contributors = {party: make_signer(party, f"{party} 参与方", "contributor") for party in PARTIES}
        self.institutions = [make_signer(name, f"{name} 保管方", "custodian") for name in CUSTODIANS]
        self.keys = [XWing(secrets.token_bytes(32)) for _ in CUSTODIANS]
        self.key_documents: list[str] = []
        self.openings: list[OpenedReason] = []
        self.draw = DRAW
        self.previous: str | None = None
        self.result: results.Result | None = None
        self.seated: set[int] = set()

    # Records and documents.

    def _twisted(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        return body if self.twist is None else self.twist(name, body)

    def record(self, name: str, body: Mapping[str, Any], *, draw: bool = True) -> Entry:
        """Log a record a second later."""
        self.now += SECOND
        of = {"attempt": self.attempt, "draw": self.draw} if draw else {}
        kind = f"draw.{name}" if draw else name
        subject = f"draw:{self.draw}" if draw else "register:experts"
        full = self._twisted(kind, {**body, **of})
        return self.log.append(kind, full, at=full.pop("_at", self.now), subject=subject, procedure=None)

    def put(self, raw: bytes, *signers: Signer, secret: bool = False) -> bytes:
        """Keep a document, twisted if the story says so, with its signatures; returns its bytes."""
        value = loads_object(raw)
        data = dumps(self._twisted(value["typ"], dict(value)))
        sigs = sorted((signer.sign(data) for signer in signers), key=lambda sig: sig["kid"])
        name = sha256(data).hex()
        self.documents[name] = (data, sigs)
        if secret:
            self.secret.add(name)
        return data

    def both(self, raw: bytes) -> bytes:
        return self.put(raw, self.centre, self.supervisor)

    # The steps of D2.

    def fill_register(self) -> None:
        """Admit and suspend experts, and take the nightly snapshot."""
        names = list(STRATA)
        items = [
            {
                "id": f"E{number:04}",
                "strata": [names[number % 2]] if number % 5 else names,
                "unit": f"U{number % self.story.units}",
            }
            for number in range(self.story.experts)
        ]
        self.register = Register(experts={})
        for act, chosen in ((Act.ADMITTED, items), (Act.SUSPENDED, items[: self.story.suspended])):
            if chosen:
                raw = register.make_register_change(act, chosen, created=self.now, before=self.register.last)
                data = self.put(raw, self.supervisor, secret=True)
                self.register = self.register.apply(register.parse_register_change(data))
                self.record(f"expert.{act.value}", {"change_sha256": sha256(data).hex()}, draw=False)
        size = len(self.log.entries)
        snapshot = pool.make_pool(secrets.token_bytes(32), self.register.entrants())
        body = {
            "key_commit": pool.pool_key_commit(pool.REGISTER, 1, snapshot.k_draw).hex(),
            "register_size": size,
            "root": snapshot.root.hex(),
            "seq": 1,
            "size": len(snapshot.entrants),
        }
        self.record("pool.snapshot", body, draw=False)

    def fix_policy(self) -> None:
        """Make and prove the share keys, and fix the policy."""
        rows = []
        for i, (role, signer, key) in enumerate(zip(CUSTODIANS, self.institutions, self.keys, strict=True), 1):
            raw = dumps(
                {
                    "created": self.now,
                    "draw": self.draw,
                    "hpke_pk": b64u(key.public),
                    "name": signer.name,
                    "role": role,
                    "suite": "SB1-XWING-AGE",
                    "typ": "ed1.custodian-key",
                    "v": 1,
                }
            )
            data, challenge = self.put(raw, signer), secrets.token_bytes(32)
            named = sha256(data).hex()
            assert key.open(pop_info(data), key.seal(pop_info(data), challenge)) == challenge
            self.record(
                "custodian.challenged",
                {"challenge_sha256": sha256(challenge).hex(), "custodian_key_sha256": named},
                draw=False,
            )
            self.record("custodian.proved", {"challenge": challenge.hex(), "custodian_key_sha256": named}, draw=False)
            rows.append({"hpke_pk": b64u(key.public), "i": i, "kid": signer.kid, "name": signer.name, "role": role})
        body = {
            "custodians": rows,
            "demo": False,
            "draw": self.draw,
            "k": 3,
            "suite": "SB1-XWING-AGE",
            "supersedes": None,
            "typ": "ed1.policy",
            "v": 1,
        }
        data = self.both(dumps(body))
        self.policy: Policy = parse_policy(data)
        self.record("policy_fixed", {"policy_sha256": self.policy.sha256})

    def snapshot(self) -> None:
        """Freeze pool and exclusions under fresh keys."""
        self.k_draw, self.k_x, self.salt = (secrets.token_bytes(32) for _ in range(3))
        self.pool: Pool = pool.make_pool(self.k_draw, self.register.entrants(STRATA))
        self.reasons: dict[int, str] = {
            index: "suspended"
            for index, entrant in enumerate(self.pool.entrants)
            if entrant.id in self.register.suspended
        }
        self.reasons.setdefault(len(self.pool.entrants) - 1, "employer")
        self.excl_root = pool.exclusion_root(self.k_x, len(self.pool.entrants), self.reasons)

    def specify(self) -> None:
        """Snapshot the pool, compute the exclusions, sign and log the spec."""
        self.snapshot()
        strata = self.pool.strata(STRATA)
        counts = pool.excluded_counts(strata, self.reasons)
        body = {
            "attempt": self.attempt,
            "beacon": None,
            "call_ms": 20 * MINUTE,
            "commit_ms": 10 * MINUTE,
            "committee": {"appointed": 0, "representatives": 2, "seated": 0},
            "draw": self.draw,
            "excl_root": self.excl_root.hex(),
            "excluded": [{"count": counts[item.id], "id": item.id} for item in strata],
            "exclusion_key_commit": pool.exclusion_key_commit(self.draw, self.attempt, self.k_x).hex(),
            "limits": ["person", "unit"],
            "min_valid": 2,
            "parties": [{"id": party, "kid": self.contributors[party].kid} for party in PARTIES],
            "policy_sha256": self.policy.sha256,
            "pool_key_commit": pool.pool_key_commit(self.draw, self.attempt, self.k_draw).hex(),
            "pool_root": self.pool.root.hex(),
            "pool_size": len(self.pool.entrants),
            "previous": self.previous,
            "procedure_commit": pool.procedure_commit(self.salt, PROCEDURE).hex(),
            "register_size": len(self.log.entries),
            "reveal_ms": REVEAL_MS,
            "rule_version": "mb-experts-1",
            "strata": [{"a": item.a, "b": item.b, "id": item.id, "need": item.need} for item in strata],
            "typ": "ed1.spec",
            "v": 1,
        }
        data = self.both(dumps(body))
        self.spec = Spec(raw=data, **SPEC.read(data))  # a forger's spec need not be a lawful one
        self.record("specified", {"spec_sha256": self.spec.sha256})

    def collect(self) -> None:
        """Escrow both keys, let the parties commit, let the custodians check."""
        named = []
        for use, key in zip(ESCROWED, (self.k_draw, self.k_x), strict=True):
            raw = contributions.make_escrow(self.spec, self.policy, use, key, deal=shamir.deal, seal=seal_share)
            named.append(sha256(self.put(raw, self.centre)).hex())
            self.record("escrowed", {"escrow_sha256": named[-1], "use": use})
        self.contributions: dict[str, Contribution] = {}
        self.rs: dict[str, bytes] = {}
        named += [self._commit(party) for party in PARTIES if party not in self.story.absent]
        for i, signer in enumerate(self.institutions, 1):
            if i in self.story.silent:
                continue
            codes = dict.fromkeys(named, checks.CheckCode.OK)
            raw = checks.make_share_check(
                codes, custodian=i, draw=self.draw, spec_sha256=self.spec.sha256, created=self.now
            )
            self.record("share_checked", {"check_sha256": sha256(self.put(raw, signer)).hex(), "custodian": i})
        if self.story.silent:
            raw = checks.make_waiver(self.story.silent, draw=self.draw, spec_sha256=self.spec.sha256, created=self.now)
            self.record("waived", {"waiver_sha256": sha256(self.both(raw)).hex()})

    def _commit(self, party: str) -> str:
        self.rs[party] = secrets.token_bytes(32)
        raw = contributions.make_contribution(
            self.spec, self.policy, party, self.rs[party], deal=shamir.deal, seal=seal_share
        )
        if party in self.story.void:
            value = loads_object(raw)
            value["shares"][4]["c"] = "00" * 32  # the fifth custodian covers it up
            raw = dumps(value)
        data = self.put(raw, self.contributors[party])
        self.contributions[party] = contributions.parse_contribution(data)
        self.record("committed", {"contribution_sha256": sha256(data).hex(), "party": party, "via": "platform"})
        return sha256(data).hex()

    def seal(self) -> Entry:
        """Seal and let the witnesses sign."""
        self.now += 10 * MINUTE
        body = {
            "contributions": [
                {"contribution_sha256": self.contributions[party].sha256, "party": party}
                for party in sorted(self.contributions)
            ],
            "left_out": [{"party": party, "reason": "absent"} for party in sorted(self.story.absent)],
            "spec_sha256": self.spec.sha256,
        }
        self.sealed = self.record("sealed", body)
        self.log.witness(self.now)
        return self.sealed

    def open_up(self) -> None:
        """Reveal, recover, determine the seed."""
        sealed_h, outcomes = self.sealed.h, []
        for party, contribution in sorted(self.contributions.items()):
            if party not in self.story.withheld:
                raw = reveals.make_reveal(contribution, self.rs[party], sealed_h)
                data = self.put(raw, self.contributors[party])
                self.record("revealed", {"party": party, "reveal_sha256": sha256(data).hex(), "via": "platform"})
        self.now += REVEAL_MS + 2 * SECOND
        for party in sorted(self.story.withheld):
            self._recover(party, sealed_h)
        for party, contribution in sorted(self.contributions.items()):
            valid = contributions.is_valid(contribution, self.rs[party], self.policy.k, shamir.deal)
            outcomes.append(
                reveals.Outcome(
                    party=party,
                    commit=contribution.commit,
                    r=self.rs[party],
                    withheld=party in self.story.withheld,
                    valid=valid,
                )
            )
        seeded = finals.make_seed(self.spec, outcomes)
        self.seed = seeded.seed
        self.put(seeded.final.raw)
        body = {
            "beacon": None,
            "final_sha256": seeded.final.sha256,
            "seed": seeded.seed.hex(),
            "void": list(seeded.void),
        }
        self.record("seeded", body)

    def _recover(self, party: str, sealed_h: str) -> None:
        contribution = self.contributions[party]
        shares = shamir.deal(self.rs[party], contribution.context.bytes(), self.policy.k, self.policy.n).shares
        for i, signer in enumerate(self.institutions, 1):
            if i in self.story.no_recovery:
                continue
            raw = reveals.make_recovery(contribution, shares[i - 1], sealed_h, custodian=i)
            named = sha256(self.put(raw, signer)).hex()
            body = {"custodian": i, "party": party, "recovery_sha256": named, "via": "platform"}
            self.record("recovered", body)

    # The walk.

    def begin_walk(self) -> None:
        facts = walk.Facts(excluded=self.reasons.__contains__, entrant=self.pool.entrants.__getitem__)
        self.walk = Walk(self.spec, self.seed, facts)
        self.trail: list[bytes] = []
        self.calls = 0
        self.answers: dict[int, State] = {}

    def step(self, state: State | None, index: int, stratum: str, reason: str | None = None) -> None:
        """Log one call or disposition and apply it."""
        body: dict[str, Any] = {"index": index, "stratum": stratum}
        salt = secrets.token_bytes(32)
        commit = None if reason is None else walk.reason_commit(salt, reason)
        if state is not None:
            body.update({"reason_commit": None if commit is None else commit.hex(), "state": state.value})
        entry = self.record("called" if state is None else "disposed", body)
        if reason is not None:
            self.openings.append(OpenedReason(n=entry.n, reason=reason, salt=salt))
        self.trail.append(bytes.fromhex(entry.h))
        told = entry.value["body"]
        if (told["index"], told.get("state")) == (index, None if state is None else state.value):
            self.walk.apply(Step(index=index, stratum=stratum, at=entry.value["at"], state=state, reason_commit=commit))

    def walk_on(self) -> None:
        """Call until nobody is open or pending; everybody answers when no further call is due."""
        while not self.walk.finished:
            following = self.walk.next_step()
            if following is not None:
                if following.state is None:
                    self.calls += 1
                    self.answers[following.index] = (
                        State.REFUSED
                        if self.calls in self.story.refusing
                        else State.UNREACHABLE
                        if self.calls in self.story.unreachable
                        else State.SELECTED
                    )
                self.step(following.state, following.index, following.stratum)
                continue
            index = min(self.walk.pending, key=lambda one: (self.answers[one] is State.UNREACHABLE, one))
            state = self.answers[index]
            if state is State.UNREACHABLE:
                self.now += 20 * MINUTE
            self.step(state, index, self.stratum_of(index), "busy" if state is State.REFUSED else None)

    def stratum_of(self, index: int) -> str:
        return next(item.id for item in self.spec.strata if item.a <= index < item.b)

    def conclude(self) -> None:
        """Sign and log the result."""
        data = self.both(results.make_result(self.walk, self.seed, self.trail, self.result))
        self.result = results.parse_result(data)
        self.seated |= {seat.index for seat in self.walk.selected}
        self.record("result", {"result_sha256": self.result.sha256})

    def replace_one(self) -> None:
        """The first of the selected falls ill: the same walk goes on."""
        seat = self.walk.selected[0]
        self.step(State.REPLACED, seat.index, seat.stratum, "ill")
        self.walk_on()
        self.conclude()

    def cancel(self, reason: str) -> None:
        """Cancel the attempt, whether or not the rules allow it; the next one follows it."""
        raw = results.make_cancel(self.spec, reason, created=self.now, sealed=False)
        data = self.both(raw)
        self.record("cancelled", {"cancel_sha256": sha256(data).hex()})
        self.disclose()
        self.previous = sha256(data).hex()
        self.attempt += 1

    def disclose(self) -> None:
        """Publish leaves and procedure, and give the auditor the keys."""
        if self.seated:
            self.put(disclosed.make_leaves(self.spec, map(self.pool.opened, self.seated)))
        keys = disclosed.make_keys(self.spec, self.k_draw, self.k_x, self.reasons, self.openings)
        for raw in keys:
            self.put(raw, secret=True)
        self.record("disclosed", {"procedure": PROCEDURE, "salt": self.salt.hex()})


STORIES = {
    story.name: story
    for story in (
        DrawStory(),
        DrawStory(name="absent", absent=frozenset({"notary"})),
        DrawStory(name="withheld", withheld=frozenset({"agency"})),
        DrawStory(name="withheld_thrice", withheld=frozenset(PARTIES), no_recovery=frozenset({2, 4})),
        DrawStory(name="void", void=frozenset({"agency"})),
        DrawStory(name="void_hidden", void=frozenset({"agency"}), withheld=frozenset({"agency"})),
        DrawStory(name="waived", silent=frozenset({4})),
        DrawStory(name="second_attempt", cancelled="operator_error"),
        DrawStory(name="exhausted", experts=12, suspended=4, refusing=frozenset({1, 2, 3, 4, 5})),
        DrawStory(name="plain", replaced=False, refusing=frozenset(), unreachable=frozenset()),
    )
}


def tell_draw(story: DrawStory | None = None, twist: Twist | None = None) -> MadeDraw:
    """Play a whole draw, from the register to the disclosure."""
    made = MadeDraw(story or DrawStory(), twist)
    made.fill_register()
    made.fix_policy()
    made.log.witness(made.now)
    if made.story.cancelled is not None:
        made.specify()
        made.cancel(made.story.cancelled)
    made.specify()
    play(made)
    return finish(made)


def play(made: MadeDraw) -> None:
    """Play an attempt from the escrows to its last result and disclosure."""
    made.collect()
    made.seal()
    go_on(made)


def go_on(made: MadeDraw) -> None:
    """Play an attempt from the seal to its last result and disclosure."""
    made.open_up()
    made.begin_walk()
    made.walk_on()
    made.conclude()
    if made.story.replaced:
        made.replace_one()
    made.disclose()


def fork(made: MadeDraw, story: DrawStory) -> MadeDraw:
    """Return a copy that may go on differently from here; what was logged so far is the same in both."""
    twin = copy.copy(made)
    twin.story = story
    twin.log = copy.copy(made.log)
    twin.log.entries = list(made.log.entries)
    twin.log.notes = {size: list(notes) for size, notes in made.log.notes.items()}
    twin.documents, twin.secret = dict(made.documents), set(made.secret)
    twin.openings, twin.seated = list(made.openings), set(made.seated)
    return twin


def finish(made: MadeDraw) -> MadeDraw:
    """Let the witnesses sign the end."""
    made.log.append("log.pad", {}, at=made.now, subject="log", procedure=None)
    made.checkpoint = made.log.witness(made.now + SECOND)
    return made


def trust_of(made: MadeDraw) -> tuple[bytes, bytes]:
    """``mb.trust`` of the story."""
    signers = [made.centre, made.supervisor, *made.contributors.values(), *made.institutions]
    return make_trust(made.log, signers, made.supervisor)


def make_draw_bundle(made: MadeDraw, tier: str = "audit", kind: str = "draw") -> Files:
    """Return the bundle: in tier ``public`` without register, keys and reasons."""
    trust, signature = trust_of(made)
    files: Files = {
        "checkpoint": made.checkpoint.encode(),
        "trust.json": trust,
        "trust.sig": signature,
        "verify.py": single_file_source(),
    }
    add_checkpoints(files, made.log)
    for name, (data, sigs) in made.documents.items():
        if tier == "audit" or name not in made.secret:
            files[f"docs/{name}.json"] = data
            if sigs:
                files[f"docs/{name}.sig"] = dumps(list(sigs))
    if kind == "audit":
        files.update(made.log.tiles())
    for entry in made.log.entries:
        if kind == "audit":
            files[f"records/{entry.n}.json"] = dumps(
                {"nonce": entry.nonce.hex(), "record": b64u(entry.record), "t": entry.t}
            )
        elif entry.kind != "log.pad" and (tier == "audit" or not entry.kind.startswith(("expert.", "pool."))):
            files[f"log/{entry.n}.tlog-proof"] = made.log.proof(entry, made.checkpoint)
    header = {
        "checkpoint_size": len(made.log.entries),
        "kind": kind,
        "lot": None,
        "origin": made.log.origin,
        "procedure": None if kind == "audit" else PROCEDURE,
        "stage": None,
        "tier": tier,
        "typ": "mb.bundle",
        "v": 1,
    }
    return with_list(files, header)


def verify_draw(made: MadeDraw, tier: str = "audit", kind: str = "draw") -> Report:
    """Verify the bundle of a story with its trust file."""
    report = Report("Trust: given by the test", trusted=True)
    bundle = memory_bundle(make_draw_bundle(made, tier, kind))
    verify_bundle(bundle, read_trust(*trust_of(made)), report, Options(), Progress())
    return report
