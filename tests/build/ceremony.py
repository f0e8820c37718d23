"""A whole lot without a server: institutions, five agents, sealed bids, log, and the jobs a platform would make.

Time stands still until it is moved. Every document can be replaced before a job is built, so that a test changes
exactly one thing and sees the agent refuse it.
"""
# ruff: noqa: ANN401 - a builder takes any field

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.custodian.admission import make_key
from agents.custodian.agent import Agent, create_agent, open_agent
from agents.custodian.evidence import seen_place
from agents.custodian.state import Place
from agents.pinning import pin_trust
from agents.sealing import SealedBid, seal_bid
from tests.build.recorded_log import ContinuedLog, Placed, RecordedLog, continue_log
from tests.build.signed_log import policy_text
from trading.bids.model import ManifestItem, bids_root
from trading.bids.rules.context import BidContext
from trading.bids.rules.manifest import FileSource, build_manifest, write_main
from trading.bids.rules.policy import Policy, parse_policy
from trading.bids.rules.price import build_price, pad_price
from trading.crypto.keys import XWingPrivateKey, hpke_seal, pop_info
from trading.crypto.signatures import Es256Signer, sig_sha256, sign_document
from trading.custody.rules.jobs import JobKind, build_job, document_files
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.clock import FixedClock
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.signed import SignedDocument
from trading.openings.rules.factors import make_factor_list
from trading.openings.rules.orders import ClosedLot, OpenOrder, OrderedBid, make_order, parse_order

TENDER, LOT, STAGE = "T-2026-7k3m9q2d", "1", "all"
ORIGIN = "log.example/audit"
PUBLISHED_AT = 1_750_000_000_000
CLOSE = PUBLISHED_AT + 40 * 24 * 3_600_000
SECOND = 1000
CUSTODIANS = (
    ("某代理公司", "agency"),
    ("某交易中心", "operator"),
    ("某监督局", "supervisor"),
    ("某公证处", "notary"),
    ("某协会", "association"),
)
PASSPHRASE = None


@dataclass
class Bidder:
    """One bidder with its key and its sealed bid."""

    code: str
    bid: str
    signer: Es256Signer
    total: int
    seq: int = 1
    sealed: SealedBid | None = None
    received: Placed | None = None

    @property
    def done(self) -> SealedBid:
        assert self.sealed is not None
        return self.sealed

    @property
    def placed(self) -> Placed:
        assert self.received is not None
        return self.received


def enrolment(signer: Es256Signer, org: str, role: str = "bidder") -> SignedDocument:
    body = {
        "account": "a-1",
        "alg": "ES256",
        "challenge": "0" * 64,
        "created": PUBLISHED_AT,
        "key": b64u(signer.spki),
        "org": org,
        "role": role,
        "typ": "mb.key-enrol",
        "v": 1,
    }
    return sign_document(dumps(body), signer)


@dataclass
class World:
    """The lot of one tender; every proposal has ``filling`` random bytes besides its text."""

    directory: Path
    factor: bool = True
    filling: int = 0
    custodians: tuple[tuple[str, str], ...] = CUSTODIANS
    k: int = 3
    clock: FixedClock = field(default_factory=lambda: FixedClock(PUBLISHED_AT))
    log: RecordedLog | ContinuedLog = field(default_factory=lambda: RecordedLog(ORIGIN))
    agency: Es256Signer = field(default_factory=lambda: Es256Signer.from_scalar(101))
    supervisor: Es256Signer = field(default_factory=lambda: Es256Signer.from_scalar(102))
    station: XWingPrivateKey = field(default_factory=lambda: XWingPrivateKey.from_seed(b"\x06" * 32))
    agents: list[Agent] = field(default_factory=list)
    bidders: list[Bidder] = field(default_factory=list)
    documents: dict[str, SignedDocument] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)
    schedules: list[SignedDocument] = field(default_factory=list)
    orders: list[SignedDocument] = field(default_factory=list)
    closed_body: dict[str, Any] = field(default_factory=dict)
    closed: Placed = field(default_factory=lambda: Placed(-1, ""))

    # Before publication.

    def keep(self, signed: SignedDocument) -> SignedDocument:
        self.documents[signed.sha256] = signed
        return signed

    def record(self, kind: str, body: dict[str, Any], *, lot: bool = True, at: int | None = None) -> Placed:
        place = {"lot": LOT, "stage": STAGE} if lot else {}
        return self.log.add(kind, {**body, **place}, at=self.clock.ms if at is None else at, procedure=TENDER)

    def publish(self) -> World:
        """Set up institutions, agents, keys, policy and schedule, and admit them."""
        keys = [Es256Signer.from_scalar(201 + i) for i in range(len(self.custodians))]
        for i, ((name, role), key) in enumerate(zip(self.custodians, keys, strict=True), 1):
            create_agent(
                self.directory / f"c{i}", name=name, role=role, passphrase=PASSPHRASE, key=key, jobs_per_minute=10_000
            )
            pin_trust(self.directory / f"c{i}", SignedDocument(self.trust_file(keys)))
            self.agents.append(open_agent(self.directory / f"c{i}", PASSPHRASE, self.clock))
        custodian_keys = [self.key_of(agent) for agent in self.agents]
        self.keep(self.policy_of(custodian_keys))
        self.add_schedule(CLOSE)
        self.record("policy.fixed", {"policy_sha256": self.policy.sha256, "schedule_sha256": self.schedule.sha256})
        self.record("tender.published", {"notice_sha256": "0" * 64, "schedule_sha256": self.schedule.sha256})
        return self

    def trust_file(self, custodians: list[Es256Signer], **changes: Any) -> bytes:
        rows = [
            {"alg": "ES256", "key": b64u(key.spki), "kid": key.kid, "name": name, "role": "custodian"}
            for key, (name, _role) in zip(custodians, self.custodians, strict=True)
        ]
        for signer, name, role in ((self.agency, "某代理公司", "agency"), (self.supervisor, "某监督局", "supervisor")):
            rows.append({"alg": "ES256", "key": b64u(signer.spki), "kid": signer.kid, "name": name, "role": role})
        body: dict[str, Any] = {
            "institutions": sorted(rows, key=lambda row: str(row["kid"])),
            "issued": PUBLISHED_AT,
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
        return dumps({**body, **changes})

    def key_of(self, agent: Agent) -> SignedDocument:
        return self.keep(make_key(agent, Place(tender=TENDER, lot=LOT, stage=STAGE)))

    def policy_of(self, keys: Iterable[SignedDocument], **changes: Any) -> SignedDocument:
        rows = []
        for i, signed in enumerate(keys, 1):
            body = loads_object(signed.doc)
            rows.append(
                {
                    "hpke_pk": body["hpke_pk"],
                    "i": i,
                    "kid": signed.sigs[0]["kid"],
                    "name": body["name"],
                    "role": body["role"],
                }
            )
        policy = {
            "bidder_factor": self.factor,
            "custodians": rows,
            "demo": False,
            "k": self.k,
            "lot": LOT,
            "parts": ["main", "price"],
            "price_bytes": 4096,
            "stage": STAGE,
            "suite": "SB1-XWING-AGE",
            "supersedes": None,
            "tender": TENDER,
            "typ": "sb1.policy",
            "v": 1,
        }
        return sign_document(dumps({**policy, **changes}), self.agency)

    @property
    def policy_document(self) -> SignedDocument:
        return next(doc for doc in self.documents.values() if b'"typ":"sb1.policy"' in doc.doc)

    @property
    def policy(self) -> Policy:
        return parse_policy(self.policy_document.doc)

    def add_schedule(self, close: int, **changes: Any) -> SignedDocument:
        body: dict[str, Any] = {
            "cause": None,
            "close": close,
            "evidence": [],
            "extension_rule": None,
            "factor_window_ms": 1_800_000,
            "intake": None,
            "lot": LOT,
            "objection_ms": 600_000,
            "release_window_ms": 900_000,
            "rescue_ms": 900_000,
            "seq": len(self.schedules) + 1,
            "share_check_ms": 600_000,
            "stage": STAGE,
            "supersedes": self.schedules[-1].sha256 if self.schedules else None,
            "tender": TENDER,
            "typ": "mb.schedule",
            "v": 1,
        }
        signed = self.keep(sign_document(dumps({**body, **changes}), self.agency))
        self.schedules.append(signed)
        return signed

    @property
    def schedule(self) -> SignedDocument:
        return self.schedules[-1]

    @property
    def close_ms(self) -> int:
        close: int = loads_object(self.schedule.doc)["close"]
        return close

    def extend(self, close: int) -> None:
        self.add_schedule(close)
        body: dict[str, Any] = {
            "cause": None,
            "evidence": [],
            "notice_sha256": "0" * 64,
            "schedule_sha256": self.schedule.sha256,
        }
        self.record("tender.changed", body)

    # A log that is closed and continued.

    def move(self, *, final: bytes | None = None, **body: Any) -> None:
        """Go on in another log; ``final`` and ``body`` are what its ``log.continued`` says instead of the truth."""
        final = final or self.log.note(self.clock.ms)
        self.clock.ms += SECOND
        self.log = continue_log(self.log, final, self.clock.ms, **body)
        for agent in self.agents:
            pin_trust(agent.directory, self.later_trust(agent))

    def later_trust(self, agent: Agent, **changes: Any) -> SignedDocument:
        """Return the trust file that the supervisor gives out when the log was continued."""
        pinned = agent.trust
        body = {"log_policy": self.log.policy, "origin": self.log.origin, "seq": pinned.seq + 1}
        told = {**loads_object(pinned.raw), **body, "supersedes": pinned.sha256, **changes}
        return sign_document(dumps(told), self.supervisor)

    # Bids.

    def submit(self, total: int, *, replace: Callable[[Bidder], SignedDocument] | None = None) -> Bidder:
        """Register a bidder's key, seal a bid and log it; ``replace`` returns another signed envelope instead."""
        number = len(self.bidders) + 1
        code = f"91310000MA1K30{number:04d}"
        bidder = Bidder(code=code, bid=f"b-{number:04d}", signer=Es256Signer.from_scalar(300 + number), total=total)
        self.register(bidder.signer.kid, code)
        self.keep(enrolment(bidder.signer, code))
        bidder.sealed = self.seal(bidder)
        envelope = bidder.sealed.envelope if replace is None else replace(bidder)
        if envelope is not bidder.sealed.envelope:
            bidder.sealed = SealedBid(
                context=bidder.sealed.context,
                envelope=envelope,
                parts=bidder.sealed.parts,
                s_c=bidder.sealed.s_c,
                s_b=bidder.sealed.s_b,
            )
        bidder.received = self.receive(bidder, envelope)
        self.bidders.append(bidder)
        return bidder

    def register(self, kid: str, org: str, role: str = "bidder") -> Placed:
        body = {
            "alg": "ES256",
            "approved_by": ["a-9"],
            "kid": kid,
            "org": org,
            "role": role,
            "second_factor": True,
            "spki_sha256": kid,
        }
        return self.log.add("key.registered", body, at=self.clock.ms, procedure=None)

    def context_of(self, bidder: Bidder) -> BidContext:
        return BidContext(
            bid=bidder.bid,
            bidder=bidder.code,
            bidder_kid=bidder.signer.kid,
            lot=LOT,
            policy_sha256=self.policy.sha256,
            seq=1,
            stage=STAGE,
            tender=TENDER,
        )

    def seal(self, bidder: Bidder, **changes: Any) -> SealedBid:
        context, policy = self.context_of(bidder), self.policy
        proposal = f"technical proposal of {bidder.code}".encode() + secrets.token_bytes(self.filling)
        source = FileSource.of_bytes("技术/方案.txt", proposal)
        manifest = build_manifest(context, [source], [b"\x0b" * 32])
        price = pad_price(build_price(context, currency="CNY", total=bidder.total), policy.price_bytes or 0)
        parts = {"main": b"".join(write_main(manifest, [source])), "price": price}
        return seal_bid(
            context=context, policy=policy, parts=parts, signer=bidder.signer, created=self.clock.ms, **changes
        )

    def receive(self, bidder: Bidder, envelope: SignedDocument) -> Placed:
        self.keep(envelope)
        for data in bidder.done.parts.values():
            self.parts[sha256_hex(data)] = data
        body = {
            "bid": bidder.bid,
            "bidder": bidder.code,
            "envelope_sha256": envelope.sha256,
            "queue_ms": 3,
            "received_at": self.clock.ms,
            "seq": bidder.seq,
            "sig_sha256": sig_sha256(envelope.sigs[0]),
            "via": "platform",
        }
        return self.record("bid.received", body)

    # The close and the order.

    def close(self) -> Placed:
        self.clock.ms = self.close_ms + 6 * SECOND
        items = tuple(
            ManifestItem(bid=b.bid, envelope_sha256=b.done.envelope.sha256, h=b.placed.h, seq=b.seq)
            for b in self.bidders
        )
        body: dict[str, Any] = {
            "bids_root": bids_root(items),
            "close": self.close_ms,
            "closed_at": self.clock.ms,
            "count": len(items),
            "heartbeat_size": self.log.size,
            "policy_sha256": self.policy.sha256,
            "schedule_sha256": self.schedule.sha256,
        }
        self.closed_body = {**body, "lot": LOT, "stage": STAGE}
        self.closed = self.record("tender.closed", body)
        return self.closed

    def closed_lot(self) -> ClosedLot:
        return ClosedLot(
            tender=TENDER,
            lot=LOT,
            stage=STAGE,
            close=self.close_ms,
            bids_root=self.closed_body["bids_root"],
            policy_sha256=self.policy.sha256,
            schedule_sha256=self.schedule.sha256,
            h=self.closed.h,
            n=self.closed.n,
        )

    def ordered_bids(self) -> list[OrderedBid]:
        return [
            OrderedBid(
                bid=b.bid,
                bidder=b.code,
                envelope_sha256=b.done.envelope.sha256,
                h=b.placed.h,
                n=b.placed.n,
                objection_h=None,
                seq=b.seq,
            )
            for b in self.bidders
        ]

    def order(self, *, record: bool = True, change: dict[str, Any] | None = None, **options: Any) -> SignedDocument:
        """Make, sign and log the next order; ``change`` replaces fields of the document before it is signed."""
        self.clock.ms += 20 * SECOND
        previous = self.newest_order if self.orders else None
        document = make_order(
            self.closed_lot(),
            options.pop("bids", None) or self.ordered_bids(),
            checkpoint=options.pop("checkpoint", None) or self.log.note(self.clock.ms).decode(),
            station_pk=options.pop("station_pk", self.station.public.raw),
            created=self.clock.ms,
            previous=options.pop("previous", previous),
            **options,
        )
        if change:
            document = dumps({**loads_object(document), **change})
        signed = sign_document(document, self.agency, self.supervisor)
        if record:
            self.add_order(signed)
        return signed

    def add_order(self, signed: SignedDocument) -> None:
        self.keep(signed)
        self.orders.append(signed)
        self.record("open.ordered", {"order_sha256": signed.sha256})

    @property
    def newest_order(self) -> OpenOrder:
        return parse_order(self.orders[-1].doc)

    def factor_list(self, valid: Iterable[str] | None = None, *, record: bool = True) -> SignedDocument:
        """Make, sign and log the factor list of the newest order."""
        self.clock.ms += 2_500_000
        bids = [bidder.bid for bidder in self.bidders] if valid is None else list(valid)
        document = make_factor_list(self.newest_order, bids, created=self.clock.ms)
        signed = self.keep(sign_document(document, self.agency, self.supervisor))
        if record:
            self.record("factor.closed", {"factor_list_sha256": signed.sha256})
        return signed

    # Jobs.

    def job(
        self,
        kind: JobKind,
        request: dict[str, Any],
        agent: Agent,
        *,
        order: SignedDocument | None = None,
        without: frozenset[str] = frozenset(),
        hide: Callable[[dict[str, Any]], bool] = lambda _record: False,
        note: bytes | None = None,
        log: RecordedLog | ContinuedLog | None = None,
        change: Callable[[dict[str, bytes]], object] = lambda _files: None,
        evidence: bool = True,
        consistency: bool = True,
        extra: Iterable[SignedDocument] = (),
    ) -> bytes:
        """Return a job as the platform makes it; the options leave out or exchange one thing."""
        log = log or self.log
        files: dict[str, bytes] = {}
        for signed in (*(doc for name, doc in self.documents.items() if name not in without), *extra):
            files |= document_files(signed)
        size = 0
        if evidence:
            size = log.size
            note = note or log.note(self.clock.ms)
            files["checkpoint"] = note
            files |= log.proofs(note, hide)
            if consistency:
                files |= log.grown(seen_place(agent), note)
        if order is not None:
            files |= document_files(order)
            files["order.json"] = order.doc
            if consistency and note is not None:
                files |= log.grown(log.place_of(parse_order(order.doc).checkpoint), note)
        change(files)
        place = {"lot": LOT, "stage": STAGE, "tender": TENDER}
        return build_job(kind, files, {**place, **request}, origin=ORIGIN, checkpoint_size=size)

    def prove_job(self, agent: Agent, key: SignedDocument, challenge: bytes) -> bytes:
        pk = loads_object(key.doc)["hpke_pk"]
        ct = hpke_seal(b64u_decode(pk), pop_info(key.doc), challenge)
        request = {"ct": b64u(ct), "custodian_key_sha256": key.sha256}
        return self.job(JobKind.PROVE, request, agent, evidence=False)

    def admit_job(self, agent: Agent, **options: Any) -> bytes:
        request = {"policy_sha256": self.policy.sha256, "schedule_sha256": self.schedule.sha256}
        return self.job(JobKind.ADMIT, {**request, **options.pop("request", {})}, agent, **options)

    def check_job(self, agent: Agent, order: SignedDocument | None = None, **options: Any) -> bytes:
        order = order or self.orders[-1]
        return self.job(JobKind.CHECK, self._ordered(order), agent, order=order, **options)

    def release_job(
        self, agent: Agent, factor_list: SignedDocument | None, order: SignedDocument | None = None, **options: Any
    ) -> bytes:
        order = order or self.orders[-1]
        name = None if factor_list is None else factor_list.sha256
        request = {**self._ordered(order), "factor_list_sha256": name}
        return self.job(JobKind.RELEASE, request, agent, order=order, **options)

    def _ordered(self, order: SignedDocument) -> dict[str, Any]:
        return {
            "order_sha256": order.sha256,
            "policy_sha256": self.policy.sha256,
            "schedule_sha256": self.schedule.sha256,
        }
