"""The sitting: qualification by the agency, votes, blind score sheets, a report that everybody signs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from trading.audit.ledger import Ledger
from trading.audit.service import platform_ms
from trading.demo.play import Play
from trading.demo.tender import LOTS, Lot
from trading.evaluation import queries, service
from trading.evaluation.rules.commitment import SALT_BYTES, Heading, MadeSheet, make_sheet
from trading.evaluation.rules.examination import Outcome, Step
from trading.evaluation.rules.holding import echo_of
from trading.evaluation.rules.sheets import Score, check_sheet
from trading.evaluation.service.examining import Opinion
from trading.evaluation.service.holding import challenge
from trading.evaluation.service.state import LotState
from trading.experts import queries as experts
from trading.kernel.roles import Actor
from trading.procedures import queries as procedures

# Points of the technical proposal by bidder, of the first member; each further one sees it half a point differently.
_TECHNICAL = {"qinghe": 33, "bolin": 31, "yunfan": 35, "mingde": 28}
_BANDS = ((20, "20"), (30, "12"))
_LAST_BAND = "4"


def evaluate(play: Play) -> None:
    """Examine, score, report."""
    play.scene(
        "资格审查、符合性表决；专家各自盲评打分", "qualification and conformity; every member scores blindly by itself"
    )
    ledger, agency = play.stage.runtime.ledger, play.stage.actors["drafter"]
    for lot in LOTS:
        for bid in _state(play, lot).unqualified:
            service.qualify(ledger, agency, play.reference, *lot.place, Opinion(bid=bid, outcome=Outcome.CONFORMING))
    service.start(ledger, agency, play.reference)
    members = _members(play)
    for lot in LOTS:
        for step in (Step.CONFORMITY, Step.PRICE):
            _vote(play, lot, step, members)
        if lot.criteria is not None:
            _score(play, lot, members)
    play.scene(
        "全体签名后公开分数；评标报告由每位成员签署", "scores open when all have signed; every member signs the report"
    )
    with ledger.read() as conn:
        report = queries.report_of(conn, play.procedure_id)
    if report is None:
        raise ValueError("the sitting made no report")
    for member in members:
        service.sign_report(ledger, member, play.reference, report.sha256)


def _members(play: Play) -> list[Actor]:
    with play.stage.runtime.ledger.read() as conn:
        committee = experts.committee_of(conn, play.procedure_id)
    seats = [] if committee is None else [each.seat for each in committee.members if each.state == "present"]
    return [service.member_actor(seat) for seat in seats]


def _state(play: Play, lot: Lot) -> LotState:
    with play.stage.runtime.ledger.read() as conn:
        row = procedures.find(conn, play.reference)
        return service.load_lot(conn, row, procedures.find_lot(conn, row.id, *lot.place), platform_ms(conn))


def _vote(play: Play, lot: Lot, step: Step, members: list[Actor]) -> None:
    for bid in _state(play, lot).pending(step):
        for member in members:
            opinion = Opinion(bid=bid.bid, outcome=Outcome.CONFORMING, grants=True)
            service.vote(play.stage.runtime.ledger, member, play.reference, *lot.place, step, opinion)


def _score(play: Play, lot: Lot, members: list[Actor]) -> None:
    ledger, state = play.stage.runtime.ledger, _state(play, lot)
    keys = {bidder.code: bidder.key for bidder in lot.bidders}
    made = []
    for number, member in enumerate(members):
        typed = {}
        for bid in state.conforming:
            days = state.prices[bid.bid]["terms"]["delivery_days"]
            points = next((points for most, points in _BANDS if days <= most), _LAST_BAND)
            technical = f"{_TECHNICAL[keys[bid.bidder]] + number // 2}.{5 * (number % 2)}"
            typed[bid.bid] = {
                "delivery": Score(points=points, comment=None),
                "technical": Score(points=technical, comment="结构合理，环保等级符合要求。"),
            }
        sheet = sheet_of_member(state, member, typed)
        service.sign_sheet(ledger, member, play.reference, *lot.place, commit=sheet.commit, version=1)
        made.append((member, sheet))
    show(ledger, state, made)
    for member, sheet in made:
        service.hand_in(ledger, member, play.reference, *lot.place, sheet.raw)


def show(ledger: Ledger, state: LotState, made: Sequence[tuple[Actor, MadeSheet]]) -> None:
    """Show of each first sheet that it is there, as a browser does once all have signed."""
    place = state.place
    with ledger.read() as conn:
        sitting = queries.sitting_of(conn, place.procedure_id)
        asked = None if sitting is None else challenge(conn, place, sitting)
    if asked is None:
        raise ValueError("somebody has not signed")
    for member, sheet in made:
        echo = echo_of(asked, sheet.raw)
        service.hold_sheet(ledger, member, place.procedure, place.lot, place.stage, version=1, echo=echo)


def sheet_of_member(state: LotState, member: Actor, typed: Mapping[str, Mapping[str, Score]]) -> MadeSheet:
    """Return the first sheet of a member as a browser makes it of what was typed: bid → criterion → score."""
    place = state.place
    seat = member.account.removeprefix("expert:")
    heading = Heading(tender=place.procedure, lot=place.lot, stage=place.stage, seat=seat, version=1)
    items = check_sheet(state.rules.criteria, [bid.bid for bid in state.conforming], typed)
    return make_sheet(heading, items, secrets.token_bytes(SALT_BYTES))
