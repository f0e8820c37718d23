"""A scoring tender whose bids are opened, and a committee of five seats that evaluates it through the use cases."""

from __future__ import annotations

import secrets
from collections import defaultdict
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
from trading.evaluation.queries import ReportRow, last_version, report_of, scoring_of, signatures_of, sitting_of
from trading.evaluation.rules.commitment import SALT_BYTES, Heading, MadeSheet, make_sheet
from trading.evaluation.rules.examination import Outcome, Step
from trading.evaluation.rules.holding import echo_of
from trading.evaluation.rules.sheets import Score, check_sheet
from trading.evaluation.service.examining import Opinion
from trading.evaluation.service.holding import challenge
from trading.evaluation.service.state import LotState
from trading.experts import queries as experts
from trading.experts.rules.composition import Committee, Member, MemberState
from trading.kernel.roles import Actor, Role
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
class Machine:
    """What lies on the machine of one member, and nowhere else until it is handed in."""

    cells: dict[str, dict[str, Score]] = field(default_factory=dict)
    sheet: MadeSheet | None = None
    version: int = 0


def unchecked(cells: Mapping[str, Mapping[str, Score]]) -> list[dict[str, Any]]:
    """Return the items of a sheet as a broken program makes them, whatever the criteria say."""
    return [
        {
            "bid": bid,
            "scores": [
                {"comment": cell.comment, "criterion": name, "points": cell.points} for name, cell in row.items()
            ],
        }
        for bid, row in sorted(cells.items())
    ]


@dataclass
class Sitting:
    """The people of one evaluation over one ledger; ``bids`` are the references by bidder."""

    ledger: Ledger
    reference: str
    agency: Actor
    bids: Mapping[str, str]
    database: Database | None = None
    seats: list[str] = field(default_factory=lambda: list(SEATS))
    machines: dict[str, Machine] = field(default_factory=lambda: defaultdict(Machine))

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

    def type(
        self, seat: str, plans: Mapping[str, str] | None = None, warranty: str = "5", comment: str = "as described"
    ) -> None:
        """Type a whole sheet on the machine of the member: points of the plan by bidder (30 where none is given)."""
        self.machines[seat].cells = {
            bid: {
                "warranty": Score(points=warranty, comment=None),
                "plan": Score(points=(plans or {}).get(key, "30"), comment=comment),
            }
            for key, bid in self.bids.items()
        }

    def make(self, seat: str, *, reason: str = "", lawful: bool = True) -> MadeSheet:
        """Make the sheet of what was typed, as the browser does; it stays on the machine of the member."""
        machine, state = self.machines[seat], self.state()
        with self.ledger.read() as conn:
            version = last_version(conn, state.place, seat) + 1
        heading = Heading(
            tender=self.reference, lot=LOT, stage=STAGE, seat=seat, version=version, reason=reason or None
        )
        bids = [state.sheet_name(bid.bid) for bid in state.conforming]
        cells = {state.sheet_name(bid): row for bid, row in machine.cells.items()}
        items = check_sheet(state.rules.criteria, bids, cells) if lawful else unchecked(cells)
        machine.sheet = make_sheet(heading, items, secrets.token_bytes(SALT_BYTES))
        machine.version = version
        return machine.sheet

    def sign(self, seat: str, *, reason: str = "", lawful: bool = True) -> None:
        """Sign the digest of what was typed; after the scores are open the changed sheet goes with it."""
        made, actor = self.make(seat, reason=reason, lawful=lawful), service.member_actor(seat)
        with self.ledger.read() as conn:
            is_open = scoring_of(conn, self.state().place) is not None
        if is_open:
            service.correct_sheet(self.ledger, actor, *self.place, made.raw)
        else:
            version = self.machines[seat].version
            service.sign_sheet(self.ledger, actor, *self.place, commit=made.commit, version=version)

    def hold(self, *seats: str) -> None:
        """Show what lies on the machines of members, of all who have something signed if none is named."""
        with self.ledger.read() as conn:
            place = self.state().place
            signed, sitting = signatures_of(conn, place), sitting_of(conn, place.procedure_id)
            assert sitting is not None
            asked = challenge(conn, place, sitting)
        for seat in seats or self.seats:
            sheet, own = self.machines[seat].sheet, signed.get(seat)
            if asked is None or sheet is None or own is None or own.handed_in:
                continue
            echo, actor = echo_of(asked, sheet.raw), service.member_actor(seat)
            if echo != own.echo:
                service.hold_sheet(self.ledger, actor, *self.place, version=own.version, echo=echo)

    def hand_in(self, *seats: str) -> None:
        """Hand in what lies on the machines of members, of all who have not if none is named; all show it first."""
        self.hold()
        with self.ledger.read() as conn:
            done = {seat for seat, each in signatures_of(conn, self.state().place).items() if each.handed_in}
        for seat in seats or [each for each in self.seats if each not in done]:
            sheet = self.machines[seat].sheet
            assert sheet is not None
            service.hand_in(self.ledger, service.member_actor(seat), *self.place, sheet.raw)

    def score(self, plans: Mapping[str, str] | None = None) -> None:
        for seat in self.seats:
            self.type(seat, plans)
            self.sign(seat)
        self.hand_in()

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


def supervisor_of(sitting: Sitting) -> Actor:
    """Return the supervisor of the procedure."""
    code = sitting.state().row.supervisor_code
    return Actor(account="a-supervisor", roles=frozenset({Role.SUPERVISOR}), organisation=code)


def renew(sitting: Sitting, seat: str, reason: str) -> None:
    """Let a member who cannot hand in a signed sheet ask, and the supervisor make the signature void."""
    service.ask_renewal(sitting.ledger, service.member_actor(seat), *sitting.place, reason)
    supervisor = supervisor_of(sitting)
    service.void_sheet(sitting.ledger, supervisor, *sitting.place, seat=seat, reason="Seen; scores are still closed.")


@contextmanager
def sitting_on(database: Database, reference: str, agency: Actor, bids: Mapping[str, str]) -> Iterator[Sitting]:
    """Yield a sitting over a copy of a database whose lot is opened."""
    with copied(database) as copy:
        ledger = Ledger(copy.engine(), registry=REGISTRY, reader=copy.engine("trading_reader"))
        yield Sitting(ledger, reference, agency, bids, copy)


def seat_everybody(patch: pytest.MonkeyPatch, found: Committee | None = None) -> None:
    """Let the platform know this committee, as the draw would have formed it."""
    patch.setattr(experts, "committee_of", lambda _conn, _procedure_id: found or committee())
