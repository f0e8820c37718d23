"""The committee: planned by the agency, drawn by the centre, papers signed in browsers, calls answered on pages."""

from __future__ import annotations

import re
from datetime import datetime
from email import message_from_bytes
from email.policy import SMTP
from typing import Final

from tests.support.hands.world import World
from trading.accounts import service as accounts
from trading.demo import pool
from trading.demo.scenes import committee
from trading.experts import queries as experts
from trading.experts.service import papers, seats
from trading.kernel.calendar import CHINA
from trading.kernel.errors import NotFound

NEEDS: Final = ((pool.FURNITURE, 2), (pool.EQUIPMENT, 2))
HOURS: Final = 4
_CALL: Final = re.compile(r"https?://\S+/draws/call/[A-Za-z0-9_-]+")
_SEAT: Final = re.compile(r"席位码：\s*([A-Za-z0-9_-]+)")
_HOUR_MS: Final = 3_600_000
_SEEDED: Final = frozenset({"seeded", "resulted"})


def admit_pool(world: World) -> None:
    """The supervisor signs experts into the register, as the demonstration does it."""
    committee.admit_pool(world.play)


def plan(world: World) -> None:
    """The agency plans how many of which specialty, when and where."""
    drafter = world.person("drafter").open(f"/agency/procedures/{world.reference}").follow("Committee: plan and draw")
    for place, (stratum, need) in enumerate(NEEDS, start=1):
        drafter.page.locator(f"[name=stratum{place}]").select_option(stratum)
        drafter.fill(**{f"need{place}": str(need)})
    begins = datetime.fromtimestamp((world.play.now() + HOURS * _HOUR_MS) / 1000, CHINA)
    drafter.fill(evaluation_at=begins.strftime("%Y-%m-%dT%H:%M"), representatives="1")
    drafter.fill(place_zh="临江公共资源交易中心三号评标室", place_en="Room 3, Linjiang Trading Centre")
    drafter.press("Keep the plan")
    assert "Room 3, Linjiang Trading Centre" in drafter.text()


def begin(world: World) -> None:
    """The centre begins the draw; contributors give a random number each with programs of their own."""
    committee.start_contributors(world.play)
    centre = world.person("centre").open("/workspace").follow("Draws of experts")
    centre.page.locator("main .rows a").first.click()
    centre.page.wait_for_url("**/draws/begin/*")
    centre.arrived().confirm().press("Begin the draw")
    world.play.draw = centre.page.url.rpartition("/")[2]


def sign_papers(world: World) -> None:
    """Centre and supervisor sign in their browsers what the draw puts before them, until its seed is known."""
    world.play.until(lambda: _seeded(world), "a seeded draw")


def answer_calls(world: World) -> None:
    """Experts answer on the page to which their mail leads: the first cannot come, the others come."""
    answered: set[str] = set()
    world.play.until(lambda: _answered(world, answered) and _is_drawn(world), "a drawn committee")
    with world.read() as conn:
        assert not experts.panel_of(conn, world.play.procedure_id)  # no name before the result


def take_seats(world: World) -> str:
    """Seat all members but one; return that one's login. The agency gives the buyer's seat on its page."""
    needed = sum(need for _stratum, need in NEEDS)
    world.play.until(lambda: len(mails(world, _SEAT)) == needed, "seat codes")
    (by_hand, _code), *others = mails(world, _SEAT)
    ledger = world.play.stage.runtime.ledger
    for login, code in others:
        with ledger.upkeep() as conn:
            member = accounts.actor_of(conn, login)
        seats.sign_in(ledger, member, code, promised=True)
        seats.declare(ledger, member, world.reference, seats.NONE)
    _appoint(world)
    return by_hand


def seat_code(world: World, login: str) -> str:
    """Return the seat code that an expert got by mail."""
    return dict(mails(world, _SEAT))[login]


def mails(world: World, mark: re.Pattern[str]) -> list[tuple[str, str]]:
    """Return (login, what is looked for) of the mails that hold it, as their receivers read them."""
    found = []
    for path in sorted((world.platform.data_dir / "mail").glob("*.eml")):
        message = message_from_bytes(path.read_bytes(), policy=SMTP)
        match = mark.search(message.get_content())
        if match is not None:
            found.append((str(message["To"]).partition("@")[0], match[match.lastindex or 0]))
    return found


def _appoint(world: World) -> None:
    drafter = world.person("drafter").open(f"/agency/{world.reference}/committee")
    drafter.fill(login="representative", name="何思齐").confirm().press("Give the seat")
    stage = world.play.stage
    seats.sign_in_representative(stage.runtime.ledger, stage.actors["representative"], world.reference, promised=True)


def _seeded(world: World) -> bool:
    _sign_waiting(world)
    with world.read() as conn:
        try:
            return experts.find_draw(conn, world.play.draw).state in _SEEDED
        except NotFound:  # its first paper is not signed yet
            return False


def _is_drawn(world: World) -> bool:
    _sign_waiting(world)
    with world.read() as conn:
        found = experts.committee_of(conn, world.play.procedure_id)
    return found is not None and found.state == "drawn"


def _sign_waiting(world: World) -> None:
    """Sign what waits for centre and supervisor; the keys of the pool are escrowed under the signed specification."""
    with world.read() as conn:
        waiting_for = {role for _paper, needs in papers.pending(conn, world.play.draw) for role in needs}
    for login in sorted(waiting_for):  # the people are called by their roles
        person = world.person(login).open(f"/draws/{world.play.draw}")
        while waiting := person.page.locator(".row", has_text="Waits for your signature").get_by_role("link").all():
            titles = [each.inner_text() for each in waiting]
            chosen = next((place for place, title in enumerate(titles) if "Escrow" not in title), 0)
            waiting[chosen].click()
            person.page.wait_for_url("**/papers/*")
            person.arrived().sign()


def _answered(world: World, answered: set[str]) -> bool:
    for _login, link in mails(world, _CALL):
        if link not in answered:
            expert = world.person("called").open(link)
            expert.page.get_by_label("I will come" if answered else "I cannot come").check()
            expert.press("Send the answer", says="Recorded:")
            answered.add(link)
    return bool(answered)
