"""The whole sitting through the pages, as agency and five members do it; what each sees before all have signed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from tests.support.market import LOT
from tests.support.people import signed_in
from tests.support.sitting import PRICES, SEATS, Sitting, committee
from trading.accounts import service as accounts
from trading.app import create_app
from trading.audit.runtime import Runtime
from trading.config import Process, Settings
from trading.evaluation.rules.holding import echo_of
from trading.experts import queries as experts
from trading.experts.rules.composition import Member
from trading.kernel.clock import SystemClock
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor, Role
from trading.storage.local import LocalStore

CODE = "424242"


@dataclass
class Room:
    """Everybody's browser, by seat and by login."""

    sitting: Sitting
    clients: dict[str, FlaskClient]

    def get(self, who: str, path: str = "") -> TestResponse:
        return self.clients[who].get(f"/evaluation/{self.sitting.reference}{path}", headers={"Accept-Language": "en"})

    def post(self, who: str, path: str, **data: str) -> TestResponse:
        address = f"/evaluation/{self.sitting.reference}{path}"
        return self.clients[who].post(address, data=data, headers={"Accept-Language": "en"})

    def do(self, who: str, path: str, **data: str) -> None:
        answer = self.post(who, path, **data)
        assert answer.status_code == HTTPStatus.SEE_OTHER, re.findall(r"<li>(.*?)</li>", answer.text)[:3]

    def of(self, key: str, what: str) -> str:
        return f"/lots/{LOT}/{what}/{self.sitting.bids[key]}"


def spend(_account: str, code: str) -> None:
    """Stand for the second factor, which has tests of its own."""
    if code != CODE:
        raise RuleBroken("code.wrong")


@pytest.fixture
def room(sitting: Sitting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    database = sitting.database
    assert database is not None
    runtime = Runtime(
        ledger=sitting.ledger,
        objects=LocalStore(tmp_path / "objects"),
        log_dir=tmp_path,
        origin=database.origin,
        demo=True,
        clock=SystemClock(),
    )
    settings = Settings(
        process=Process.WEB,
        demo=True,
        data_dir=tmp_path,
        database_url=database.url("trading_web"),
        log_origin=database.origin,
        jurisdiction="CN",
    )
    app = create_app(settings, runtime)
    app.config["WTF_CSRF_ENABLED"] = False
    app.extensions["confirm"] = spend
    members = dict(zip(SEATS, committee().members, strict=True))
    seats = {
        accounts.create_account(sitting.ledger, login=seat, org_code=f"UNIT-{seat}", roles=(Role.EXPERT,)): seat
        for seat in SEATS
    }
    accounts.create_account(sitting.ledger, login="idle", org_code="UNIT-9", roles=(Role.EXPERT,))
    accounts.create_account(sitting.ledger, login="other", org_code="OTHER", roles=(Role.AGENCY,))

    def seat_of(_conn: Connection, _procedure_id: int, actor: Actor) -> Member | None:
        return members.get(seats.get(actor.account, ""))

    monkeypatch.setattr(experts, "seat_of", seat_of)
    logins = (*SEATS, "idle", "other", "drafter", "supervisor")
    return Room(sitting, {login: signed_in(app.test_client(), login) for login in logins})


def qualify(room: Room) -> None:
    for key in PRICES:
        room.do("drafter", room.of(key, "qualification"), outcome="conforming")


def examine(room: Room) -> None:
    qualify(room)
    room.do("drafter", "/start")
    for key in PRICES:
        for seat in SEATS:
            room.do(seat, room.of(key, "bids"), outcome="conforming", grants="y")
    room.do("drafter", room.of("songtao", "explanation"), words="Own forest, own saw mill.")
    for seat in SEATS:
        room.do(seat, room.of("songtao", "bids"), outcome="conforming")


def fill(room: Room, seat: str, plan: str = "30") -> None:
    """Type on the machine of a member; nothing of it goes anywhere."""
    room.sitting.type(seat, dict.fromkeys(PRICES, plan))


def sign(room: Room, seat: str, reason: str = "") -> None:
    made = room.sitting.make(seat, reason=reason)
    version = str(room.sitting.machines[seat].version)
    room.do(seat, f"/lots/{LOT}/sign", code=CODE, commit=made.commit, version=version)


def hand_in(room: Room, seat: str, path: str = "hand-in") -> TestResponse:
    sheet = room.sitting.machines[seat].sheet
    assert sheet is not None
    address = f"/evaluation/{room.sitting.reference}/lots/{LOT}/{path}"
    data = {"sheet": (BytesIO(sheet.raw), "score-sheet.json")}
    return room.clients[seat].post(address, data=data, headers={"Accept-Language": "en"})


def hold(room: Room, *seats: str) -> None:
    """Show on the page of each member that the sheet on the machine is there."""
    for seat in seats or SEATS:
        told, sheet = room.get(seat, f"/lots/{LOT}/handing").json, room.sitting.machines[seat].sheet
        assert told is not None
        assert sheet is not None
        echo = echo_of(bytes.fromhex(told["challenge"]), sheet.raw)
        room.do(seat, f"/lots/{LOT}/hold", version=str(told["version"]), echo=echo)


def score_all(room: Room, plans: Mapping[str, str] | None = None) -> None:
    for seat in SEATS:
        fill(room, seat, (plans or {}).get(seat, "30"))
        sign(room, seat)
    hold(room)
    for seat in SEATS:
        assert hand_in(room, seat).status_code == HTTPStatus.SEE_OTHER


def test_agency_and_members_do_it_all_by_hand(room: Room) -> None:
    assert "has not begun" in room.get("drafter").text
    examine(room)
    assert "Blind scoring" in room.get("m-a1").text
    score_all(room)
    opened = room.get("m-b2", f"/lots/{LOT}/sign").text
    assert "Scores of the committee" in opened
    assert "75.00" in opened  # 40 + 5 + 30 for the lowest price
    sheet = room.get("m-a1", "/report").text
    digest = re.search(r'name="report"[^>]*value="([0-9a-f]{64})"', sheet)
    assert digest is not None
    for seat in SEATS[:4]:
        room.do(seat, "/report", report=digest[1], verdict="agree", code=CODE)
    assert room.post("drafter", f"/lots/{LOT}/rank").status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    dissent = {"verdict": "dissent", "dissent": "The plan is too vague."}
    room.do("m-e5", "/report", report=digest[1], code=CODE, **dissent)
    shown = room.get("drafter", "/report").text
    assert "The plan is too vague." in shown
    assert shown.count("Signed") >= 5
    room.do("drafter", f"/lots/{LOT}/rank")
    assert "This lot is ranked." in room.get("drafter").text


def test_the_page_tells_when_to_hand_in_and_takes_nothing_before(room: Room) -> None:  # EXP-22, ux C52
    examine(room)
    fill(room, "m-a1", plan="47.5")
    sign(room, "m-a1")
    own = room.get("m-a1", f"/lots/{LOT}/sign").text
    assert "Version 1 signed" in own
    assert "4 members have not signed yet. Until then your sheet stays on this machine" in own
    early = hand_in(room, "m-a1")
    assert early.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "4 members have not signed yet, so no sheet is taken" in early.text
    assert hand_in(room, "m-a1", "sign").status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    paths = ("", f"/lots/{LOT}/sign", *(room.of(key, "sheet") for key in PRICES), "/report")
    for who in (*SEATS, "drafter"):
        assert not any("47.5" in room.get(who, path).text for path in paths), who
    assert "4 members have not signed yet" in room.get("m-b2", f"/lots/{LOT}/sign").text
    assert "4 members have not signed yet" in room.get("drafter").text
    for seat in SEATS[1:]:
        fill(room, seat)
        sign(room, seat)
    told = room.get("m-a1", f"/lots/{LOT}/handing")
    assert told.json is not None
    assert (told.json["missing"], told.json["waiting"], told.json["handed_in"]) == (0, 5, False)
    assert "Everybody has signed: show that your sheet is here." in room.get("m-a1", f"/lots/{LOT}/sign").text
    hold(room, *SEATS[:4])
    assert "1 member has not shown the own one yet" in room.get("m-a1", f"/lots/{LOT}/sign").text
    early = hand_in(room, "m-a1")
    assert early.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "1 members have not shown that their signed sheet is there" in early.text
    wrong = room.post("m-e5", f"/lots/{LOT}/hold", version="1", echo="47.5")
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    hold(room, "m-e5")
    assert "Everybody has signed: hand in your sheet." in room.get("m-a1", f"/lots/{LOT}/sign").text
    assert hand_in(room, "m-a1").status_code == HTTPStatus.SEE_OTHER
    shown = room.get("m-a1", f"/lots/{LOT}/sign").text
    assert "47.5" in shown  # control: what is handed in is shown to its member, and still to nobody else
    assert "4 sheets are still out" in shown
    for who in (*SEATS[1:], "drafter"):
        assert not any("47.5" in room.get(who, path).text for path in paths), who


def test_a_lost_sheet_is_made_void_by_the_supervisor_and_everybody_sees_it(room: Room) -> None:
    examine(room)
    for seat in SEATS:
        fill(room, seat)
        sign(room, seat)
    path = f"/lots/{LOT}/renewal"
    assert room.post("m-c3", path, why="").status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    room.do("m-c3", path, why="The disk of my machine is broken.")
    for who in (*SEATS, "drafter"):
        assert "The disk of my machine is broken." in room.get(who).text
    client = room.clients["supervisor"]
    address = f"/supervision/procedures/{room.sitting.reference}"
    english = {"Accept-Language": "en"}
    assert "The disk of my machine is broken." in client.get(address, headers=english).text
    void = f"{address}/lots/{LOT}/void"
    assert client.post(void, data={"seat": "m-c3", "why": " "}, headers=english).status_code != HTTPStatus.SEE_OTHER
    answered = client.post(void, data={"seat": "m-c3", "why": "Seen by our officer."}, headers=english)
    assert answered.status_code == HTTPStatus.SEE_OTHER
    assert "Seen by our officer." in room.get("m-a1").text
    assert "1 member has not signed yet" in room.get("m-a1").text
    sign(room, "m-c3")
    hold(room)
    for seat in SEATS:
        assert hand_in(room, seat).status_code == HTTPStatus.SEE_OTHER
    assert "Scores of the committee" in room.get("m-b2", f"/lots/{LOT}/sign").text


def test_strangers_find_nothing(room: Room) -> None:
    examine(room)
    paths = ("", f"/lots/{LOT}/sign", room.of("bolin", "sheet"), room.of("bolin", "bids"), "/report")
    for who in ("idle", "other"):
        assert {room.get(who, path).status_code for path in paths} == {HTTPStatus.NOT_FOUND}
    own = (f"/lots/{LOT}/sign", room.of("bolin", "sheet"), room.of("bolin", "bids"))
    assert {room.get("drafter", path).status_code for path in own} == {HTTPStatus.NOT_FOUND}
    assert {
        room.get("m-a1", path).status_code for path in (room.of("bolin", "qualification"), f"/lots/{LOT}/qualification")
    } == {HTTPStatus.FORBIDDEN}


def test_no_page_takes_scores_that_are_typed(room: Room) -> None:  # EXP-22
    examine(room)
    typed = {"points_warranty": "5", "points_plan": "51", "comment_plan": "as described"}
    assert room.post("m-a1", room.of("bolin", "sheet"), **typed).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    shown = room.get("m-a1", room.of("bolin", "sheet")).text
    assert 'method="dialog"' in shown  # a browser that runs no script sends it nowhere
    assert "is scored from 0 to 50 in steps of 0.5. You entered" in shown  # the words of the script


def test_signing_needs_the_second_factor_and_a_digest(room: Room) -> None:  # ux C53
    examine(room)
    fill(room, "m-a1")
    made = {"commit": room.sitting.make("m-a1").commit, "version": "1"}
    path = f"/lots/{LOT}/sign"
    assert room.post("m-a1", path, code="000000", **made).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    none = room.post("m-a1", path, code=CODE, commit="", version="1")
    assert "no digest of a sheet" in none.text
    room.do("m-a1", path, code=CODE, **made)
    assert "creates version 2; version 1 is kept" in room.get("m-a1", path).text
    fill(room, "m-a1", plan="31")
    sign(room, "m-a1", reason="misread")
    assert "Version 2 signed" in room.get("m-a1", path).text


def test_an_unlawful_start_names_its_rule_on_the_page(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:  # EXP-03
    qualify(room)
    monkeypatch.setattr(experts, "committee_of", lambda *_: committee(seats=SEATS[:3]))
    answer = room.post("drafter", "/start")
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "There is a problem" in answer.text


def test_an_unusual_score_is_explained_on_the_page(room: Room) -> None:  # B10.6
    examine(room)
    score_all(room, {seat: "50" if seat == "m-e5" else "20" for seat in SEATS})
    page = room.get("m-e5", f"/lots/{LOT}/sign").text
    assert page.count("Why do you stand by this score?") == len(PRICES)
    assert "Why do you stand by this score?" not in room.get("m-a1", f"/lots/{LOT}/sign").text
    assert room.get("m-a1", "/report").status_code == HTTPStatus.NOT_FOUND
    empty = room.post("m-e5", f"/lots/{LOT}/recheck", place=f"{room.sitting.bids['bolin']} plan", words=" ")
    assert empty.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    for key in PRICES:
        room.do("m-e5", f"/lots/{LOT}/recheck", place=f"{room.sitting.bids[key]} plan", words="The best I have seen.")
    assert "The best I have seen." in room.get("m-a1", "/report").text


def test_the_list_names_the_evaluations_of_each(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    agency = room.clients["drafter"].get("/evaluation", headers={"Accept-Language": "en"})
    assert room.sitting.reference in agency.text
    idle = room.clients["idle"].get("/evaluation", headers={"Accept-Language": "en"})
    assert "You have no seat yet" in idle.text
    with room.sitting.ledger.read() as conn:
        procedure = conn.exec_driver_sql("SELECT id FROM record.procedure").scalar_one()
    monkeypatch.setattr(experts, "own_seats", lambda *_: [(procedure, "m-a1")])
    assert "m-a1" in room.clients["m-a1"].get("/evaluation").text
