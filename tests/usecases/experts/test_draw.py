"""A whole draw through the services: what is fixed, what is recovered, what is refused (ED1 D2 to D10)."""

from __future__ import annotations

import pytest

from tests.support.made_committee import FAST, STRATUM, CommitteeMaker
from tests.support.market import Market
from trading.crypto.signatures import sign_document
from trading.experts import queries
from trading.experts.rules.checks import make_waiver
from trading.experts.rules.pool import procedure_commit
from trading.experts.rules.register import Act, Item
from trading.experts.rules.results import parse_result
from trading.experts.rules.spec import Spec, parse_spec
from trading.experts.service import (
    advance,
    attempts,
    calls,
    committees,
    contributions,
    custodians,
    pages,
    papers,
    register,
    seats,
    walking,
)
from trading.experts.service.committees import Windows
from trading.kernel.errors import InvalidInput, MingbiaoError, NotFound, NotPermitted, RuleBroken
from trading.notices import drafting
from trading.notices import service as notices

DAY = 24 * 3_600_000


def refused(code: str) -> pytest.RaisesExc[RuleBroken]:
    return pytest.raises(RuleBroken, match=code.replace(".", r"\."))


def spec_of(maker: CommitteeMaker, draw: str) -> Spec:
    row = maker.row(draw)
    with maker.ledger.read() as conn:
        return parse_spec(queries.signed_document(conn, row.spec_sha256 or "").doc)


def shortfalls(maker: CommitteeMaker, draw: str) -> list[dict[str, object]]:
    """Return the strata that the page tells to widen."""
    with maker.ledger.read() as conn:
        found = pages.draw_page(conn, maker.actor("centre"), draw).shortfall
    return [{"eligible": item.eligible, "id": item.id, "need": item.need} for item in found]


def test_a_committee_is_drawn_and_seated(market: Market, maker: CommitteeMaker) -> None:
    committee = maker.seated(market.tender)
    assert committee.state == "seated"
    assert len(committee.experts) == 4
    assert {member.state for member in committee.members} == {"present"}
    kinds = market.kinds()
    assert kinds.count("draw.sealed") == kinds.count("draw.seeded") == kinds.count("draw.result") == 1
    order = [kind for kind in kinds if kind.startswith("draw.")]
    assert order.index("draw.specified") < order.index("draw.committed") < order.index("draw.sealed")
    assert order.index("draw.sealed") < order.index("draw.revealed") < order.index("draw.seeded")
    assert order.index("draw.seeded") < order.index("draw.called") < order.index("draw.result")


def test_everything_is_fixed_before_the_first_contribution(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    maker.change(Act.SUSPENDED, [Item(id="E0000003", strata=(STRATUM,), unit="UNIT000003")])
    maker.plan(market.tender)
    draw = maker.specified(market.tender)
    spec, row = spec_of(maker, draw), maker.row(draw)
    assert (spec.pool_size, [item.count for item in spec.excluded]) == (24, [1])
    assert spec.procedure_commit == procedure_commit(row.salt, market.tender)
    assert market.tender.encode() not in spec.raw
    assert {party.id for party in spec.parties} == {"agency", "centre", "notary", "supervisor"}
    with refused("draw.specified"):
        advance.prepare_again(maker.ledger, maker.actor("centre"), draw)


def test_a_withheld_contribution_is_recovered_and_gives_the_same_panel(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.sealed(market.tender)
    with maker.ledger.read() as conn:
        before = {each.party: each for each in attempts.outcomes_of(conn, maker.row(draw))}
    assert all(outcome.r is None for outcome in before.values())
    maker.contributors[1].withholds = True
    maker.custodians[4].silent = True  # any k of them suffice
    maker.reveal(draw)
    maker.until(lambda: maker.row(draw).state == "seeded", seconds=90)
    with maker.ledger.read() as conn:
        outcomes = attempts.outcomes_of(conn, maker.row(draw))
        answers = queries.answers(conn, draw, 1, "recovery")
    withheld = [outcome.party for outcome in outcomes if outcome.withheld]
    assert withheld == [maker.party_of(draw, maker.contributors[1])]
    recovered = next(outcome for outcome in outcomes if outcome.withheld)
    assert recovered.r == maker.contributors[1].r  # so the seed, and the panel, are those of a reveal
    assert recovered.valid
    assert len(answers) >= 3
    maker.accept_all(draw)


def test_nobody_reveals_before_the_seal_and_nobody_commits_after_it(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.specified(market.tender)
    first, second = maker.contributors[0], maker.contributors[1]
    maker.commit(draw)
    with maker.ledger.read() as conn:
        wire = queries.signed_document(conn, queries.answers(conn, draw, 1, "contribution")[0].sha256)
    with pytest.raises((NotFound, InvalidInput, RuleBroken)):
        contributions.contribute(maker.ledger, maker.key_of(second), draw, 1, wire)
    maker.until(lambda: maker.row(draw).state == "sealed")
    again = sign_document(
        wire.doc, next(each.signer for each in maker.contributors if each.signer.kid == wire.sigs[0]["kid"])
    )
    owner = next(each for each in maker.contributors if each.signer.kid == wire.sigs[0]["kid"])
    assert contributions.contribute(maker.ledger, maker.key_of(owner), draw, 1, again).repeated
    with refused("draw.sealed"):
        maker.commit(draw)
    del first


def test_a_silent_custodian_stops_the_seal_and_a_waiver_lets_it_go_on(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.specified(market.tender)
    maker.custodians[2].silent = True
    maker.commit(draw)
    for _ in range(5):
        maker.work()
    assert maker.row(draw).state == "specified"
    spec = spec_of(maker, draw)
    with maker.ledger.read() as conn:
        policy = custodians.policy_of(conn, maker.row(draw))
    silent = next(row.i for row in policy.custodians if row.kid == maker.custodians[2].signer.kid)
    waiver = make_waiver([silent], draw=draw, spec_sha256=spec.sha256, created=maker.now())
    signers = [maker.stage.signers[role, role] for role in ("centre", "supervisor")]
    papers.collect(maker.ledger, maker.actor("centre"), draw, sign_document(waiver, *signers))
    maker.until(lambda: maker.row(draw).state == "sealed")


def test_refusals_and_silence_walk_on_in_the_same_order(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.seeded(market.tender, Windows(call_ms=60_000, commit_ms=60_000, reveal_ms=60_000))
    maker.until(lambda: len(maker.open_calls()) == 4)
    (_, declined), (_, conflicted), (_, accepted), (_, silent) = maker.open_calls()
    calls.answer(maker.ledger, declined, calls.DECLINE, "busy")
    calls.answer(maker.ledger, conflicted, calls.CONFLICT)
    assert calls.answer(maker.ledger, accepted, calls.ACCEPT) == "SELECTED"
    assert calls.answer(maker.ledger, accepted, calls.ACCEPT) == "SELECTED"  # a double click is harmless
    with refused("draw.not_pending"):
        calls.answer(maker.ledger, accepted, calls.DECLINE, "busy")
    market.advance_to(market.now() + 61_000)
    with refused("draw.answer_late"):
        calls.answer(maker.ledger, silent, calls.ACCEPT)
    maker.work()
    with maker.ledger.read() as conn:
        states = [each.state for each in queries.steps(conn, draw, 1)]
    assert states.count("UNREACHABLE") == 1
    assert states.count("REFUSED") == states.count("RECUSED") == states.count("SELECTED") == 1
    assert states.count("CALLED") == 7  # three more in the places of those who do not come
    told = [mail for mail in maker.postbox.mails.values() if mail.subject.startswith("监督通知")]
    assert len(told) == len(states)


def test_a_member_who_leaves_is_replaced_on_the_same_walk(market: Market, maker: CommitteeMaker) -> None:
    maker.seated(market.tender)
    with maker.ledger.read() as conn:
        before = queries.committee_of(conn, market.procedure_id)
    assert before is not None
    assert before.draw is not None
    row = maker.row(before.draw)
    with maker.ledger.read() as conn:
        first = parse_result(queries.signed_document(conn, row.result_sha256 or "").doc)
    address, _ = next(iter(sorted(maker.postbox.codes("/draws/call/"))))
    who = maker.account_of(address)
    seats.declare(maker.ledger, who, market.tender, seats.CONFLICT)
    with refused("seat.left"):
        seats.declare(maker.ledger, who, market.tender, seats.NONE)
    seed = maker.row(before.draw).seed
    maker.accept_all(before.draw)
    maker.sign(before.draw, "ed1.result")
    maker.work()
    row = maker.row(before.draw)
    with maker.ledger.read() as conn:
        after = queries.committee_of(conn, market.procedure_id)
        second = parse_result(queries.signed_document(conn, row.result_sha256 or "").doc)
    assert after is not None
    assert (second.seq, second.supersedes, row.seed) == (2, first.sha256, seed)
    assert [member.state for member in after.members].count("recused") == 1
    assert after.state == "drawn"
    assert len(after.experts) == 4


def test_nothing_after_the_seal_can_be_cancelled_at_will(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.sealed(market.tender)
    for reason in ("disliked", "too_few_valid", "unrecoverable", "stopped"):
        with refused("draw.reroll"):
            advance.draft_cancel(maker.ledger, maker.actor("centre"), draw, reason)
    with refused("draw.not_cancelled"):
        advance.next_attempt(maker.ledger, maker.actor("centre"), draw)


def test_whoever_is_called_by_a_draw_that_was_stopped_cannot_answer_any_more(
    market: Market, maker: CommitteeMaker
) -> None:
    market.prove_local_keys()
    market.publish()
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.seeded(market.tender)
    maker.work()
    _, code = maker.open_calls()[0]
    texts = {"text_en": "The purchase is given up.", "text_zh": "采购任务取消。"}
    with maker.ledger.read() as conn:
        raw = drafting.closing_draft(conn, market.tender, at=market.now(), kind="cancellation", texts=texts)
    signed = sign_document(raw, market.stage.signers["agency", "agency"])
    notices.cancel(maker.ledger, maker.actor("reviewer"), market.tender, signed, "采购任务取消")
    advance.draft_cancel(maker.ledger, maker.actor("centre"), draw, "stopped")
    maker.sign(draw, "ed1.cancel")
    with refused("draw.not_pending"):
        calls.answer(maker.ledger, code, calls.ACCEPT)


def test_before_the_seal_an_attempt_is_cancelled_and_the_next_one_names_it(
    market: Market, maker: CommitteeMaker
) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.specified(market.tender)
    signed = advance.draft_cancel(maker.ledger, maker.actor("centre"), draw, "wrong_place")
    maker.sign(draw, "ed1.cancel")
    assert maker.row(draw).state == "cancelled"
    assert advance.next_attempt(maker.ledger, maker.actor("centre"), draw) == 2
    maker.until(lambda: maker._offers(draw, "ed1.spec"))
    maker.sign(draw, "ed1.spec")
    assert spec_of(maker, draw).previous == signed.sha256
    assert spec_of(maker, draw).attempt == 2


def test_a_pool_that_is_too_small_is_refused_before_anything_is_random(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(7)
    maker.plan(market.tender)
    with refused("draw.pool_small"):
        maker.begin(market.tender)
    maker.plan(market.tender)  # the plan is still open to change
    maker.admit(1, prefix="F")
    draw = maker.begin(market.tender)
    maker.until(lambda: maker._offers(draw, "ed1.policy"))
    maker.change(Act.SUSPENDED, [Item(id="E0000003", strata=(STRATUM,), unit="UNIT000003")])
    maker.sign(draw)
    maker.until(lambda: bool(shortfalls(maker, draw)))
    assert shortfalls(maker, draw) == [{"eligible": 7, "id": STRATUM, "need": 4}]
    assert "draw.specified" not in market.kinds()


def test_who_may_do_what(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    with pytest.raises(NotPermitted):
        committees.plan_committee(maker.ledger, maker.actor("supervisor"), market.tender, {})
    with refused("committee.not_planned"):
        maker.begin(market.tender)
    maker.plan(market.tender)
    for login in ("drafter", "supervisor", "desk1"):
        with pytest.raises(NotPermitted):
            committees.begin_draw(maker.ledger, maker.actor(login), market.tender)
    draw = maker.begin(market.tender)
    with refused("committee.drawing"):
        maker.begin(market.tender)
    with refused("committee.only_widened"):
        maker.plan(market.tender, need=6)
    maker.until(lambda: maker._offers(draw, "ed1.policy"))
    with maker.ledger.read() as conn:
        paper, needs = papers.pending(conn, draw)[0]
    assert needs == ("centre", "supervisor")
    foreign = sign_document(paper.doc, maker.stage.signers["agency", "agency"])
    with pytest.raises(NotPermitted):
        papers.collect(maker.ledger, maker.actor("drafter"), draw, foreign)
    one = sign_document(paper.doc, maker.stage.signers["centre", "centre"])
    assert papers.collect(maker.ledger, maker.actor("centre"), draw, one).needs == ("supervisor",)
    forged = sign_document(paper.doc.replace(b'"k":3', b'"k":2'), maker.stage.signers["centre", "centre"])
    with pytest.raises(NotFound):
        papers.collect(maker.ledger, maker.actor("centre"), draw, forged)


def test_a_draw_begins_at_most_two_working_days_before_the_evaluation(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    # The market begins on Monday 2 March 2026; two working days later is Wednesday.
    maker.plan(market.tender, evaluation_at=market.now() + 3 * DAY)
    with refused("committee.draw_early") as error:
        maker.begin(market.tender)
    assert error.value.rule_id == "EXP-11"
    maker.plan(market.tender, evaluation_at=market.now() + 2 * DAY)
    assert maker.begin(market.tender).startswith("D-")


def test_the_register_is_what_the_regulator_signed(maker: CommitteeMaker) -> None:
    item = Item(id="X1", strata=(STRATUM,), unit="")
    with maker.ledger.read() as conn:
        draft = register.draft_change(conn, Act.ADMITTED, [item], maker.now())
    by_centre = sign_document(draft, maker.stage.signers["centre", "centre"])
    with pytest.raises(MingbiaoError):
        register.change_register(maker.ledger, maker.actor("centre"), by_centre, {})
    with refused("register.identity"):
        maker.change(Act.ADMITTED, [item])
    maker.admit(3)
    with refused("register.known"):
        maker.admit(3)
    with refused("register.unknown"):
        maker.change(Act.SUSPENDED, [item])
    assert [count.active for count in _counts(maker)] == [3]


def _counts(maker: CommitteeMaker) -> list[queries.StratumCount]:
    with maker.ledger.read() as conn:
        return queries.counts(conn)


def test_a_nightly_snapshot_commits_to_the_whole_register(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    register.start_snapshots(maker.ledger, at=maker.now())
    maker.until(lambda: "pool.snapshot" in market.kinds())
    (body,) = market.bodies("pool.snapshot")
    assert (body["seq"], body["size"]) == (1, 24)
    assert market.open_errands().count("experts.snapshot") == 1  # it comes back the next night


def test_the_contact_service_refuses_a_pool_that_was_not_signed(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.seeded(market.tender, FAST)
    with market.database.connect() as owner:
        # Whoever swaps the stored keys cannot make the contact service call somebody else.
        owner.exec_driver_sql("UPDATE desk.draw_key SET sealed = %s", (b"\0" * 2000,))
    fresh = walking.Contact(ledger=maker.contact_ledger, key=maker.contact.key, public_url="http://localhost")
    with pytest.raises(MingbiaoError):
        walking.step(fresh, draw, 1)
