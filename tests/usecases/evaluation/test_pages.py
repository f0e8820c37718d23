"""The whole sitting through the pages, as agency and five members do it; what each sees before all have signed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
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
    logins = (*SEATS, "idle", "other", "drafter")
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
    for key in PRICES:
        points = {"points_warranty": "5", "points_plan": plan, "comment_plan": "as described"}
        room.do(seat, room.of(key, "sheet"), **points)


def test_agency_and_members_do_it_all_by_hand(room: Room) -> None:
    assert "has not begun" in room.get("drafter").text
    examine(room)
    assert "Blind scoring" in room.get("m-a1").text
    for seat in SEATS:
        fill(room, seat)
        room.do(seat, f"/lots/{LOT}/sign", code=CODE)
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


def test_nobody_sees_anothers_scores_before_all_have_signed(room: Room) -> None:  # EXP-22, ux C52
    examine(room)
    fill(room, "m-a1", plan="47.5")
    room.do("m-a1", f"/lots/{LOT}/sign", code=CODE)
    paths = (
        "",
        f"/lots/{LOT}/sign",
        *(room.of(key, "sheet") for key in PRICES),
        f"/lots/{LOT}/qualification",
        "/report",
    )
    assert any("47.5" in room.get("m-a1", path).text for path in paths)  # control: the member itself does
    for who in (*SEATS[1:], "drafter"):
        assert not any("47.5" in room.get(who, path).text for path in paths), who
    assert "4 members have not signed yet" in room.get("m-b2", f"/lots/{LOT}/sign").text
    assert "4 members have not signed yet" in room.get("drafter").text


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


def test_a_wrong_score_is_named_and_kept(room: Room) -> None:  # ux C51, 5.1
    examine(room)
    wrong = {"points_warranty": "5", "points_plan": "51", "comment_plan": ""}
    answer = room.post("m-a1", room.of("bolin", "sheet"), **wrong)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.text.count("scored from 0 to 50 in steps of 0.5. You entered 51") == 2  # summary and field
    assert 'href="#points_plan"' in answer.text
    assert 'value="51"' in answer.text
    assert 'value="51"' in room.get("m-a1", room.of("bolin", "sheet")).text  # nothing typed is lost
    silent = {**wrong, "points_plan": "50"}
    assert "needs a comment" in room.post("m-a1", room.of("bolin", "sheet"), **silent).text


def test_signing_needs_the_second_factor_and_a_reason_for_a_change(room: Room) -> None:  # ux C53
    examine(room)
    fill(room, "m-a1")
    assert room.post("m-a1", f"/lots/{LOT}/sign", code="000000").status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    room.do("m-a1", f"/lots/{LOT}/sign", code=CODE)
    fill(room, "m-a1", plan="31")
    bare = room.post("m-a1", f"/lots/{LOT}/sign", code=CODE)
    assert "needs its reason" in bare.text
    assert "creates version 2; version 1 is kept" in bare.text
    room.do("m-a1", f"/lots/{LOT}/sign", code=CODE, reason="misread")
    assert "Version 2 signed" in room.get("m-a1", f"/lots/{LOT}/sign").text


def test_an_unlawful_start_names_its_rule_on_the_page(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:  # EXP-03
    qualify(room)
    monkeypatch.setattr(experts, "committee_of", lambda *_: committee(seats=SEATS[:3]))
    answer = room.post("drafter", "/start")
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "There is a problem" in answer.text


def test_an_unusual_score_is_explained_on_the_page(room: Room) -> None:  # B10.6
    examine(room)
    for seat in SEATS:
        fill(room, seat, plan="50" if seat == "m-e5" else "20")
        room.do(seat, f"/lots/{LOT}/sign", code=CODE)
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
