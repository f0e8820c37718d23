"""A tender with two lots as facts, from publication to its good or bad end: what OCDS releases are made of."""
# ruff: noqa: ANN401 - a builder takes any field

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.build.tenders import code, ms
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256_hex
from trading.notices.rules.channels import PUBLISHED_KINDS
from trading.notices.rules.documents import build_notice
from trading.notices.rules.ocds import Case, Fact, Named

REFERENCE = "T-2026-7k3m9q2d"
PUBLISHED = ms("2026-03-02 09:00:00")
CLOSE = ms("2026-03-31 10:00:00")
LATER = ms("2026-04-15 10:00:00")
BUYER, AGENCY, SUPERVISOR = code("A"), code("B"), code("C")
BIDDERS = {"b-1": code("D"), "b-2": code("E"), "b-3": code("F"), "b-4": code("D"), "b-5": code("E"), "b-6": code("G")}
LOTS = {"1": ("b-1", "b-2", "b-3"), "2": ("b-4", "b-5", "b-6")}
PRICES = {"b-1": 91_000_050, "b-2": 88_000_000, "b-3": 99_900_000, "b-4": 40_000_001, "b-5": 41_000_000}
NAMES = {each: Named(code=each, name_zh=f"单位{each[-5]}", name_en=f"Body {each[-5]}") for each in BIDDERS.values()}


def party(organisation: str) -> dict[str, str]:
    return {"code": organisation, "name_zh": f"机构{organisation[-5]}", "name_en": f"Agency {organisation[-5]}"}


def offered(number: str, close_sha256: str) -> dict[str, Any]:
    item = {"code": "A02010104", "name_zh": "服务器", "name_en": "Server", "quantity": "12.5", "unit": "台"}
    return {
        "ceiling": 100_000_000,
        "currency": "CNY",
        "items": [item, {**item, "code": "A02010105", "name_en": "Storage"}],
        "lot": number,
        "method": "lowest_evaluated_price" if number == "1" else "comprehensive_scoring",
        "policy_sha256": None,
        "schedule_sha256": close_sha256,
        "stage": "all",
        "tie_rule": "price_identity_lottery",
        "title_en": f"Lot {number}",
        "title_zh": f"第{number}包",
    }


@dataclass
class Tender:
    """The facts so far. Each act adds to them; ``case()`` is the picture at the newest."""

    lots: tuple[str, ...] = ("1", "2")
    at: int = PUBLISHED
    facts: list[Fact] = field(default_factory=list)
    notices: dict[str, dict[str, Any]] = field(default_factory=dict)
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)

    def case(self, **changes: Any) -> Case:
        case = Case(
            reference=REFERENCE,
            prefix="ocds-abc123",
            base_url="https://ggzy.example",
            facts=tuple(self.facts),
            notices=dict(self.notices),
            schedules=dict(self.schedules),
            bidders=BIDDERS,
            names=NAMES | {each: Named(**party(each)) for each in (BUYER, AGENCY, SUPERVISOR)},
        )
        return replace(case, **changes)

    def published_cases(self) -> Iterator[Case]:
        """Yield the picture at every entry so far that is published: of an act about several lots, the last."""
        for count, fact in enumerate(self.facts, 1):
            following = self.facts[count] if count < len(self.facts) else None
            if fact.kind in PUBLISHED_KINDS and (following is None or not _same_notice(fact, following)):
                yield self.case(facts=tuple(self.facts[:count]))

    def _record(self, kind: str, **body: Any) -> None:
        self.at += 1_500
        self.facts.append(Fact(kind=kind, at=self.at, h=sha256_hex(f"{kind} {len(self.facts)}".encode()), body=body))

    def _of_lots(self, kind: str, lots: tuple[str, ...], **body: Any) -> None:
        for number in lots:
            self._record(kind, lot=number, stage="all", **body)

    def _notice(self, kind: str, lots: list[dict[str, Any]], changes: list[dict[str, str]] | None = None) -> str:
        fields = {
            "agency": party(AGENCY),
            "buyer": party(BUYER),
            "changes": changes or [],
            "edition_sha256": "ab" * 32,
            "kind": kind,
            "lots": lots,
            "number": len(self.notices) + 1,
            "procedure_kind": "open_tender_gp",
            "published_at": self.at,
            "regime": "gp",
            "supersedes": None,
            "supervisor": SUPERVISOR,
            "tender": REFERENCE,
            "text_en": "Supply of servers.",
            "text_zh": "采购服务器。",
            "title_en": "Servers",
            "title_zh": "服务器采购",
        }
        raw = build_notice(fields)
        self.notices[sha256_hex(raw)] = loads_object(raw)
        return sha256_hex(raw)

    def _schedule(self, close: int) -> str:
        digest = sha256_hex(str(close).encode())
        self.schedules[digest] = {"close": close}
        return digest

    def publish(self) -> None:
        schedule = self._schedule(CLOSE)
        notice = self._notice("tender", [offered(number, schedule) for number in self.lots])
        self._of_lots("tender.published", self.lots, notice_sha256=notice, schedule_sha256=schedule)

    def amend(self) -> None:
        schedule = self._schedule(LATER)
        change = {"field": "lot 1 close", "new": str(LATER), "old": str(CLOSE)}
        notice = self._notice("correction", [offered(number, schedule) for number in self.lots], [change])
        self._of_lots(
            "tender.changed", self.lots, notice_sha256=notice, schedule_sha256=schedule, cause=None, evidence=[]
        )

    def extend(self, lot: str, close: int) -> None:
        """The deadline of one lot moves by rule: no notice, and the one in force is named again."""
        before = str(self.facts[-1].body["schedule_sha256"])
        schedule = self._schedule(close)
        self.schedules[schedule] |= {"seq": 3, "supersedes": before}
        notice = self.facts[-1].body["notice_sha256"]
        named = {"notice_sha256": notice, "schedule_sha256": schedule, "cause": "clock", "evidence": ["ab" * 32]}
        self._of_lots("tender.changed", (lot,), **named)

    def answer(self) -> None:
        self._record("answer.published", lot=None, number=1, question="q-1", version=1)

    def close(self) -> None:
        self._of_lots("tender.closed", self.lots)
        self._of_lots("open.ordered", self.lots, order_sha256="cd" * 32)

    def open(self, *lots: str) -> None:
        """Open lots; the last bid of lot 2 does not open, because its bidder revealed no factor."""
        for number in lots or self.lots:
            combined = [{"bid": bid, "faults": [], "verdict": self._verdict(bid)} for bid in LOTS[number]]
            self._record("opening.combined", lot=number, stage="all", items=combined)
            for bid in LOTS[number]:
                self._read_out(bid)
            self._record("opening.completed", lot=number, stage="all", transcript_sha256s=[])

    def _read_out(self, bid: str) -> None:
        if bid not in PRICES:
            self._record("bid.verdict", bid=bid, faults=[], verdict=self._verdict(bid))
            return
        price = {"currency": "CNY", "total": PRICES[bid]}
        self._record("bid.opened", bid=bid, bidder=BIDDERS[bid], price=price)

    @staticmethod
    def _verdict(bid: str) -> str:
        return "OK" if bid in PRICES else "BIDDER_NO_FACTOR"

    def rank(self, number: str) -> None:
        """Rank a lot: the dearest of lot 1 has no rank, because it is invalid."""
        opened = sorted((PRICES[bid], bid) for bid in LOTS[number] if bid in PRICES)
        items = [
            {
                "bid": bid,
                "bidder": BIDDERS[bid],
                "evaluated_price": price,
                "price": price,
                "rank": None if bid == "b-3" else place,
                "reason": "nonconforming" if bid == "b-3" else None,
            }
            for place, (price, bid) in enumerate(opened, 1)
        ]
        self._record("bids.ranked", lot=number, stage="all", items=items)
        first = items[0]
        self._record("award.determined", lot=number, stage="all", bid=first["bid"], bidder=first["bidder"])

    def fail(self, number: str) -> None:
        self._record("lot.failed", lot=number, stage="all", reason="fewer_than_three", rule="OPN-15")

    def announce_failure(self, number: str) -> None:
        """Publish the notice of a failed lot (EVL-08)."""
        failed = {"award": None, "lot": number, "ranked_h": None, "reason": "fewer_than_three", "stage": "all"}
        self._of_lots("failure.published", (number,), notice_sha256=self._notice("failed", [failed]))

    def announce(self, *lots: str) -> None:
        """Publish the results of ranked lots."""
        concluded = []
        for number in lots:
            price, bid = min((PRICES[bid], bid) for bid in LOTS[number] if bid in PRICES)
            award = {"bid": bid, "bidder": BIDDERS[bid], "price": price}
            concluded.append({"award": award, "lot": number, "ranked_h": None, "reason": None, "stage": "all"})
        self._of_lots("result.published", lots, notice_sha256=self._notice("result", concluded))

    def contract(self, number: str) -> None:
        price, bid = min((PRICES[bid], bid) for bid in LOTS[number] if bid in PRICES)
        signed = {
            "contract_sha256": "ef" * 32,
            "currency": "CNY",
            "lot": number,
            "price": price,
            "signed_at": self.at,
            "stage": "all",
            "supplier": party(BIDDERS[bid]),
        }
        notice = self._notice("contract", [signed])
        self._of_lots("contract.published", (number,), notice_sha256=notice, contract_sha256="ef" * 32)

    def cancel(self) -> None:
        self._record("procedure.cancelled", notice_sha256=self._notice("cancellation", []), reason="task_cancelled")


def _same_notice(fact: Fact, following: Fact) -> bool:
    named = [each.body.get("notice_sha256") for each in (fact, following) if not each.is_derived]
    return len(named) == 2 and named[0] is not None and named[0] == named[1]


def whole_tender() -> Iterator[tuple[str, Tender]]:
    """Yield (state, tender) after every act of a tender with two lots that ends well, and of its bad ends."""
    tender = Tender()
    for state, act in (
        ("published", tender.publish),
        ("amended", tender.amend),
        ("answered", tender.answer),
        ("closed", tender.close),
        ("opened one lot", lambda: tender.open("1")),
        ("opened", lambda: tender.open("2")),
        ("evaluated", lambda: tender.rank("1")),
        ("awarded", lambda: tender.announce("1")),
        ("contracted", lambda: tender.contract("1")),
        ("failed the other lot", lambda: tender.fail("2")),
    ):
        act()
        yield state, tender
    yield from _bad_ends()


def _bad_ends() -> Iterator[tuple[str, Tender]]:
    cancelled = Tender()
    cancelled.publish()
    cancelled.cancel()
    yield "cancelled", cancelled
    failed = Tender(lots=("1",))
    failed.publish()
    failed.close()
    failed.fail("1")
    failed.announce_failure("1")
    yield "failed", failed
