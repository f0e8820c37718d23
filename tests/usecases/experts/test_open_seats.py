"""Seats that stay open: a further attempt for them alone, over a widened plan, and nobody twice (ED1 D5, D10)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.made_committee import STRATUM, CommitteeMaker
from tests.support.market import Market
from tests.support.verifying import failures, memory_bundle
from tests.usecases.experts.test_proof import exported
from tests.usecases.experts.test_secrecy import decide
from trading.audit.replay import replay
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.crypto.signatures import sign_document
from trading.demo.stage import trust_document
from trading.disclosure.rules.tiers import Tier
from trading.experts import queries
from trading.experts.rules.register import Act, Item
from trading.experts.rules.spec import Spec, parse_spec
from trading.experts.service import advance, calls, disclosure, pages, papers, seats
from trading.experts.service.attempts import spec_of
from trading.kernel.errors import Conflict, RuleBroken
from verifier.progress import Progress
from verifier.report import STATE_OK, Report
from verifier.trust import read_trust
from verifier.verification import Options, verify_bundle

SECOND = "A0501-N"
NEED = [{"id": STRATUM, "need": 3}, {"id": SECOND, "need": 1}]


def refused(code: str) -> pytest.RaisesExc[RuleBroken]:
    return pytest.raises(RuleBroken, match=code.replace(".", r"\."))


def exhausted(market: Market, maker: CommitteeMaker) -> str:
    """Draw four from eight of whom five decline; return the draw, whose result names three."""
    maker.admit(8, accounts_for=8)
    maker.plan(market.tender)
    draw = maker.seeded(market.tender)
    accepted = 0

    def offered() -> bool:
        nonlocal accepted
        for _, code in maker.open_calls():
            choice = calls.ACCEPT if accepted < 3 else calls.DECLINE
            accepted += choice == calls.ACCEPT
            calls.answer(maker.ledger, code, choice, "busy")
        return maker._offers(draw, "ed1.result")

    maker.until(offered)
    maker.sign(draw, "ed1.result")
    maker.work()
    return draw


def widen(market: Market, maker: CommitteeMaker, **fields: object) -> None:
    """Change the plan as the agency does: the open seat comes from the neighbouring region."""
    with maker.ledger.read() as conn:
        committee = queries.committee_row(conn, maker.procedure_id(market.tender))
        assert committee is not None
        before = queries.plan_of(conn, committee)
    meeting = {"evaluation_at": before.evaluation_at, "place_en": before.place_en, "place_zh": before.place_zh}
    body: dict[str, Any] = {**meeting, "strata": NEED, **fields}
    maker.plan(market.tender, **body)


def seated_ids(maker: CommitteeMaker) -> set[str]:
    addresses = set(maker.seat_codes())
    return {expert for expert, who in maker.people.items() if who.mail in addresses}


def further(market: Market, maker: CommitteeMaker, draw: str) -> Spec:
    """Begin the further attempt over the second stratum and bring it to its signed spec."""
    maker.admit(8, stratum=SECOND, prefix="N", accounts_for=8)  # the same employers as those of the first stratum
    already = min(seated_ids(maker))
    unit = f"UNIT{int(already[1:]):06d}"
    maker.change(Act.CHANGED, [Item(id=already, strata=(SECOND, STRATUM), unit=unit)])
    widen(market, maker)
    assert advance.next_attempt(maker.ledger, maker.actor("centre"), draw) == 2
    maker.until(lambda: maker._offers(draw, "ed1.spec"))
    maker.sign(draw, "ed1.spec")
    maker.sign(draw, "ed1.escrow")
    with maker.ledger.read() as conn:
        return spec_of(conn, maker.row(draw))


def test_open_seats_are_drawn_by_a_further_attempt_and_nobody_sits_twice(
    market: Market, maker: CommitteeMaker, tmp_path: Path
) -> None:
    draw = exhausted(market, maker)
    first = maker.row(draw)
    spec = further(market, maker, draw)
    assert spec.previous == first.result_sha256
    assert (spec.committee.seated, [(item.id, item.need) for item in spec.strata]) == (3, [(SECOND, 1)])
    # Eight of the neighbouring region and the one who is seated already: he and the three employers are excluded.
    assert (spec.pool_size, spec.excluded[0].count) == (9, 4)
    before = seated_ids(maker)
    maker.commit(draw)
    maker.until(lambda: maker.row(draw).state == "sealed")
    maker.reveal(draw)
    maker.until(lambda: maker.row(draw).state == "seeded")
    maker.accept_all(draw)
    maker.sign(draw, "ed1.result")
    maker.work()
    units = {who[1:] for who in before}
    (fresh,) = seated_ids(maker) - before
    assert fresh.startswith("N")
    assert fresh[1:] not in units
    with maker.ledger.read() as conn:
        committee = queries.committee_of(conn, maker.procedure_id(market.tender))
    assert committee is not None
    assert (committee.state, len(committee.experts)) == ("drawn", 4)
    with refused("draw.not_cancelled"):
        advance.next_attempt(maker.ledger, maker.actor("centre"), draw)
    _verified(market, maker, draw, tmp_path)


def _verified(market: Market, maker: CommitteeMaker, draw: str, tmp_path: Path) -> None:
    """Disclose, and let the offline verifier recompute both attempts; the records alone give the stored state."""
    for address, code in maker.seat_codes().items():
        seats.sign_in(maker.ledger, maker.account_of(address), code, promised=True)
    maker.representative(market.tender)
    with market.database.connect("trading_auditor") as conn:
        assert list(replay(conn, FOLDS, REPLAYED, COMPARES)) == []
    decide(market)
    disclosure.disclose_names(maker.ledger, maker.actor("drafter"), market.tender)
    maker.until(lambda: "panel.disclosed" in market.kinds())
    trust = trust_document(market.stage, "0" * 64)
    with zipfile.ZipFile(exported(market, draw, Tier.AUDIT, tmp_path / "draw.zip")) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    report = Report("Trust: given by the test", trusted=True)
    verify_bundle(memory_bundle(files), read_trust(trust.doc, trust.sigs_bytes), report, Options(), Progress())
    assert failures(report) == {}
    assert {check.id for check in report.checks if check.state == STATE_OK} >= {"ED-07", "ED-08", "ED-10", "ED-12"}


def test_nobody_but_the_contact_service_prepares_what_needs_the_seated(market: Market, maker: CommitteeMaker) -> None:
    draw = exhausted(market, maker)
    maker.admit(8, stratum=SECOND, prefix="N")
    widen(market, maker)
    advance.next_attempt(maker.ledger, maker.actor("centre"), draw)
    while not (found := _papers(maker, draw, 2)):
        maker._run_errands()
        maker._soon()
    assert set(found) == {"mb.draw-handover"}
    planted = [*seated_ids(maker), "UNIT", "planted", "隐名"]
    assert not any(word.encode() in found["mb.draw-handover"] for word in planted)
    maker.until(lambda: maker._offers(draw, "ed1.spec"))
    assert set(_papers(maker, draw, 2)) == {"ed1.spec", "ed1.escrow"}


def _papers(maker: CommitteeMaker, draw: str, attempt: int) -> dict[str, bytes]:
    with maker.ledger.read() as conn:
        return {each.typ: each.doc for each in queries.papers(conn, draw) if each.attempt == attempt}


def test_the_plan_is_only_widened_and_only_while_no_spec_stands(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(12)
    maker.admit(8, stratum=SECOND, prefix="N")
    maker.plan(market.tender)
    draw = maker.begin(market.tender)
    widen(market, maker)  # the custodians are proving their keys
    maker.until(lambda: maker._offers(draw, "ed1.policy"))
    maker.sign(draw)
    maker.until(lambda: maker._offers(draw, "ed1.spec"))
    widen(market, maker, strata=[{"id": STRATUM, "need": 4}])  # the spec is offered and nobody has signed it
    maker.until(lambda: maker._offers(draw, "ed1.spec"))
    with refused("committee.only_widened"):
        widen(market, maker, strata=[{"id": STRATUM, "need": 6}])
    with refused("committee.only_widened"):
        widen(market, maker, large=True, strata=[{"id": STRATUM, "need": 6}])
    with refused("draw.pool_small"):
        widen(market, maker, strata=[{"id": "A0201-C", "need": 4}])
    maker.sign(draw, "ed1.spec")
    with refused("committee.drawing"):
        widen(market, maker)
    advance.draft_cancel(maker.ledger, maker.actor("centre"), draw, "wrong_plan")
    maker.sign(draw, "ed1.cancel")
    widen(market, maker)  # a correction after the spec is a cancelled attempt
    advance.next_attempt(maker.ledger, maker.actor("centre"), draw)
    maker.until(lambda: maker._offers(draw, "ed1.spec"))
    spec = parse_spec(_papers(maker, draw, 2)["ed1.spec"])
    assert [(item.id, item.need) for item in spec.strata] == [(STRATUM, 3), (SECOND, 1)]


def test_who_is_seated_keeps_his_seat_his_time_and_his_place(market: Market, maker: CommitteeMaker) -> None:
    exhausted(market, maker)
    maker.admit(8, stratum=SECOND, prefix="N")
    with refused("committee.only_widened"):
        widen(market, maker, strata=[{"id": STRATUM, "need": 2}, {"id": SECOND, "need": 2}])
    with refused("committee.only_widened"):
        widen(market, maker, place_zh="另一个评标室")
    widen(market, maker)


def test_a_pool_that_falls_short_after_exclusions_is_widened_and_goes_on(market: Market, maker: CommitteeMaker) -> None:
    maker.admit(8)
    maker.admit(8, stratum=SECOND, prefix="N")
    maker.plan(market.tender)
    draw = maker.begin(market.tender)
    maker.until(lambda: maker._offers(draw, "ed1.policy"))
    maker.change(Act.SUSPENDED, [Item(id="E0000003", strata=(STRATUM,), unit="UNIT000003")])
    maker.sign(draw)
    maker.until(lambda: "mb.draw-shortfall" in _papers(maker, draw, 1))
    with maker.ledger.read() as conn:
        page = pages.draw_page(conn, maker.actor("centre"), draw)
        told = pages.plan_page(conn, maker.actor("drafter"), market.tender)
    assert [(item.id, item.eligible, item.need) for item in page.shortfall] == [(STRATUM, 7, 4)]
    assert told.may_widen
    assert told.shortfall == page.shortfall
    widen(market, maker)
    maker.until(lambda: maker._offers(draw, "ed1.spec"))
    assert "mb.draw-shortfall" not in _papers(maker, draw, 1)


def test_a_result_waits_for_every_walk_and_a_spec_for_every_seat(market: Market, maker: CommitteeMaker) -> None:
    draw = exhausted(market, maker)
    address, code = next(iter(maker.seat_codes().items()))
    maker.admit(8, stratum=SECOND, prefix="N")
    widen(market, maker)
    advance.next_attempt(maker.ledger, maker.actor("centre"), draw)
    maker.until(lambda: maker._offers(draw, "ed1.spec"))
    stale = _papers(maker, draw, 2)["ed1.spec"]
    who = maker.account_of(address)
    seats.sign_in(maker.ledger, who, code, promised=True)
    seats.declare(maker.ledger, who, market.tender, seats.CONFLICT)
    signers = [maker.stage.signers[role, role] for role in ("centre", "supervisor")]
    with pytest.raises(Conflict):
        papers.collect(maker.ledger, maker.actor("centre"), draw, sign_document(stale, *signers))
    maker.until(lambda: maker._offers(draw, "ed1.result"))
    maker.sign(draw, "ed1.result")  # of the first attempt, though a second one has begun
    advance.prepare_again(maker.ledger, maker.actor("centre"), draw)
    widen(market, maker, strata=[{"id": STRATUM, "need": 2}, {"id": SECOND, "need": 2}])
    maker.until(lambda: maker._offers(draw, "ed1.spec"))
    spec = parse_spec(_papers(maker, draw, 2)["ed1.spec"])
    assert (spec.committee.seated, [item.need for item in spec.strata]) == (2, [2])
