"""The deadline and the opening: the station by its commands, its papers signed in browsers, the hall for everybody."""

from __future__ import annotations

from typing import Final

from tests.support.hands import bidding
from tests.support.hands.person import Person
from tests.support.hands.world import BIDDERS, PLACE, World
from trading.demo import cast, people
from trading.demo.play import BEFORE_MS, write_secret
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.procedures import queries as procedures
from trading.procedures.rules.spec import Windows

OBJECTION: Final = "我方的交付期没有读出。"
REPLY: Final = "The delivery time stands in the table that everybody sees now."
_ORDER: Final = "Opening order"
_FACTORS: Final = "List of confirmed bids"
_TRANSCRIPT: Final = "Opening transcript"


class Station:
    """The opening station of the centre: a program with a folder of its own, run command by command."""

    def __init__(self, world: World) -> None:
        self._world = world
        stage = world.play.stage
        self._state = stage.home(cast.CENTRE) / "station"
        self._token = str(write_secret(stage.folder / "drafter.token", stage.tokens["drafter"]))
        self._operator = stage.key_file(cast.CENTRE, "station-operator")

    def init(self) -> None:
        """Make the station's key for this lot."""
        trust = str(self._world.play.stage.folder / "trust.json")
        lot, _stage = PLACE
        where = ("--api", self._world.platform.base_url, "--tender", self._world.reference, "--lot", lot)
        self._run("init", *where, "--trust", trust, "--no-passphrase", token=False)

    def act(self, name: str) -> None:
        """Do one step, as soon as its time has come."""
        words = ("--key", str(self._operator)) if name == "transcript" else ()
        self._world.play.until(lambda: self._done(name, *words), f"the time of {name}")

    def _done(self, name: str, *words: str) -> bool:
        try:
            self._run(name, *words)
        except people.ProgramRefused as refusal:
            if refusal.code == people.NOT_YET:
                return False
            raise
        return True

    def _run(self, name: str, *words: str, token: bool = True) -> None:
        shown: tuple[str, ...] = ("--token-file", self._token) if token else ()
        people.run("station", "--state", str(self._state), name, *shown, *words)


def close(world: World) -> None:
    """Let the deadline pass; nobody is told how many bids there are."""
    play = world.play
    with world.read() as conn:
        close_at = procedures.find_lot(conn, play.procedure_id, *PLACE).close_at or 0
    play.jump(close_at - BEFORE_MS)
    play.until(lambda: _phase(world) == "closed", "a closed lot")
    hall = world.person("public").open(f"/procedures/{world.reference}/lots/1/opening")
    assert "The opening is being prepared" in hall.text()


def order(world: World, station: Station) -> None:
    """The station drafts the order; agency and supervisor sign it in their browsers."""
    station.init()
    station.act("order")
    _sign(world.person("reviewer"), _ORDER)
    _sign(world.person("supervisor"), _ORDER)
    hall = world.person("public")
    world.play.until(
        lambda: f"{len(BIDDERS)} bids" in hall.text(), "the number of bids, without loading the page again"
    )
    world.play.until(lambda: _answers(world, "check") == len(cast.CUSTODIANS), "share checks")


def confirm(world: World) -> None:
    """After the time to object bidders confirm; the list of confirmed bids is signed like the order."""
    play = world.play
    play.jump(_row(world).first_ordered_at + Windows().objection_ms - BEFORE_MS)
    play.until(lambda: _row(world).step == "factor", "an open factor window")
    bidding.confirm(world)
    play.jump((_row(world).factor_ends_at or 0) - BEFORE_MS)
    play.until(lambda: _waits(world, "sb1.factor-list"), "a list of confirmed bids")
    _sign(world.person("reviewer"), _FACTORS)
    _sign(world.person("supervisor"), _FACTORS)


def read_out(world: World, station: Station) -> None:
    """Shares come in, all bids open at once, the record is signed; the hall shows every price."""
    play = world.play
    play.until(lambda: _answers(world, "release") == len(cast.CUSTODIANS), "releases")
    station.act("collect")
    play.until(lambda: _row(world).step == "release_closed", "the end of the release")
    for name in ("combine", "open"):
        station.act(name)
    object_on_the_spot(world)
    station.act("transcript")
    for _tier in range(2):
        _sign(world.person("supervisor"), _TRANSCRIPT)
    play.until(lambda: _row(world).step == "completed", "a completed opening")
    hall = world.person("public").open(f"/procedures/{world.reference}/lots/1/opening")
    assert "The opening is complete" in hall.text()
    assert "98,000.00" in hall.text()
    assert REPLY in hall.text()
    hall.keyboard.press("link", "Price")
    assert hall.page.locator("th[aria-sort]").inner_text() == "Price read out"
    hall.keyboard.press("link", "Text only")
    assert hall.page.locator("main table").count() <= 1  # that of the receipts
    assert "98,000.00" in hall.text()


def object_on_the_spot(world: World) -> None:
    """A bidder who watches objects, the agency answers; both with the keyboard, and the hall shows it to everybody."""
    bidder = world.person("qinghe").open(f"/procedures/{world.reference}/lots/1/opening")
    bidder.keyboard.press("link", "Object to the opening")
    bidder.keyboard.write("What was not as it should be?", OBJECTION)
    bidder.keyboard.press("button", "Raise the objection")
    bidder.arrived(OBJECTION)
    agency = world.person("drafter").open(f"/procedures/{world.reference}/lots/1/opening/desk")
    agency.keyboard.press("link", "Answer")
    agency.keyboard.write("Answer", REPLY)
    agency.keyboard.press("button", "Give the answer")
    agency.arrived("Answered")
    world.play.until(lambda: REPLY in bidder.text(), "the answer, without loading the page again")


def _sign(person: Person, title: str) -> None:
    """Sign the newest paper that waits for this person on the desk of the opening."""
    person.open("/openings").page.locator("main .rows a").first.click()
    waiting = person.page.locator(".row", has_text="Waits for your signature")
    waiting.get_by_role("link", name=title).first.click()
    person.page.wait_for_url("**/desk/*")
    person.arrived().sign()
    assert person.page.url.endswith("/desk")


def _phase(world: World) -> str:
    with world.read() as conn:
        return procedures.find_lot(conn, world.play.procedure_id, *PLACE).phase


def _place(world: World) -> Place:
    lot, stage = PLACE
    return Place(procedure=world.reference, procedure_id=world.play.procedure_id, lot=lot, stage=stage)


def _row(world: World) -> openings.OpeningRow:
    with world.read() as conn:
        found = openings.opening_row(conn, _place(world))
    assert found is not None
    return found


def _answers(world: World, kind: str) -> int:
    with world.read() as conn:
        return len(openings.answers(conn, _place(world), kind))


def _waits(world: World, typ: str) -> bool:
    with world.read() as conn:
        return bool(openings.drafts(conn, _place(world), typ))
