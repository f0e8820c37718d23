"""Whoever wants another panel: what one person, or two who agree, cannot do to a draw (ED1 D7, D10, D13)."""

from __future__ import annotations

import pytest

from tests.support.made_committee import CommitteeMaker, custody_key
from tests.support.market import Market
from trading.crypto.signatures import SignedDocument, sign_document
from trading.custody import queries as custody
from trading.experts import queries
from trading.experts.rules.checks import CheckCode, Finding, make_adjudication, make_share_check
from trading.experts.service import advance, custodians, papers
from trading.kernel.errors import RuleBroken


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
