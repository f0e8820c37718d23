"""A whole tender as a story, told without the platform: every record and every document of SB1 S1 in order.

``Scenario`` says who misbehaves; ``tell`` plays the story and returns everything a bundle is made of. Verdicts and
faults are written down per scenario, not computed by the table of S10: the verifier must arrive at the same result.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.made_bids import SealedBid, Signer, XWing, make_signer
from tests.support.made_log import Entry, MadeLog, b64u, sha256
from trading.kernel.canonical import dumps

START = 1_770_000_000_000
MINUTE = 60_000
CLOSE = START + 120 * MINUTE
TENDER = "T-2026-7k3m9q2d"
LOT = {"lot": "1", "stage": "all"}
BIDDERS = 5
CUSTODIANS = (
    ("agency", "东方招标代理有限公司"),
    ("operator", "示例市公共资源交易中心"),
    ("supervisor", "示例市财政局"),
    ("notary", "示例市公证处"),
    ("association", "示例市招标投标协会"),
)
EDITION_ROWS: tuple[tuple[str, int | bool, str], ...] = (
    ("bidders.min", 3, "OPN-02"),
    ("evaluation.exclude_above_ceiling", True, "EVL-02"),
    ("opening.recount_after_decrypt", True, "OPN-15"),
)


# Rows 1 to 5 of S10 list no faults.
FIRST_ROWS = (
    "BIDDER_COPIED",
    "BIDDER_NO_FACTOR",
    "PLATFORM_BAD_INTAKE",
    "PLATFORM_FACTOR_LOST",
    "PLATFORM_PART_LOST",
)
# A lie: changes the fields of a record kind or document type before they are logged or signed.
Twist = Callable[[str, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What differs from a clean tender. Bidders are numbered from 0, custodians from 1."""

    name: str = "clean"
    totals: tuple[int, ...] = (99_000_00, 95_000_00, 97_500_00, 93_000_00, 98_000_00)
    factor_mode: bool = True
    demo: bool = False
    ceiling: int | None = 100_000_00
    without_factor: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()
    bad_release: tuple[int, int] | None = None  # custodian, bidder
    false_bad: tuple[int, int] | None = None
    dealt_bad: tuple[int, int] | None = None
    foreign_share: int | None = None
    wrong_content: int | None = None
    replaced: int | None = None
    withdrawn: int | None = None
    objected: int | None = None
    rescued: frozenset[int] = frozenset()
    extended: bool = False
    adjudicated: bool = True
    adjudicated_late: bool = False  # only after the opening, as beyond the disclosure bound (S9.4)
    broken_signature: int | None = None  # the platform took an envelope whose signature fails
    copied: int | None = None  # sends bidder 0's ciphertexts as its own
    factor_list_loses: int | None = None
    part_lost: int | None = None
    verdicts: dict[int, str] = field(default_factory=dict)  # bidder -> verdict, where it is not OK
    faults: dict[int, str] = field(default_factory=dict)  # custodian -> fault in every bid that reached row 6
    bid_faults: dict[int, dict[int, str]] = field(default_factory=dict)  # bidder -> custodian -> fault
    final: dict[int, str] = field(default_factory=dict)  # bidder -> verdict that follows PENDING (S10 row 9)
    final_faults: dict[int, str] = field(default_factory=dict)  # custodian -> fault that it adds
    contracted: bool = False  # the contract is signed by both and published


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(),
        Scenario(name="demo", demo=True),
        Scenario(name="missing_factor", without_factor=frozenset({3}), verdicts={3: "BIDDER_NO_FACTOR"}),
        Scenario(name="bad_share", bad_release=(3, 1), bid_faults={1: {3: "CUSTODIAN_BAD_SHARE"}}),
        Scenario(name="false_bad", false_bad=(3, 1), bid_faults={1: {3: "CUSTODIAN_FALSE_BAD"}}),
        Scenario(name="dealt_bad", dealt_bad=(4, 2)),
        Scenario(name="two_lost", lost=frozenset({4, 5}), faults={4: "CUSTODIAN_ABSENT", 5: "CUSTODIAN_ABSENT"}),
        Scenario(
            name="three_lost",
            lost=frozenset({3, 4, 5}),
            rescued=frozenset({0, 2}),
            verdicts={1: "TOO_FEW_SHARES", 3: "TOO_FEW_SHARES", 4: "TOO_FEW_SHARES"},
            faults={3: "CUSTODIAN_ABSENT", 4: "CUSTODIAN_ABSENT", 5: "CUSTODIAN_ABSENT"},
        ),
        Scenario(
            name="bad_dealing_was_necessary",
            dealt_bad=(4, 2),
            lost=frozenset({1, 5}),
            verdicts={2: "BIDDER_MALFORMED_SEALING"},
            faults={1: "CUSTODIAN_ABSENT", 5: "CUSTODIAN_ABSENT"},
        ),
        Scenario(
            name="pending",
            dealt_bad=(4, 2),
            adjudicated=False,
            lost=frozenset({1, 5}),
            verdicts={2: "PENDING"},
            faults={1: "CUSTODIAN_ABSENT", 5: "CUSTODIAN_ABSENT"},
        ),
        Scenario(name="late_finding", false_bad=(3, 1), adjudicated=False, adjudicated_late=True),
        Scenario(
            name="settled_against_bidder",
            dealt_bad=(4, 2),
            adjudicated=False,
            adjudicated_late=True,
            lost=frozenset({1, 5}),
            verdicts={2: "PENDING"},
            faults={1: "CUSTODIAN_ABSENT", 5: "CUSTODIAN_ABSENT"},
            final={2: "BIDDER_MALFORMED_SEALING"},
        ),
        Scenario(
            name="settled_against_custodian",
            false_bad=(4, 2),
            adjudicated=False,
            adjudicated_late=True,
            lost=frozenset({1, 5}),
            verdicts={2: "PENDING"},
            faults={1: "CUSTODIAN_ABSENT", 5: "CUSTODIAN_ABSENT"},
            final={2: "TOO_FEW_SHARES"},
            final_faults={4: "CUSTODIAN_FALSE_BAD"},
        ),
        Scenario(name="broken_signature", broken_signature=2, verdicts={2: "PLATFORM_BAD_INTAKE"}),
        Scenario(name="copied", copied=3, verdicts={3: "BIDDER_COPIED"}),
        Scenario(name="factor_lost", factor_list_loses=1, verdicts={1: "PLATFORM_FACTOR_LOST"}),
        Scenario(name="part_lost", part_lost=1, verdicts={1: "PLATFORM_PART_LOST"}),
        Scenario(name="foreign_share", foreign_share=2, verdicts={2: "BIDDER_MALFORMED_SEALING"}),
        Scenario(name="wrong_content", wrong_content=4, verdicts={4: "BIDDER_MALFORMED_CONTENT"}),
        Scenario(name="replaced", replaced=1),
        Scenario(name="withdrawn", withdrawn=0),
        Scenario(name="tie", totals=(93_000_00, 95_000_00, 93_000_00, 93_000_00, 95_000_00)),
        Scenario(name="above_ceiling", ceiling=98_000_00),
        Scenario(name="no_factor_mode", factor_mode=False),
        Scenario(name="extended", extended=True),
        Scenario(name="objected", objected=4),
        Scenario(name="contracted", contracted=True),
    )
}


@dataclass
class Bid:
    """A bidder's bid: the versions sent, and the entry of the newest."""

    number: int
    signer: Signer
    id: str
    versions: list[SealedBid] = field(default_factory=list)
    entry: Entry | None = None
    withdrawn: bool = False

    @property
    def sealed(self) -> SealedBid:
        return self.versions[-1]

    @property
    def h(self) -> str:
        assert self.entry is not None
        return self.entry.h


class Tender:
    """The story and everything it leaves behind."""

    def __init__(self, scenario: Scenario, twist: Twist | None = None) -> None:
        self.scenario = scenario
        self.twist = twist or (lambda _, fields: fields)
        self.now = START
        self.log = MadeLog("demo.log.example/audit" if scenario.demo else "log.example/audit")
        self.documents: dict[str, tuple[bytes, list[dict[str, str]]]] = {}
        self.parts: dict[str, bytes] = {}
        self.hidden: set[int] = set()  # entries that a public bundle must not show (bids that are not opened)
        self.secret: set[str] = set()  # documents of the audit tier
        self.agency = make_signer("91310000AGENCY0001", CUSTODIANS[0][1], "agency")
        self.supervisor = make_signer("11310000SUPER00001", CUSTODIANS[2][1], "supervisor")
        self.operator = make_signer("91310000STATION001", "开标终端操作员", "station-operator")
        self.institutions = [
            make_signer(f"91310000CUSTOD000{i}", name, "custodian") for i, (_, name) in enumerate(CUSTODIANS, 1)
        ]
        self.share_keys = [XWing(sha256(f"{scenario.name} share key {i}".encode())) for i in range(1, 6)]
        self.station = XWing(sha256(f"{scenario.name} station".encode()))
        self.bids: list[Bid] = []
        self.close = CLOSE
        self.number = 0  # of the newest notice
        self.policy: dict[str, Any] = {}
        self.schedule: dict[str, Any] = {}
        self.closed_body: dict[str, Any] = {}
        self.order: dict[str, Any] = {}
        self.closed: Entry  # set by the close
        self.enter_listed: Callable[[], dict[str, str]] = dict  # enters what an intake lists, just before the close
        self.ordered: list[Bid] = []
        self.releases: list[str] = []
        self.factor_list: str | None = None
        self.notice_sha256: str | None = None
        self.policy_sha256 = self.schedule_sha256 = self.edition_sha256 = self.order_sha256 = self.checkpoint = ""

    def record(self, kind: str, body: dict[str, Any], subject: str | None = None, *, public: bool = True) -> Entry:
        """Log a record of this procedure a second later than the last one."""
        self.now += 1000
        chosen = subject or (
            "lot:1" if "lot" in body else f"bid:{body['bid']}" if "bid" in body else f"procedure:{TENDER}"
        )
        entry = self.log.append(kind, self.twist(kind, body), at=self.now, subject=chosen, procedure=TENDER)
        if not public:
            self.hidden.add(entry.n)
        return entry

    def document(self, fields: dict[str, Any], *signers: Signer, secret: bool = False) -> str:
        """Keep a document and return its hash."""
        data = dumps({**self.twist(fields["typ"], fields), "v": 1})
        name = sha256(data).hex()
        self.documents[name] = (data, sorted((signer.sign(data) for signer in signers), key=lambda sig: sig["kid"]))
        if secret:
            self.secret.add(name)
        return name

    def wait(self, until: int) -> None:
        """Let time pass; the witnesses sign the unchanged log again when it is over."""
        self.now = max(self.now, until)

    def register(self) -> None:
        """Keys in the log (P6.2), with the enrolment documents of bidders."""
        bidders = [make_signer(f"91310000BIDDER00{i:02d}", f"投标人{i}", "bidder") for i in range(BIDDERS)]
        for signer in [self.agency, self.supervisor, self.operator, *self.institutions, *bidders]:
            self.now += 1000
            body = {
                "alg": "ES256",
                "approved_by": ["a-desk-1", "a-desk-2"],
                "kid": signer.kid,
                "org": signer.org,
                "role": signer.role,
                "second_factor": True,
                "spki_sha256": signer.kid,
            }
            self.log.append(
                "key.registered",
                self.twist("key.registered", body),
                at=self.now,
                subject=f"key:{signer.kid}",
                procedure=None,
            )
            if signer.role == "bidder":
                self.bids.append(Bid(len(self.bids), signer, self.bid_id(len(self.bids))))
                fields = {
                    "account": "a-1",
                    "alg": "ES256",
                    "challenge": secrets.token_hex(32),
                    "created": self.now,
                    "key": b64u(signer.spki),
                    "org": signer.org,
                    "role": "bidder",
                    "typ": "mb.key-enrol",
                }
                self.document(fields, signer)

    def bid_id(self, number: int) -> str:
        """A random-looking id, the same in every run."""
        return f"b-{sha256(f'{self.scenario.name} bid {number}'.encode()).hex()[:16]}"

    def fix_policy(self) -> None:
        """Custodian keys, proofs of possession, policy and schedule (S3)."""
        rows = []
        for i, ((role, name), institution, share_key) in enumerate(
            zip(CUSTODIANS, self.institutions, self.share_keys, strict=True), 1
        ):
            fields = {
                "created": self.now,
                "hpke_pk": b64u(share_key.public),
                "name": name,
                "role": role,
                "suite": "SB1-XWING-AGE",
                "tender": TENDER,
                "typ": "sb1.custodian-key",
                **LOT,
            }
            key = self.document(fields, institution)
            challenge = secrets.token_bytes(32)
            self.record(
                "custodian.challenged", {"challenge_sha256": sha256(challenge).hex(), "custodian_key_sha256": key}
            )
            self.record("custodian.proved", {"challenge": challenge.hex(), "custodian_key_sha256": key})
            rows.append({"hpke_pk": b64u(share_key.public), "i": i, "kid": institution.kid, "name": name, "role": role})
        self.policy = {
            "bidder_factor": self.scenario.factor_mode,
            "custodians": rows,
            "demo": self.scenario.demo,
            "k": 3,
            "parts": ["main", "price"],
            "price_bytes": 4096,
            "suite": "SB1-XWING-AGE",
            "supersedes": None,
            "tender": TENDER,
            "typ": "sb1.policy",
            **LOT,
        }
        self.policy_sha256 = self.document(self.policy, self.agency)
        self.schedule = {
            "cause": None,
            "close": self.close,
            "evidence": [],
            "extension_rule": None,
            "factor_window_ms": 30 * MINUTE,
            "intake": None,
            "objection_ms": 10 * MINUTE,
            "release_window_ms": 15 * MINUTE,
            "rescue_ms": 15 * MINUTE,
            "seq": 1,
            "share_check_ms": 10 * MINUTE,
            "supersedes": None,
            "tender": TENDER,
            "typ": "mb.schedule",
            **LOT,
        }
        self.schedule_sha256 = self.document(self.schedule, self.agency)
        body = {"policy_sha256": self.policy_sha256, "schedule_sha256": self.schedule_sha256, **LOT}
        self.record("policy.fixed", body)

    def notice(self, kind: str, lots: list[dict[str, Any]], changes: list[dict[str, str]] | None = None) -> str:
        """A notice of the chain (contract of ``mb.notice``)."""
        self.number += 1
        party = {"code": self.agency.org, "name_en": "Example Agency", "name_zh": self.agency.name}
        fields = {
            "agency": party,
            "buyer": {"code": "12310000BUYER00001", "name_en": "Example School", "name_zh": "示例市第一中学"},
            "changes": changes or [],
            "edition_sha256": self.edition_sha256,
            "kind": kind,
            "lots": lots,
            "number": self.number,
            "procedure_kind": "open_tender_gp",
            "published_at": self.now,
            "regime": "GP",
            "supersedes": self.notice_sha256,
            "supervisor": self.supervisor.org,
            "tender": TENDER,
            "text_en": "Prices and their ciphertexts are published after the opening.",
            "text_zh": "开标后公布报价及其密文。",
            "title_en": "Desks and chairs",
            "title_zh": "课桌椅采购",
            "typ": "mb.notice",
        }
        self.notice_sha256 = self.document(fields, self.agency)
        return self.notice_sha256

    def offered(self) -> dict[str, Any]:
        return {
            "ceiling": self.scenario.ceiling,
            "currency": "CNY",
            "items": [{"code": "A1", "name_en": "Desk", "name_zh": "课桌", "quantity": "1", "unit": "批"}],
            "lot": "1",
            "method": "lowest_evaluated_price",
            "policy_sha256": self.policy_sha256,
            "schedule_sha256": self.schedule_sha256,
            "stage": "all",
            "tie_rule": "price_identity_lottery",
            "title_en": "Desks",
            "title_zh": "课桌",
        }

    def publish(self) -> None:
        """Edition, tender notice, and the correction of an extended tender (T2)."""
        rows = [
            {"key": key, "rule": [rule], "source": "", "unit": "bool" if value is True else "count", "value": value}
            for key, value, rule in EDITION_ROWS
        ]
        fields = {"id": "cn.test", "jurisdiction": "cn", "parameters": rows, "typ": "mb.edition"}
        self.edition_sha256 = self.document(fields)
        named = {"notice_sha256": self.notice("tender", [self.offered()]), "schedule_sha256": self.schedule_sha256}
        self.record("tender.published", {**named, **LOT})
        if self.scenario.extended:
            self.extend()

    def extend(self) -> None:
        later = self.close + 60 * MINUTE
        self.schedule = {**self.schedule, "close": later, "seq": 2, "supersedes": self.schedule_sha256}
        self.schedule_sha256 = self.document(self.schedule, self.agency)
        changes = [{"field": "lot 1 close", "new": str(later), "old": str(self.close)}]
        self.close = later
        named = {
            "notice_sha256": self.notice("correction", [self.offered()], changes),
            "schedule_sha256": self.schedule_sha256,
        }
        self.record("tender.changed", {**named, "cause": None, "evidence": [], **LOT})

    def listed(self) -> list[Bid]:
        return sorted((bid for bid in self.bids if not bid.withdrawn), key=lambda bid: bid.id)

    def good_shares(self, bid: Bid) -> list[bytes]:
        """Shares that their custodians released as dealt."""
        scenario = self.scenario
        good = [
            i
            for i in range(1, 6)
            if i not in scenario.lost and self.answer(i, bid) == "ok" and scenario.bad_release != (i, bid.number)
        ]
        return [bid.sealed.shares[i - 1] for i in good] if bid in self.valid_bids() else []

    def answer(self, custodian: int, bid: Bid) -> str:
        """What a custodian says of its share in the share check (S9.3)."""
        scenario = self.scenario
        if scenario.broken_signature == bid.number:
            return "envelope_invalid"
        bad = (custodian, bid.number) in (scenario.false_bad, scenario.dealt_bad) or scenario.copied == bid.number
        return "hpke_open_failed" if bad else "ok"

    def valid_bids(self) -> list[Bid]:
        missing = self.scenario.without_factor | {self.scenario.factor_list_loses}
        return [bid for bid in self.ordered if bid.number not in missing]

    def verdict_of(self, bid: Bid) -> str:
        return self.scenario.verdicts.get(bid.number, "OK")

    def faults_of(self, bid: Bid) -> list[dict[str, Any]]:
        if self.verdict_of(bid) in FIRST_ROWS:
            return []
        found = {**self.scenario.faults, **self.scenario.bid_faults.get(bid.number, {})}
        return [{"code": code, "custodian": i} for i, code in sorted(found.items())]
