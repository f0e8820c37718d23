"""The whole sitting through the use cases on PostgreSQL: B10.1 to B10.7, EXP-03, 17, 20, 21, 22, EVL-05, MET-02."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from tests.build.scores import PREFERENCE
from tests.support.market import LOT, STAGE
from tests.support.sitting import PRICES, SEATS, SPARE, Sitting, committee, seat_everybody
from trading.audit.replay import Mismatch, replay
from trading.audit.tables import audit_entry
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.demo import cast
from trading.evaluation import service
from trading.evaluation.rules import scoring
from trading.evaluation.rules.examination import Step
from trading.evaluation.rules.recheck import Ground
from trading.evaluation.rules.sheets import Score
from trading.evaluation.service.state import open_sheets
from trading.experts.rules.composition import Committee
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures.rules.criteria import decimal_of


def refusal(act: Callable[[], object]) -> tuple[str, str | None]:
    with pytest.raises(RuleBroken) as broken:
        act()
    return broken.value.code, broken.value.rule_id


def bodies(sitting: Sitting, kind: str) -> list[dict[str, Any]]:
    query = select(audit_entry.c.record).where(audit_entry.c.kind == kind).order_by(audit_entry.c.id)
    with sitting.ledger.read() as conn:
        return [loads_object(bytes(raw))["body"] for raw in conn.execute(query).scalars()]


def mismatches(sitting: Sitting) -> list[Mismatch]:
    """Replay every history as ``verify-audit`` does."""
    assert sitting.database is not None
    with sitting.database.connect("trading_auditor") as conn:
        return replay(conn, FOLDS, REPLAYED, COMPARES)


def evaluate(sitting: Sitting) -> Any:  # noqa: ANN401 - a ranking
    return service.evaluate(sitting.ledger, sitting.agency, *sitting.place)[0]


def test_a_committee_evaluates_and_the_lot_is_ranked(sitting: Sitting) -> None:  # MET-02, PRF-01, PRF-02
    sitting.examine()
    assert [body["triggers"] for body in bodies(sitting, "explanation.asked")] == [["ceiling"]]
    sitting.score({"mingde": "45", "qinghe": "40.5", "songtao": "10"})
    sitting.sign_report(dissent={"m-c3": "The plan of the first is too vague."})
    by_bid = {bid: key for key, bid in sitting.bids.items()}
    ranking = evaluate(sitting)
    found = {by_bid[item.bid]: (item.rank, item.score, item.evaluated_price) for item in ranking.items}
    # 40 points x 60 000 / P' + 5 + the mean of the plans; 98 000 less 10 %, 95 000 less 4 %.
    assert found == {
        "mingde": (1, "76.32", 91_200_00),
        "qinghe": (2, "72.71", 88_200_00),
        "yunfan": (3, "59.74", 97_000_00),
        "bolin": (4, "59.24", 99_000_00),
        "songtao": (5, "55.00", 60_000_00),
    }
    (ranked,) = bodies(sitting, "bids.ranked")
    assert (ranked["method"], ranked["members"], ranked["tie"]) == ("comprehensive_scoring", 5, None)
    signed = bodies(sitting, "report.signed")
    assert [body["dissent"] for body in signed].count(None) == 4
    assert {body["seat"] for body in signed} == set(SEATS)
    assert len(bodies(sitting, "scores.opened")[0]["sheets"]) == 5
    assert mismatches(sitting) == []


def test_records_name_seats_and_no_account(sitting: Sitting) -> None:  # EXP-14
    sitting.examine()
    sitting.score()
    kinds = ("bid.voted", "sheet.signed", "sheet.handed_in", "bid.examined", "scores.opened", "report.drafted")
    query = select(audit_entry.c.record).where(audit_entry.c.kind.in_(kinds), audit_entry.c.record.is_not(None))
    with sitting.ledger.read() as conn:
        records = [loads_object(bytes(raw)) for raw in conn.execute(query).scalars()]
    by_committee = [record for record in records if record["body"].get("step") != "qualification"]
    assert {record["actor"] for record in by_committee} == {f"expert:{seat}" for seat in SEATS}
    assert {record["on_behalf_of"] for record in by_committee} == {None}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (committee(seats=SEATS[:3]), ("committee.too_small", "EXP-03")),
        (committee(seats=(*SEATS, SPARE)), ("committee.even", "EXP-03")),
        (committee({"m-b2": "recused"}), ("committee.too_small", "EXP-03")),
        (committee({"m-b2": "expected"}), ("committee.absent", "EXP-18")),
        (
            replace(
                committee(), members=tuple(replace(each, declared=each.seat != "m-b2") for each in committee().members)
            ),
            ("committee.undeclared", "EXP-16"),
        ),
        (replace(committee(), draw=None), ("committee.not_drawn", "EXP-10")),
        (replace(committee(), large=True), ("committee.too_small", "EXP-04")),
        (
            replace(
                committee(),
                members=tuple(replace(each, kind="representative") for each in committee().members[:2])
                + committee().members[2:],
            ),
            ("committee.experts_too_few", "EXP-03"),
        ),
    ],
)
def test_an_unlawful_committee_cannot_start(
    sitting: Sitting, monkeypatch: pytest.MonkeyPatch, found: Committee, expected: tuple[str, str]
) -> None:
    seat_everybody(monkeypatch, found)
    sitting.qualify()
    assert refusal(sitting.start) == expected
    assert bodies(sitting, "evaluation.started") == []
    seat_everybody(monkeypatch)  # control: the lawful one starts
    sitting.start()
    assert len(bodies(sitting, "evaluation.started")) == 1


def test_nothing_starts_before_qualification_or_twice(sitting: Sitting) -> None:  # 87-44
    assert refusal(sitting.start) == ("evaluation.unqualified", "EVL-05")
    assert refusal(lambda: sitting.vote("m-a1", "bolin")) == ("evaluation.not_started", "EXP-03")
    assert refusal(lambda: evaluate(sitting)) == ("evaluation.report_unsigned", "EXP-20")
    sitting.qualify()
    sitting.start()
    assert refusal(sitting.start) == ("evaluation.begun", "B4.1")
    assert refusal(sitting.qualify) == ("evaluation.begun", "B4.1")


def test_without_a_committee_nothing_starts(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:  # EXP-03
    monkeypatch.setattr("trading.experts.queries.committee_of", lambda *_: None)
    sitting.qualify()
    assert refusal(sitting.start) == ("evaluation.no_committee", "EXP-03")


def test_fewer_than_three_qualified_bidders_are_not_evaluated(sitting: Sitting) -> None:  # EVL-05, 87-44
    unfit = dict.fromkeys(("bolin", "yunfan", "songtao"), "No business licence.")
    sitting.qualify(**unfit)
    assert refusal(sitting.start) == ("evaluation.lot_fails", "EVL-05")
    ranking = evaluate(sitting)
    assert ranking.failure.rule == "EVL-05"
    assert bodies(sitting, "lot.failed") == [
        {"lot": LOT, "reason": "fewer_than_three_after_opening", "rule": "EVL-05", "stage": STAGE}
    ]
    assert mismatches(sitting) == []


def test_a_finding_of_qualification_may_change_until_the_sitting(sitting: Sitting) -> None:  # 87-44
    sitting.qualify(bolin="No business licence.")
    sitting.qualify()
    sitting.start()
    assert len(sitting.state().qualified) == 5
    assert mismatches(sitting) == []


def test_only_agency_and_members_act(sitting: Sitting) -> None:
    other = Actor(account="a-9", roles=frozenset({Role.AGENCY}), organisation=cast.BIDDERS[0].code)
    reviewer = replace(sitting.agency, roles=frozenset({Role.REVIEWER}))
    for actor, error in ((other, NotFound), (reviewer, NotPermitted)):
        stranger = replace(sitting, agency=actor)
        for act in (stranger.qualify, stranger.start):
            with pytest.raises(error):
                act()
    sitting.qualify()
    sitting.start()
    expert = Actor(account="a-77", roles=frozenset({Role.EXPERT}))
    for actor in (
        expert,
        sitting.agency,
        service.member_actor(SPARE),
        replace(service.member_actor("m-a1"), roles=frozenset()),
    ):
        with pytest.raises(NotFound):
            service.sign_sheet(sitting.ledger, actor, *sitting.place, commit="a" * 64, version=1)


def test_the_majority_decides_and_the_last_vote_closes(sitting: Sitting) -> None:  # EXP-21, EVL-02
    sitting.qualify()
    sitting.start()
    assert refusal(lambda: sitting.vote("m-a1", "bolin", reason=" ")) == ("examination.reason_missing", "EVL-02")
    sitting.vote("m-a1", "bolin", reason="No sample.")
    sitting.vote("m-a1", "bolin")  # thinks better of it
    for seat in SEATS[1:4]:
        sitting.vote(seat, "bolin", reason="The guarantee is missing.")
    assert sitting.state().examined[sitting.bids["bolin"]].exclusion is None  # one vote is missing
    sitting.vote("m-e5", "bolin")
    finding = bodies(sitting, "bid.examined")[-1]
    assert (finding["outcome"], finding["step"], finding["reason"]) == (
        "invalid",
        "conformity",
        "The guarantee is missing.",
    )
    assert refusal(lambda: sitting.vote("m-a1", "bolin")) == ("examination.decided", "EXP-21")
    with pytest.raises(NotFound):
        sitting.vote("m-a1", "bolin", Step.QUALIFICATION)
    assert mismatches(sitting) == []


def test_a_deduction_is_granted_only_by_majority_and_only_if_claimed(sitting: Sitting) -> None:  # PRF-01
    sitting.qualify()
    sitting.start()
    for seat in SEATS:
        sitting.vote(seat, "qinghe", grants=seat in SEATS[:2])
        sitting.vote(seat, "mingde", grants=seat in SEATS[:3])
        sitting.vote(seat, "bolin", grants=True)  # claims nothing
    found = {
        body["bid"]: body["preference"] for body in bodies(sitting, "bid.examined") if body["step"] == "conformity"
    }
    assert found == {
        sitting.bids["qinghe"]: None,
        sitting.bids["mingde"]: "consortium",
        sitting.bids["bolin"]: None,
    }


def test_an_abnormally_low_price_waits_for_its_explanation(sitting: Sitting) -> None:  # B10.3, EVL-04
    sitting.qualify()
    sitting.start()
    with pytest.raises(NotFound):
        sitting.explain_price("songtao")  # nobody has asked yet
    sitting.vote_all()
    with pytest.raises(NotFound):
        sitting.vote("m-a1", "bolin", Step.PRICE)
    assert refusal(lambda: sitting.vote("m-a1", "songtao", Step.PRICE)) == ("explanation.pending", "B10.3")
    early = partial(service.sign_sheet, sitting.ledger, service.member_actor("m-a1"), *sitting.place)
    assert refusal(lambda: early(commit="a" * 64, version=1)) == ("scoring.not_yet", "B10.6")
    bidder = Actor(account="a-5", roles=frozenset({Role.BIDDER}), organisation=cast.BIDDERS[3].code)
    rival = replace(bidder, organisation=cast.BIDDERS[0].code)
    bid = sitting.bids["songtao"]
    with pytest.raises(NotFound):
        service.explain_price(sitting.ledger, rival, *sitting.place, bid, "Not mine.")
    assert (
        refusal(lambda: service.explain_price(sitting.ledger, bidder, *sitting.place, bid, " "))[0]
        == "explanation.empty"
    )
    service.explain_price(sitting.ledger, bidder, *sitting.place, bid, "We own the forest.")
    assert refusal(lambda: sitting.explain_price("songtao")) == ("explanation.given", "EVL-04")
    for seat in SEATS:
        sitting.vote(seat, "songtao", Step.PRICE, reason="" if seat == "m-a1" else "No evidence of the costs.")
    assert sitting.state().examined[bid].exclusion == "abnormally_low"
    assert len(sitting.state().conforming) == 4
    assert mismatches(sitting) == []


def test_a_signature_is_a_digest_and_is_changed_by_another_until_all_have_signed(sitting: Sitting) -> None:  # ux C53
    sitting.examine()
    first = service.member_actor("m-a1")

    def sign(commit: str, version: int = 1) -> None:
        service.sign_sheet(sitting.ledger, first, *sitting.place, commit=commit, version=version)

    assert refusal(lambda: sign("30; as described")) == ("sheet.digest_wrong", "EXP-22")  # scores do not fit into it
    assert refusal(lambda: sign("A" * 64)) == ("sheet.digest_wrong", "EXP-22")
    assert refusal(lambda: sign("a" * 64, version=2)) == ("sheet.version", "EXP-22")
    sitting.type("m-a1", {"bolin": "20"})
    sitting.sign("m-a1")
    sheet = sitting.machines["m-a1"].sheet
    assert sheet is not None
    assert refusal(lambda: sign(sheet.commit, version=2))[0] == "sheet.unchanged"
    sitting.type("m-a1", {"bolin": "20.5"})
    sitting.sign("m-a1", reason="I had overlooked the annex.")
    signed = bodies(sitting, "sheet.signed")
    assert [sorted(body) for body in signed] == [
        ["bids", "lot", "seat", "second_factor", "sheet_commit", "stage", "version"] for _ in range(2)
    ]
    assert [body["version"] for body in signed] == [1, 2]
    assert bodies(sitting, "sheet.handed_in") == bodies(sitting, "scores.opened") == []
    assert mismatches(sitting) == []


def test_sheets_are_taken_when_all_have_signed_and_only_those(sitting: Sitting) -> None:  # EXP-22
    sitting.examine()
    for seat in SEATS[:4]:
        sitting.type(seat)
        sitting.sign(seat)
    assert refusal(lambda: sitting.hand_in("m-a1")) == ("sheet.too_early", "EXP-22")
    sitting.type(SEATS[4])
    sitting.sign(SEATS[4])
    assert bodies(sitting, "scores.opened") == []
    late = "a" * 64, 2
    actor = service.member_actor("m-a1")
    assert refusal(
        lambda: service.sign_sheet(sitting.ledger, actor, *sitting.place, commit=late[0], version=late[1])
    ) == ("sheet.all_signed", "EXP-22")
    own = sitting.machines["m-a1"].sheet
    sitting.make("m-a1")  # the same scores under another salt
    assert refusal(lambda: sitting.hand_in("m-a1")) == ("sheet.other_document", "EXP-22")
    assert refusal(lambda: service.correct_sheet(sitting.ledger, actor, *sitting.place, b"{}"))[0] == "sheet.not_open"
    sitting.machines["m-a1"].sheet = own
    sitting.hand_in("m-a1")
    assert refusal(lambda: sitting.hand_in("m-a1")) == ("sheet.handed_in", "EXP-22")
    assert bodies(sitting, "scores.opened") == []
    sitting.hand_in()
    assert [body["seat"] for body in bodies(sitting, "sheet.handed_in")] == list(SEATS)
    assert len(bodies(sitting, "scores.opened")) == 1
    assert mismatches(sitting) == []


@pytest.mark.parametrize(
    ("plan", "comment", "fault"),
    [
        ("77", "far too good", "score.out_of_range"),
        ("20.25", "off the step", "score.out_of_range"),
        ("50", "", "score.comment_missing"),
        (None, "", "sheet.incomplete"),
    ],
)
def test_an_unlawful_sheet_that_was_signed_is_not_taken(
    sitting: Sitting, plan: str | None, comment: str, fault: str
) -> None:  # DOC-15, B10.6
    sitting.examine()
    for seat in SEATS:
        sitting.type(seat)
    bid = sitting.bids["bolin"]
    typed = sitting.machines["m-a1"].cells[bid]
    if plan is None:
        del typed["plan"]
    else:
        typed["plan"] = Score(points=plan, comment=comment or None)
    for seat in SEATS:
        sitting.sign(seat, lawful=seat != "m-a1")
    with pytest.raises(RuleBroken) as broken:
        sitting.hand_in("m-a1")
    assert (broken.value.code, broken.value.facts["fault"]) == ("sheet.invalid", fault)
    sitting.hand_in(*SEATS[1:])
    assert bodies(sitting, "scores.opened") == []
    assert mismatches(sitting) == []


def test_a_change_gives_its_reason_in_the_sheet(sitting: Sitting) -> None:  # ux C53
    sitting.examine()
    for seat in SEATS:
        sitting.type(seat)
    sitting.sign("m-a1")
    sitting.sign("m-a1")  # no reason: nobody can tell before it is handed in
    sitting.sign("m-b2")
    sitting.sign("m-b2", reason="misread")
    for seat in SEATS[2:]:
        sitting.sign(seat)
    assert refusal(lambda: sitting.hand_in("m-a1")) == ("sheet.reason_missing", "B10.6")
    sitting.hand_in("m-b2")
    assert bodies(sitting, "sheet.handed_in")[0]["reason"] == "misread"


def test_equal_sheets_have_unequal_commitments(sitting: Sitting) -> None:
    """The commitment says nothing about the scores: two members who agree commit to different bytes (EXP-22)."""
    sitting.examine()
    for seat in SEATS[:2]:
        sitting.type(seat)
        sitting.sign(seat)
    first, second = bodies(sitting, "sheet.signed")
    assert first["sheet_commit"] != second["sheet_commit"]


def test_the_recheck_holds_the_report_back(sitting: Sitting) -> None:  # B10.6
    sitting.examine()
    for seat in SEATS:
        sitting.type(seat, {"bolin": "49"} if seat == "m-e5" else None, warranty="10" if seat == "m-d4" else "5")
        sitting.sign(seat)
    sitting.hand_in()
    assert len(bodies(sitting, "scores.opened")) == 1
    assert bodies(sitting, "report.drafted") == []
    # m-d4 scored an objective criterion otherwise: it must be corrected; m-e5 stands apart and may explain.
    bid, last = sitting.bids["bolin"], service.member_actor("m-e5")
    with pytest.raises(NotFound):
        service.explain_score(sitting.ledger, service.member_actor("m-a1"), *sitting.place, (bid, "plan"), "Not mine.")
    assert (
        refusal(lambda: service.explain_score(sitting.ledger, last, *sitting.place, (bid, "plan"), " "))[0]
        == "explanation.empty"
    )
    service.explain_score(sitting.ledger, last, *sitting.place, (bid, "plan"), "The only plan with a timetable.")
    assert bodies(sitting, "report.drafted") == []
    sitting.type("m-d4", {"yunfan": "31"}, warranty="5")
    assert refusal(lambda: sitting.sign("m-d4", reason="Misread.")) == ("recheck.elsewhere", "B10.6")
    sitting.type("m-d4", warranty="5")
    sitting.sign("m-d4", reason="Misread the guarantee.")
    assert len(bodies(sitting, "scores.opened")) == 2
    assert [body["number"] for body in bodies(sitting, "report.drafted")] == [1]
    assert mismatches(sitting) == []


def test_the_report_is_signed_once_by_each_member(sitting: Sitting) -> None:  # EXP-20, EVL-11
    sitting.examine()
    with pytest.raises(RuleBroken) as broken:
        service.sign_report(sitting.ledger, service.member_actor("m-a1"), sitting.reference, "0" * 64)
    assert broken.value.code == "report.not_drafted"
    sitting.score()
    with pytest.raises(RuleBroken) as broken:
        service.sign_report(sitting.ledger, service.member_actor("m-a1"), sitting.reference, "0" * 64)
    assert broken.value.code == "report.changed"
    assert refusal(lambda: sitting.sign_report_as("m-a1", " ")) == ("report.dissent_empty", "EXP-20")
    for seat in SEATS[:4]:
        sitting.sign_report_as(seat)
    assert refusal(lambda: sitting.sign_report_as("m-a1")) == ("report.signed_already", "EXP-20")
    assert refusal(lambda: evaluate(sitting)) == ("evaluation.report_unsigned", "EXP-20")
    sitting.sign_report_as("m-e5", "I would have asked for samples.")
    assert len(bodies(sitting, "evaluation.reported")) == 1
    sitting_again = lambda: sitting.sign("m-a1", reason="late")  # noqa: E731 - one act
    assert refusal(sitting_again) == ("evaluation.reported", "EVL-11")
    assert evaluate(sitting).failure is None
    assert refusal(lambda: evaluate(sitting)) == ("act.wrong_phase", "B4.1")


def test_a_replaced_member_leaves_nothing_behind(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:  # EXP-17
    sitting.examine()
    sitting.score()
    sitting.sign_report_as("m-a1")

    def replace_member(reason: str = "Ill.") -> None:
        service.replace_member(sitting.ledger, sitting.agency, sitting.reference, "m-b2", SPARE, reason)

    assert refusal(replace_member) == ("member.not_left", "EXP-17")
    left = committee({"m-b2": "replaced"}, seats=(*SEATS, SPARE))
    waiting = committee({"m-b2": "replaced", SPARE: "expected"}, seats=(*SEATS, SPARE))
    seat_everybody(monkeypatch, waiting)
    assert refusal(replace_member) == ("committee.absent", "EXP-18")
    seat_everybody(monkeypatch, left)
    assert refusal(lambda: replace_member(" ")) == ("member.reason_missing", "EXP-17")
    assert refusal(lambda: sitting.sign_report_as("m-b2")) == ("report.member_left", "EXP-17")
    assert refusal(lambda: sitting.sign_report_as("m-c3")) == ("report.member_left", "EXP-17")
    replace_member()
    assert mismatches(sitting) == []
    assert refusal(lambda: sitting.sign_report_as("m-c3")) == ("report.not_drafted", "B10.7")
    with pytest.raises(NotFound):
        sitting.vote("m-b2", "bolin")  # the former member has no seat any more
    assert {bid.bid for bid in sitting.state().pending(Step.CONFORMITY)} == set(sitting.bids.values())
    sitting.seats = [*SEATS[:1], *SEATS[2:], SPARE]
    for key in PRICES:
        sitting.vote(SPARE, key)  # the others' votes stand
    sitting.vote(SPARE, "songtao", Step.PRICE)
    sitting.type(SPARE)
    sitting.sign(SPARE)
    assert len(bodies(sitting, "scores.opened")) == 1
    sitting.hand_in()
    assert [body["number"] for body in bodies(sitting, "report.drafted")] == [1, 2]
    sitting.sign_report()
    assert evaluate(sitting).members == 5
    assert mismatches(sitting) == []


def test_a_replacement_does_not_let_those_who_saw_the_scores_score_again(
    sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:  # EXP-17, EXP-22
    sitting.examine()
    sitting.score()
    seat_everybody(monkeypatch, committee({"m-b2": "replaced"}, seats=(*SEATS, SPARE)))
    service.replace_member(sitting.ledger, sitting.agency, sitting.reference, "m-b2", SPARE, "Ill.")
    sitting.seats = [*SEATS[:1], *SEATS[2:], SPARE]
    for key in PRICES:
        sitting.vote(SPARE, key)
    sitting.vote(SPARE, "songtao", Step.PRICE)
    sitting.type("m-a1", {"bolin": "1"})
    assert refusal(lambda: sitting.sign("m-a1", reason="better now")) == ("recheck.elsewhere", "B10.6")
    sitting.type(SPARE, {"bolin": "31"})
    sitting.sign(SPARE)
    sitting.hand_in()  # the scores are open again
    sitting.type("m-a1", {"bolin": "1"})
    assert refusal(lambda: sitting.sign("m-a1", reason="better now")) == ("recheck.elsewhere", "B10.6")
    assert mismatches(sitting) == []


def test_whoever_came_in_may_change_an_own_sheet_until_all_have_signed(
    sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting.examine()
    sitting.score()
    seat_everybody(monkeypatch, committee({"m-b2": "replaced", "m-c3": "replaced"}, seats=(*SEATS, SPARE, "m-g7")))
    for left, fresh in (("m-b2", SPARE), ("m-c3", "m-g7")):
        service.replace_member(sitting.ledger, sitting.agency, sitting.reference, left, fresh, "Ill.")
    for seat in (SPARE, "m-g7"):
        for key in PRICES:
            sitting.vote(seat, key)
    for seat in (SPARE, "m-g7"):
        sitting.vote(seat, "songtao", Step.PRICE)
    sitting.type(SPARE, {"bolin": "1"})
    sitting.sign(SPARE)
    sitting.type(SPARE, {"bolin": "31"})
    sitting.sign(SPARE, reason="misread")
    assert [body["version"] for body in bodies(sitting, "sheet.signed") if body["seat"] == SPARE] == [1, 2]


def test_the_last_two_who_hand_in_at_once_open_the_scores_once(sitting: Sitting) -> None:  # EXP-22
    sitting.examine()
    for seat in SEATS:
        sitting.type(seat)
        sitting.sign(seat)
    sitting.hand_in(*SEATS[:3])
    barrier, faults = threading.Barrier(2), []

    def hand_in(seat: str) -> None:
        barrier.wait(20)
        try:
            sitting.hand_in(seat)
        except RuleBroken as broken:
            faults.append(broken.code)

    threads = [threading.Thread(target=hand_in, args=(seat,)) for seat in SEATS[3:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(bodies(sitting, "scores.opened")) == 1
    assert len(bodies(sitting, "report.drafted")) == 1
    assert mismatches(sitting) == []


def test_a_wrong_sum_stops_the_report_and_stands_on_the_recheck(
    sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:  # B10.6, 87-64 item 1
    sitting.examine()

    def wrong(value: Fraction) -> str:
        return decimal_of(value + 1)

    for seat in SEATS:
        sitting.type(seat)
        sitting.sign(seat)
    with monkeypatch.context() as broken:
        broken.setattr(scoring, "decimal_of", wrong)
        sitting.hand_in()
        with sitting.ledger.read() as conn:
            doubts = sitting.state().doubts(open_sheets(conn, sitting.state().place))
        assert {each.ground for each in doubts} == {Ground.SUM}
        assert len(doubts) == len(sitting.bids) * 2  # every criterion that members score
        assert bodies(sitting, "report.drafted") == []
    with sitting.ledger.read() as conn:  # control: the sums of the platform add up
        assert sitting.state().doubts(open_sheets(conn, sitting.state().place)) == []


def test_domestic_products_are_claimed_by_share_where_the_notice_grants_them(sitting: Sitting) -> None:  # PRF-06
    state, bid = sitting.state(), sitting.bids["qinghe"]
    granting = replace(PREFERENCE, domestic="20")

    def claimed(share: str, *, granted: bool = True) -> str | None:
        terms = {"domestic_share": share, "sme": "small_micro"}
        rules = replace(state.rules, preference=granting if granted else PREFERENCE)
        return replace(state, rules=rules, prices={**state.prices, bid: {"terms": terms}}).claimed(bid)

    assert claimed("80") == "small_micro+domestic"
    assert claimed("79.99") == "small_micro"
    assert claimed("80", granted=False) == "small_micro"
