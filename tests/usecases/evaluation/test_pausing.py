"""The evaluation stops and goes on (EXP-18), and is extended by a vote of its members (EXP-19)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from flask import Flask

from tests.support.sitting import PRICES, SEATS, SPARE, Sitting, committee, renew, seat_everybody
from tests.usecases.evaluation.test_sitting import bodies, evaluate, mismatches, refusal
from trading.evaluation import queries, service
from trading.evaluation.rules.examination import Step
from trading.evaluation.views import files
from trading.evaluation.views.blueprint import Room
from trading.kernel.errors import NotFound
from trading.kernel.roles import Actor, Role
from trading.procedures import queries as procedures

STRANGER = Actor(account="a-9", roles=frozenset({Role.AGENCY}), organisation="911100000000000000")


def seal(sitting: Sitting, reason: str = "Nobody of the pool can come today.") -> None:
    service.seal(sitting.ledger, sitting.agency, sitting.reference, reason)


def resume(sitting: Sitting) -> None:
    service.resume(sitting.ledger, sitting.agency, sitting.reference)


@pytest.fixture
def sealed(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> Sitting:
    """All have scored; one has left, nobody replaces him, and the agency has stopped the evaluation."""
    sitting.examine()
    sitting.score()
    seat_everybody(monkeypatch, committee({"m-b2": "replaced"}))
    seal(sitting)
    return sitting


def test_only_an_empty_seat_seals_and_with_its_reason(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    sitting.qualify()
    assert refusal(lambda: seal(sitting)) == ("evaluation.not_started", "EXP-03")
    sitting.start()
    assert refusal(lambda: seal(sitting)) == ("evaluation.not_short", "EXP-18")
    assert refusal(lambda: resume(sitting)) == ("evaluation.not_sealed", "EXP-18")
    seat_everybody(monkeypatch, committee({"m-b2": "recused"}))
    for words in (" ", "x" * 1_001):
        assert refusal(partial(seal, sitting, words)) == ("evaluation.seal_reason", "EXP-18")
    with pytest.raises(NotFound):
        service.seal(sitting.ledger, STRANGER, sitting.reference, "Mine.")
    seal(sitting)
    assert [body["seats"] for body in bodies(sitting, "evaluation.sealed")] == [["m-b2"]]
    assert refusal(lambda: seal(sitting)) == ("evaluation.sealed", "EXP-18")
    assert mismatches(sitting) == []


def test_nobody_acts_while_it_is_sealed(sealed: Sitting) -> None:
    acts = (
        lambda: sealed.vote("m-a1", "bolin"),
        lambda: sealed.hand_in("m-a1"),
        lambda: sealed.sign("m-a1", reason="again"),
        lambda: sealed.sign_report_as("m-a1"),
        lambda: service.ask_for_time(sealed.ledger, service.member_actor("m-a1"), sealed.reference),
        lambda: service.replace_member(sealed.ledger, sealed.agency, sealed.reference, "m-b2", SPARE, "Ill."),
    )
    for act in acts:
        assert refusal(act) == ("evaluation.sealed", "EXP-18")


def handed_out(sitting: Sitting, bid: str) -> bool:
    """Return whether the desk hands out any file of a bid to a member."""
    with Flask("desk").app_context(), sitting.ledger.read() as conn:
        row = procedures.find(conn, sitting.reference)
        room = Room(row=row, seat="m-a1", sitting=queries.sitting_of(conn, row.id), at=0)
        for each in queries.files_of(conn, bid) or ():
            try:
                files._found(conn, room, "1", bid, each.sha256)
            except NotFound:
                continue
            return True
    return False


def test_the_desk_gives_no_file_until_a_new_committee_stands(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    bid = sitting.bids["qinghe"]
    sitting.qualify()
    sitting.start()
    kept = queries.OpenedFile(path="letter.txt", sha256="a" * 64, size=1, kind="text", findings=(), preview="x")
    monkeypatch.setattr(queries, "files_of", lambda _conn, _bid: [kept])
    assert handed_out(sitting, bid)  # control: it does, before
    seat_everybody(monkeypatch, committee({"m-b2": "replaced"}))
    seal(sitting)
    assert not handed_out(sitting, bid)
    seat_everybody(monkeypatch, committee({"m-b2": "replaced"}, seats=(*SEATS, SPARE)))
    resume(sitting)
    assert handed_out(sitting, bid)


def test_a_new_committee_begins_anew_and_nothing_is_deleted(sealed: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    with sealed.ledger.read() as conn:
        before = conn.exec_driver_sql("SELECT count(*) FROM record.examination_vote").scalar_one()
    assert refusal(lambda: resume(sealed)) == ("committee.too_small", "EXP-03")
    seat_everybody(
        monkeypatch, replace(committee({"m-b2": "replaced", SPARE: "expected"}, seats=(*SEATS, SPARE)), state="drawn")
    )
    assert refusal(lambda: resume(sealed)) == ("committee.absent", "EXP-18")
    seat_everybody(monkeypatch, committee({"m-b2": "replaced"}, seats=(*SEATS, SPARE)))
    resume(sealed)
    assert mismatches(sealed) == []
    with sealed.ledger.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM record.examination_vote").scalar_one() == before
        assert conn.exec_driver_sql("SELECT count(*) FROM record.examination_vote WHERE NOT void").scalar_one() == 0
        assert conn.exec_driver_sql("SELECT count(*) FROM record.sheet_signature WHERE NOT void").scalar_one() == 0
    assert refusal(lambda: evaluate(sealed))[0] == "evaluation.report_unsigned"
    sealed.seats = sorted({*SEATS, SPARE} - {"m-b2"})
    sealed.vote_all()
    sealed.vote_all(Step.PRICE, ("songtao",))
    sealed.type("m-a1", {"bolin": "12"})  # who has seen the others' scores repeats the own ones only (EXP-22)
    sealed.sign("m-a1")
    for seat in sealed.seats[1:]:
        sealed.type(seat)
        sealed.sign(seat)
    assert refusal(lambda: sealed.hand_in("m-a1")) == ("recheck.elsewhere", "B10.6")
    renew(sealed, "m-a1", "I had not looked at my former sheet.")
    sealed.type("m-a1")
    sealed.sign("m-a1")
    sealed.hand_in()
    versions = {body["seat"]: body["version"] for body in bodies(sealed, "sheet.signed")}
    assert versions == {"m-a1": 3, "m-b2": 1, "m-c3": 2, "m-d4": 2, "m-e5": 2, SPARE: 1}
    sealed.sign_report()
    assert evaluate(sealed).members == len(SEATS)
    assert mismatches(sealed) == []


def ask(sitting: Sitting, seat: str) -> None:
    service.ask_for_time(sitting.ledger, service.member_actor(seat), sitting.reference)


def test_more_than_a_third_extend_the_evaluation(sitting: Sitting) -> None:
    """Of five members one is a fifth and two are more than a third; each extension begins another round."""
    sitting.qualify()
    sitting.start()
    ask(sitting, "m-a1")
    assert refusal(lambda: ask(sitting, "m-a1")) == ("time.asked", "EXP-19")
    assert bodies(sitting, "evaluation.extended") == []
    with pytest.raises(NotFound):
        ask(sitting, SPARE)
    ask(sitting, "m-b2")
    assert bodies(sitting, "evaluation.extended") == [{"asking": 2, "members": 5, "round": 0}]
    ask(sitting, "m-a1")
    ask(sitting, "m-c3")
    assert [body["round"] for body in bodies(sitting, "evaluation.extended")] == [0, 1]
    assert mismatches(sitting) == []


def test_exactly_a_third_is_not_more(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    nine = (*SEATS, SPARE, "m-g7", "m-h8", "m-i9")
    seat_everybody(monkeypatch, committee(seats=nine))
    sitting.qualify()
    sitting.start()
    for seat in nine[:3]:
        ask(sitting, seat)
    assert bodies(sitting, "evaluation.extended") == []
    ask(sitting, nine[3])
    assert bodies(sitting, "evaluation.extended") == [{"asking": 4, "members": 9, "round": 0}]


def test_every_bidder_is_left_for_the_new_committee(sealed: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    seat_everybody(monkeypatch, committee({"m-b2": "replaced"}, seats=(*SEATS, SPARE)))
    resume(sealed)
    assert {bid.bid for bid in sealed.state().pending(Step.CONFORMITY)} == {sealed.bids[key] for key in PRICES}
