"""One appraisal of each seat after the evaluation, an answer, and the credit file after the result (EXP-24)."""

from __future__ import annotations

import pytest

from tests.support.made_committee import CommitteeMaker
from tests.support.market import SYSTEM, Market
from tests.usecases.experts.test_proof import finished
from trading.audit.replay import replay
from trading.commands.folds import FOLDS, REPLAYED
from trading.evaluation.model import of_procedure
from trading.kernel.canonical import loads_object
from trading.kernel.errors import Conflict, InvalidInput, NotFound, RuleBroken
from trading.pool import queries
from trading.pool.service import appraisals
from trading.procedures import queries as procedures

_DAY_MS = 86_400_000


def test_seats_are_appraised_answered_and_joined_to_the_credit_file(market: Market, maker: CommitteeMaker) -> None:
    finished(market, maker)
    ledger, drafter, tender = maker.ledger, maker.actor("drafter"), market.tender
    with ledger.read() as conn:
        procedure_id = procedures.find(conn, tender).id
        page = appraisals.page(conn, drafter, tender)
    first, second = (seat for seat, _said in page.seats[:2])
    with pytest.raises(RuleBroken, match=r"appraisal\.not_yet"):
        appraisals.appraise(ledger, drafter, tender, first, "5454", "按时到场")
    with ledger.begin(SYSTEM) as uow:
        uow.record(of_procedure("evaluation.reported", tender, procedure_id, report_sha256="0" * 64))
    appraisals.appraise(ledger, drafter, tender, first, "5454", "按时到场")
    with pytest.raises(RuleBroken, match=r"appraisal\.given"):
        appraisals.appraise(ledger, drafter, tender, first, "5454", "再来")
    for wrong in ("545", "5450", "54545"):
        with pytest.raises(InvalidInput):
            appraisals.appraise(ledger, drafter, tender, second, wrong, "x")
    with pytest.raises(NotFound):
        appraisals.appraise(ledger, drafter, tender, "m-nobody", "5454", "x")
    with pytest.raises(NotFound):
        appraisals.appraise(ledger, maker.actor("centre"), tender, second, "5454", "x")

    holder = next(each for each in maker.stage.actors.values() if _holds(maker, each.account, first))
    appraisals.answer(ledger, holder, tender, "谢谢", 4)
    with pytest.raises(Conflict):
        appraisals.answer(ledger, holder, tender, "再来", 5)
    with pytest.raises(NotFound):
        appraisals.answer(ledger, drafter, tender, "x", 5)
    with ledger.read() as conn:
        leaf = conn.exec_driver_sql("SELECT leaf FROM record.panel_name WHERE seat = %s", (first,)).scalar_one()
        (found,) = queries.credit_file(conn, str(loads_object(bytes(leaf))["id"]))
        assert (found.seat, found.marks, found.answer, found.rating, found.late) == (first, "5454", "谢谢", 4, False)
        assert queries.credit_file(conn, "E-NOBODY") == []

    market.advance_to(maker.now() + 30 * _DAY_MS)
    appraisals.appraise(ledger, drafter, tender, second, "1111", "迟到")
    with ledger.read() as conn:
        assert queries.appraisals(conn, procedure_id)[second].late
    with market.database.engine("trading_auditor").connect() as conn:
        table = [each for each in REPLAYED if each.table == "appraisal"]
        assert [each for each in replay(conn, FOLDS, table) if each.table == "appraisal"] == []


def _holds(maker: CommitteeMaker, account: str, seat: str) -> bool:
    with maker.ledger.read() as conn:
        conn.exec_driver_sql("SELECT set_config('mingbiao.person', %s, true)", (account,))
        query = "SELECT count(*) FROM record.seat_holder WHERE seat = %s AND account = %s"
        return bool(conn.exec_driver_sql(query, (seat, account)).scalar_one())
