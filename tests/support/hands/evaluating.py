"""The sitting: the agency examines qualifications, one expert works by keyboard alone, the others alike by use case."""

from __future__ import annotations

from typing import Final

from tests.support.hands.drafting import TITLE_EN
from tests.support.hands.entering import sign_in_by_keyboard
from tests.support.hands.keyboard import Keyboard
from tests.support.hands.person import CODE, Person
from tests.support.hands.world import BIDDERS, PLACE, World
from trading.accounts import service as accounts
from trading.audit.service import platform_ms
from trading.demo.cast import Organisation
from trading.demo.scenes.evaluating import sheet_of_member, show
from trading.evaluation import queries, service
from trading.evaluation.rules.examination import Outcome, Step
from trading.evaluation.rules.sheets import Score
from trading.evaluation.service.examining import Opinion
from trading.evaluation.service.state import LotState
from trading.experts import queries as experts
from trading.kernel.roles import Actor
from trading.procedures import queries as procedures

#: Points of the design by bidder, as the expert types them.
DESIGN: Final = {"qinghe": "36", "bolin": "33", "yunfan": "31"}


def take_seat(world: World, login: str, code: str) -> Person:
    """The expert signs in, enters the code of the mail, promises and declares no interest, by keyboard alone."""
    sign_in_by_keyboard(world, world.ways_in(login)[login])
    expert = world.person(login)
    keyboard = expert.keyboard
    keyboard.press("link", "My seats")
    expert.arrived()
    keyboard.write("Seat code", code)
    keyboard.tick(keyboard.field("I promise this"))
    _confirm(expert, keyboard)
    keyboard.tick(keyboard.field("I have no interest in any bidder and am not related to its head"))
    _confirm(expert, keyboard)
    return expert


def qualify(world: World) -> None:
    """The drafter finds every bidder qualified, one page each, and begins the sitting."""
    room = f"/evaluation/{world.reference}"
    drafter = world.person("drafter").open(room).follow("Examine qualifications")
    for bidder in BIDDERS:
        drafter.follow(bidder.name_en)
        drafter.page.get_by_label("Meets the requirements").check()
        drafter.press("Record the finding")
    drafter.follow("Back to the evaluation").press("Begin the sitting")
    assert "In session" in drafter.text()


def vote(world: World, expert: Person) -> None:
    """Everybody votes that the bids conform; the expert does it by keyboard."""
    keyboard = expert.open("/workspace").keyboard
    keyboard.press("link", "Evaluations")
    keyboard = expert.arrived().keyboard
    keyboard.press("link", TITLE_EN)
    for bidder in BIDDERS:
        keyboard = expert.arrived().keyboard
        keyboard.press("link", bidder.name_en)
        keyboard.tick(expert.arrived().keyboard.field("Meets the requirements"))
        keyboard.press("button", "Record my vote")
    expert.arrived("You have voted")
    ledger = world.play.stage.runtime.ledger
    for bid in _state(world).pending(Step.CONFORMITY):
        for member in _others(world, expert):
            opinion = Opinion(bid=bid.bid, outcome=Outcome.CONFORMING, grants=True)
            service.vote(ledger, member, world.reference, *PLACE, Step.CONFORMITY, opinion)


def score(world: World, expert: Person) -> None:
    """The expert types the sheet and signs it with the second factor; nobody sees a total before all have signed."""
    keyboard = expert.open(f"/evaluation/{world.reference}").keyboard
    keyboard.press("link", "Score the bids")
    for _ in BIDDERS:
        expert.arrived()
        bidder = _named(expert.page.locator("h1").inner_text())
        keyboard.write("Points", DESIGN[bidder.key])
        keyboard.write(expert.page.locator("[name=comment_design]"), "层板厚度和五金符合要求。")
        keyboard.press("button", "Save and go on")
    expert.arrived()
    keyboard.write(CODE, expert.code())
    keyboard.press("button", "Sign my sheet")
    assert "4 members have not signed yet" in expert.arrived("Your sheet is signed.").text()
    assert "Scores of the committee" not in expert.text()
    _score_too(world, expert)
    expert.open(expert.page.url).arrived("Scores of the committee")


def sign_report(world: World, expert: Person) -> None:
    """The expert reads and signs the report by keyboard, then the others; the agency records the ranking."""
    room = f"/evaluation/{world.reference}"
    keyboard = expert.open(room).keyboard
    keyboard.press("link", "Read and sign the report")
    keyboard.tick(expert.arrived().keyboard.field("I agree with the report"))
    keyboard.write(CODE, expert.code())
    keyboard.press("button", "Sign the report")
    expert.arrived()
    with world.read() as conn:
        report = queries.report_of(conn, world.play.procedure_id)
    assert report is not None
    for member in _others(world, expert):
        service.sign_report(world.play.stage.runtime.ledger, member, world.reference, report.sha256)
    drafter = world.person("drafter").open(room).press("Record the ranking")
    assert "This lot is ranked." in drafter.text()


def _confirm(expert: Person, keyboard: Keyboard) -> None:
    keyboard.write(CODE, expert.code())
    keyboard.enter()
    expert.arrived()


def _score_too(world: World, expert: Person) -> None:
    ledger, state = world.play.stage.runtime.ledger, _state(world)
    keys = {each.code: each.key for each in BIDDERS}
    typed = {
        bid.bid: {"design": Score(points=DESIGN[keys[bid.bidder]], comment="符合要求。")} for bid in state.conforming
    }
    made = [(member, sheet_of_member(state, member, typed)) for member in _others(world, expert)]
    for member, sheet in made:
        service.sign_sheet(ledger, member, world.reference, *PLACE, commit=sheet.commit, version=1)
    show(ledger, state, made)
    expert.open(expert.page.url)  # everybody else has shown theirs: the page shows and hands in by itself
    expert.arrived("Your sheet is handed in.")
    for member, sheet in made:
        service.hand_in(ledger, member, world.reference, *PLACE, sheet.raw)


def _others(world: World, expert: Person) -> list[Actor]:
    """Return the members who sit beside the expert, under the names of their seats."""
    with world.play.stage.runtime.ledger.upkeep() as conn:
        actor = accounts.actor_of(conn, expert.login)
    with world.read() as conn:
        found = experts.committee_of(conn, world.play.procedure_id)
        own = experts.seat_of(conn, world.play.procedure_id, actor)
    assert found is not None
    assert own is not None
    return [service.member_actor(each.seat) for each in found.members if each.state == "present" and each != own]


def _named(name: str) -> Organisation:
    return next(each for each in BIDDERS if each.name_en in name)


def _state(world: World) -> LotState:
    with world.read() as conn:
        row = procedures.find(conn, world.reference)
        return service.load_lot(conn, row, procedures.find_lot(conn, row.id, *PLACE), platform_ms(conn))
