"""A scoring tender whose bids are opened, and a committee of five seats that evaluates it through the use cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from tests.build.drawn_files import book
from tests.build.hostile_files import pdf, png, word
from tests.build.scores import CRITERIA, PREFERENCE
from tests.support.databases import Database, copied
from tests.support.journey import Exchange, Tender
from tests.support.market import CLOSE, LOT, STAGE
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.demo import cast
from trading.evaluation import service
from trading.evaluation.queries import ReportRow, report_of
from trading.evaluation.rules.examination import Outcome, Step
from trading.evaluation.rules.sheets import Score
from trading.evaluation.service.examining import Opinion
from trading.evaluation.service.state import LotState
from trading.experts import queries as experts
from trading.experts.rules.composition import Committee, Member, MemberState
from trading.kernel.roles import Actor
from trading.procedures import queries as procedures

SEATS = ("m-a1", "m-b2", "m-c3", "m-d4", "m-e5")
SPARE = "m-f6"
# Two bidders claim a deduction; the fourth is below 45 % of the ceiling of 150 000 yuan (B10.3).
PRICES = {"qinghe": 98_000_00, "bolin": 99_000_00, "yunfan": 97_000_00, "songtao": 60_000_00, "mingde": 95_000_00}
# What one of them sends besides its letter: two files that nobody may open, one that a test lets hang, three that pass.
OFFER = ("Delivery plan", "Two men install each room\nwithin one day.", "Guarantee of five years")
POISON = {
    "offer/hang.bin": bytes(range(256)),
    "offer/macro.docx": word(more={"word/vbaProject.bin": bytes(50)}),
    "offer/offer.pdf": book(*OFFER),
    "offer/photo.png": png(),
    "offer/plan.docx": word(more={"word/embeddings/other.docx": word()}),
    "offer/script.pdf": pdf(b"<</S/JavaScript/JS(app.alert(1))>>"),
}
CLAIMS = {"qinghe": "small_micro", "mingde": "consortium"}
LOT_TERMS: dict[str, Any] = {
    "category": "goods",
    "criteria": [each.to_json() for each in CRITERIA],
    "method": "comprehensive_scoring",
    "preference": PREFERENCE.to_json(),
}


def committee(states: Mapping[str, MemberState] | None = None, seats: tuple[str, ...] = SEATS) -> Committee:
    """Return a drawn committee: the first seat is the buyer's representative, the others are experts."""
    members = tuple(
        Member(
            seat=seat,
            kind="representative" if seat == SEATS[0] else "expert",
            stratum=None if seat == SEATS[0] else "furniture",
            state=(states or {}).get(seat, "present"),
        )
        for seat in seats
    )
    return Committee(draw="D-test", members=members, state="seated")


def specification(*, close: int, windows: dict[str, int], **lot: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of the lot
    """Return the demonstration's tender under the national law, with criteria."""
    made = _SPECIFICATION(close=close, windows=windows, jurisdiction="cn")
    return {**made, "lots": [{**made["lots"][0], **LOT_TERMS, **lot}]}


_SPECIFICATION = cast.specification


def opened_tender(exchange: Exchange, **lot: Any) -> Tender:  # noqa: ANN401 - fields of the lot
    """Return a scoring tender whose five bids are opened to the last transcript."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cast, "specification", partial(specification, **lot))
        tender = exchange.tender()
    exchange.institutions.round()  # keys and proofs of possession
    tender.publish()
    exchange.institutions.round()  # admission
    for key, price in PRICES.items():
        claim = CLAIMS.get(key)
        terms, files = None if claim is None else {"sme": claim}, POISON if key == "songtao" else None
        tender.send(key, tender.start(key).seal(price, terms=terms, files=files))
    tender.close(CLOSE)
    tender.order_opening()
    exchange.institutions.round()  # share checks
    tender.reveal(*PRICES)
    exchange.institutions.round()  # releases
    tender.end_release()
    tender.open()
    return tender


@dataclass
class Sitting:
    """The people of one evaluation over one ledger; ``bids`` are the references by bidder."""

    ledger: Ledger
    reference: str
    agency: Actor
    bids: Mapping[str, str]
    database: Database | None = None
    seats: list[str] = field(default_factory=lambda: list(SEATS))

    @property
    def place(self) -> tuple[str, str, str]:
        return self.reference, LOT, STAGE

    def state(self) -> LotState:
        with self.ledger.begin(self.agency) as uow:
            row = procedures.find(uow.connection, self.reference)
            lot = procedures.find_lot(uow.connection, row.id, LOT, STAGE)
            return service.load_lot(uow.connection, row, lot, uow.at)

    def qualify(self, **invalid: str) -> None:
        """Find every bidder qualified but those named, with the reason."""
        for key, bid in self.bids.items():
            outcome = Outcome.INVALID if key in invalid else Outcome.CONFORMING
            opinion = Opinion(bid=bid, outcome=outcome, reason=invalid.get(key, ""))
            service.qualify(self.ledger, self.agency, *self.place, opinion)

    def start(self) -> None:
        service.start(self.ledger, self.agency, self.reference)

    def vote(self, seat: str, key: str, step: Step = Step.CONFORMITY, *, reason: str = "", grants: bool = True) -> None:
        """Vote for a bid, or against it with a reason."""
        outcome = Outcome.INVALID if reason else Outcome.CONFORMING
        opinion = Opinion(bid=self.bids[key], outcome=outcome, reason=reason, grants=grants)
        service.vote(self.ledger, service.member_actor(seat), *self.place, step, opinion)

    def vote_all(self, step: Step = Step.CONFORMITY, keys: tuple[str, ...] = tuple(PRICES)) -> None:
        for key in keys:
            for seat in self.seats:
                self.vote(seat, key, step)

    def explain_price(self, key: str) -> None:
        service.explain_price(self.ledger, self.agency, *self.place, self.bids[key], "Own timber, cheap machines.")

    def examine(self) -> None:
        """Everything before the scores: all qualified, all conforming, the low price explained and accepted."""
        self.qualify()
        self.start()
        self.vote_all()
        self.explain_price("songtao")
        self.vote_all(Step.PRICE, ("songtao",))

    def type(self, seat: str, plans: Mapping[str, str] | None = None, warranty: str = "5") -> None:
        """Type a whole sheet: points of the plan by bidder (30 where none is given)."""
        for key, bid in self.bids.items():
            cells = {
                "warranty": Score(points=warranty, comment=None),
                "plan": Score(points=(plans or {}).get(key, "30"), comment="as described"),
            }
            service.save_draft(self.ledger, service.member_actor(seat), *self.place, bid, cells)

    def sign(self, seat: str, *, reason: str = "") -> None:
        service.sign_sheet(self.ledger, service.member_actor(seat), *self.place, reason=reason)

    def score(self, plans: Mapping[str, str] | None = None) -> None:
        for seat in self.seats:
            self.type(seat, plans)
            self.sign(seat)

    def sign_report(self, *, dissent: Mapping[str, str] | None = None) -> None:
        for seat in self.seats:
            self.sign_report_as(seat, (dissent or {}).get(seat))

    def sign_report_as(self, seat: str, dissent: str | None = None) -> None:
        service.sign_report(
            self.ledger, service.member_actor(seat), self.reference, self.report().sha256, dissent=dissent
        )

    def report(self) -> ReportRow:
        with self.ledger.read() as conn:
            found = report_of(conn, procedures.find(conn, self.reference).id)
        assert found is not None
        return found


@contextmanager
def sitting_on(database: Database, reference: str, agency: Actor, bids: Mapping[str, str]) -> Iterator[Sitting]:
    """Yield a sitting over a copy of a database whose lot is opened."""
    with copied(database) as copy:
        ledger = Ledger(copy.engine(), registry=REGISTRY, reader=copy.engine("trading_reader"))
        yield Sitting(ledger, reference, agency, bids, copy)


def seat_everybody(patch: pytest.MonkeyPatch, found: Committee | None = None) -> None:
    """Let the platform know this committee, as the draw would have formed it."""
    patch.setattr(experts, "committee_of", lambda _conn, _procedure_id: found or committee())
