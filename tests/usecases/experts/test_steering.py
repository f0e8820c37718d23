"""Whoever wants another panel: what one person, or two who agree, cannot do to a draw (ED1 D7, D10, D13)."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from tests.support.made_committee import CommitteeMaker, custody_key
from tests.support.market import Market
from tests.support.people import further_account
from trading.crypto.contact import code_sha256
from trading.crypto.signatures import SignedDocument, sign_document
from trading.custody import queries as custody
from trading.demo import cast
from trading.evaluation.model import of_procedure
from trading.experts import queries, store
from trading.experts.rules.checks import CheckCode, Finding, make_adjudication, make_share_check
from trading.experts.rules.composition import Committee, require_declared
from trading.experts.rules.identity import Identity
from trading.experts.service import advance, committees, custodians, papers, seats
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor, Role
from trading.openings.model import Place, lot_event


def refused(code: str) -> pytest.RaisesExc[RuleBroken]:
    return pytest.raises(RuleBroken, match=code.replace(".", r"\."))


@pytest.mark.parametrize("signed_before", [True, False])
def test_a_cancellation_prepared_before_the_seal_is_no_way_out_after_it(
    market: Market, maker: CommitteeMaker, *, signed_before: bool
) -> None:
    """Centre and supervisor would keep it at hand and hand it in if they disliked the seed (D13)."""
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.specified(market.tender)
    kept = advance.draft_cancel(maker.ledger, maker.actor("centre"), draw, "wrong_plan")
    centre, supervisor = (maker.stage.signers[role, role] for role in ("centre", "supervisor"))
    if signed_before:
        papers.collect(maker.ledger, maker.actor("centre"), draw, sign_document(kept.doc, centre))
    maker.commit(draw)
    maker.until(lambda: maker.row(draw).state == "sealed")
    with refused("draw.reroll"):
        papers.collect(maker.ledger, maker.actor("centre"), draw, sign_document(kept.doc, centre, supervisor))
    maker.reveal(draw)
    maker.until(lambda: maker.row(draw).state == "seeded")
    with refused("draw.reroll"):
        papers.collect(maker.ledger, maker.actor("supervisor"), draw, sign_document(kept.doc, supervisor))
    assert "draw.cancelled" not in market.kinds()
    with maker.ledger.read() as conn:
        assert queries.find_draw(conn, draw).state == "seeded"


def test_the_supervisor_alone_leaves_no_contributor_out(market: Market, maker: CommitteeMaker) -> None:
    """A finding decides what a custodian reported; without a report nobody dealt badly (D7)."""
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.specified(market.tender)
    maker.custodians[2].silent = True  # so that there is no seal yet
    maker.commit(draw)
    maker.work()
    row, supervisor = maker.row(draw), maker.stage.signers["supervisor", "supervisor"]
    with maker.ledger.read() as conn:
        victim = queries.answers(conn, draw, 1, "contribution")[0].sha256
        index = {each.kid: each.i for each in custodians.policy_of(conn, row).custodians}
    honest, silent = (index[maker.custodians[place].signer.kid] for place in (0, 2))

    def find(custodian: int) -> SignedDocument:
        findings = {victim: Finding.DEALT_BAD}
        raw = make_adjudication(findings, custodian=custodian, spec_sha256=row.spec_sha256 or "", created=maker.now())
        return sign_document(raw, supervisor)

    for custodian in (honest, silent):
        with refused("draw.not_reported"):
            papers.collect(maker.ledger, maker.actor("supervisor"), draw, find(custodian))
    assert "draw.adjudicated" not in market.kinds()
    _report(maker, draw, silent, victim)
    papers.collect(maker.ledger, maker.actor("supervisor"), draw, find(silent))
    assert "draw.adjudicated" in market.kinds()


def _report(maker: CommitteeMaker, draw: str, custodian: int, digest: str) -> None:
    """Let the silent custodian say that its share of one document is bad."""
    institution = maker.custodians[2]
    with maker.ledger.read() as conn:
        waiting = custody.waiting(conn, institution.signer.kid, 0)
        key = custody_key(conn, institution.signer.kid)
    job = next(each for each in waiting if each.kind == "draw-check" and digest in each.request["documents"])
    codes = dict.fromkeys(job.request["documents"], CheckCode.OK) | {digest: CheckCode.COMMIT_MISMATCH}
    raw = make_share_check(
        codes, custodian=custodian, draw=draw, spec_sha256=job.request["spec_sha256"], created=maker.now()
    )
    answer = sign_document(raw, institution.signer).wire()
    custodians.answer(maker.ledger, key, job, {"answer": answer, "job": job.id})


def test_a_seat_that_was_left_is_not_taken_by_a_sign_in_under_way(
    market: Market, maker: CommitteeMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker.admit(12, accounts_for=12)
    maker.plan(market.tender)
    maker.drawn(market.tender)
    address, code = min(maker.seat_codes().items())
    with maker.ledger.upkeep() as conn:
        held = store.seat_code_of(conn, code_sha256(code))
    assert held is not None
    take = store.take_seat_code

    def late(conn: Connection, digest: bytes) -> tuple[str, bytes | None] | None:
        seats.replace(maker.ledger, maker.actor("centre"), market.tender, held[0], "ill")
        return take(conn, digest)

    monkeypatch.setattr(store, "take_seat_code", late)
    with refused("seat.left"):
        seats.sign_in(maker.ledger, maker.account_of(address), code, promised=True)
    assert member(maker, market, held[0]).state == "replaced"
    assert "seat.signed_in" not in market.kinds()


def member(maker: CommitteeMaker, market: Market, seat: str) -> queries.MemberRow:
    with maker.ledger.read() as conn:
        return next(row for row in queries.members(conn, market.procedure_id) if row.seat == seat)


def test_nobody_is_absent_who_came_or_before_it_begins(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(12, accounts_for=12)
    maker.plan(market.tender)
    maker.drawn(market.tender)
    with maker.ledger.read() as conn:
        committee = queries.committee_row(conn, market.procedure_id)
        assert committee is not None
        begins_at = queries.plan_of(conn, committee).evaluation_at
    address, code = min(maker.seat_codes().items())
    seats.sign_in(maker.ledger, maker.account_of(address), code, promised=True)
    with maker.ledger.read() as conn:
        rows = queries.members(conn, market.procedure_id)
    here = next(row.seat for row in rows if row.state == "present")
    away = next(row.seat for row in rows if row.state == "expected")

    def replace(seat: str, reason: str = "absent") -> None:
        seats.replace(maker.ledger, maker.actor("centre"), market.tender, seat, reason)

    for seat in (here, away):
        with refused("seat.not_absent"):
            replace(seat)
    market.advance_to(begins_at)
    with refused("seat.not_absent"):
        replace(here)
    replace(away)
    assert member(maker, market, away).state == "replaced"
    event = of_procedure("evaluation.reported", market.tender, market.procedure_id, report_sha256="0" * 64)
    with maker.ledger.begin(maker.actor("drafter")) as uow:
        uow.record(event)
    with refused("seat.evaluated"):  # or the result would name somebody who never evaluated
        replace(here, "ill")


def test_a_representative_who_leaves_ends_no_draw(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    maker.begin(market.tender)
    who = maker.representative(market.tender)
    seats.declare(maker.ledger, who, market.tender, seats.CONFLICT)
    with maker.ledger.read() as conn:
        committee = queries.committee_row(conn, market.procedure_id)
    assert committee is not None
    assert committee.state == "drawing"


def test_nobody_gives_himself_a_seat_and_no_staff_of_the_agency_sits(market: Market, maker: CommitteeMaker) -> None:
    """Persons are compared, not accounts (EXP-06)."""
    maker.plan(market.tender)
    buyer = maker.account("buyer", cast.BUYER, Role.AGENCY)
    same = further_account(maker.ledger, "buyer", "buyer-again", cast.BUYER.code, Role.AGENCY)
    double = further_account(maker.ledger, "drafter", "drafter-at-buyer", cast.BUYER.code, Role.AGENCY)

    def appoint(by: Actor, who: Actor) -> str:
        identity = Identity(name="甲", mail="none@localhost", phone="", employer=cast.BUYER.code)
        return committees.appoint_representative(maker.ledger, by, market.tender, who, identity)

    for who in (buyer, same):
        with refused("committee.own_seat"):
            appoint(buyer, who)
    for who in (double, maker.actor("drafter")):
        with refused("committee.not_buyer_staff"):
            appoint(buyer, who)
    assert "committee.appointed" not in market.kinds()
    assert appoint(maker.actor("drafter"), same).startswith("m-")


def test_the_records_tell_who_has_declared(market: Market, maker: CommitteeMaker) -> None:
    """An expert who said nothing about his interests in the bidders does not evaluate (EXP-15, EXP-16)."""
    maker.admit(12, accounts_for=12)
    maker.plan(market.tender)
    maker.drawn(market.tender)
    codes = sorted(maker.seat_codes().items())
    for address, code in codes:
        seats.sign_in(maker.ledger, maker.account_of(address), code, promised=True)

    def found() -> Committee:
        with maker.ledger.read() as conn:
            committee = queries.committee_of(conn, market.procedure_id)
        assert committee is not None
        return committee

    def declare(address: str) -> None:
        seats.declare(maker.ledger, maker.account_of(address), market.tender, seats.NONE)

    with refused("seat.bidders_unknown"):
        declare(codes[0][0])
    for _ in range(2):  # what was said before a further lot's bidders were known is said again
        with maker.ledger.begin(maker.actor("centre")) as uow:
            place = Place(procedure=market.tender, procedure_id=market.procedure_id, lot="1", stage="all")
            uow.record(lot_event("open.ordered", place, "招标投标法 34", order_sha256="0" * 64))
        for address, _ in codes:
            with refused("committee.undeclared"):
                require_declared(found())
            declare(address)
        require_declared(found())
