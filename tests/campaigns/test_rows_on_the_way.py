"""Rows of the record are changed at every step of a tender and of a draw, not only in the end (AL1 L11.3, F30).

A column that is empty until a later act is expected to be empty until then; a row that is gone or too many is named at
once. Installations that are played to their end are changed in ``test_verify_audit`` and the packages' tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.support.campaigns import LONG
from tests.support.columns import owner_of
from tests.support.databases import Database, Server, clone
from tests.support.journey import Exchange, Tender, open_exchange
from tests.support.made_committee import CommitteeMaker, contact_ledger, worker_ledger
from tests.support.market import CLOSE, LOT, SYSTEM, open_market
from tests.support.row_mutations import FEW, RowMutations
from trading.audit.demo_clock import jump
from trading.clarifications import service as questions
from trading.clarifications.rules.answering import Content, Effect
from trading.crypto.signatures import sign_document
from trading.db import metadata
from trading.demo.cast import BIDDERS
from trading.kernel.canonical import dumps, loads_object

PRICES = {"qinghe": 128_600_00, "bolin": 126_450_00, "yunfan": 127_300_00}
ANSWER = Content(question_zh="问", question_en="Q", answer_zh="答", answer_en="A", effect=Effect.EXPLAINS, notice=None)

pytestmark = pytest.mark.skipif(not LONG, reason="takes minutes: `python3 run.py test long rows_on_the_way`")


def missed(database: Database) -> list[str]:
    """Change rows of every table that has any."""
    tables = [each for each in metadata.sorted_tables if each.schema == "record"]
    with owner_of(database, tables) as owner:
        filled = [each for each in tables if owner.execute(select(each.c.id).limit(1)).first() is not None]
        return RowMutations(owner, filled).missed(FEW)


def withdraw(tender: Tender, key: str) -> None:
    bidder, sealed = tender.bidders[key], tender.sealed[key]
    body = {"created": CLOSE, "supersedes": sealed.envelope.sha256, "typ": "sb1.withdrawal", "v": 1}
    document = dumps({**loads_object(bidder.context(2).bytes()), **body})
    assert bidder.post("withdrawal", sign_document(document, bidder.signer).wire()).status_code == 201


def steps_of_a_tender(exchange: Exchange) -> Iterator[str]:
    """Play a tender with a bid that is withdrawn, one that is only begun, and one whose bidder reveals no factor."""
    tender = exchange.tender()
    yield "drafted"
    exchange.institutions.round()
    yield "keys given"
    tender.publish()
    yield "published"
    exchange.institutions.round()
    ledger, actors = tender.market.runtime.ledger, tender.market.stage.actors
    asked, _ = questions.ask(ledger, actors["qinghe"], tender.market.tender, lot=LOT, text="质保期从哪一天算起？")
    questions.draft_answer(ledger, actors["drafter"], asked, ANSWER, version=0)
    yield "answer drafted"
    first, second = (each.key for each in BIDDERS[3:5])
    tender.start(first)
    tender.submit(second, 1_000_00)
    withdraw(tender, second)
    for key, price in PRICES.items():
        tender.submit(key, price)
    yield "bids received"
    tender.close()
    tender.order_opening()
    yield "opening ordered"
    exchange.institutions.round()
    tender.reveal("qinghe", "bolin")
    yield "factors revealed"
    exchange.institutions.round()
    tender.end_release()
    tender.open()
    yield "opened"


def test_at_every_step_of_a_tender(server: Server, tmp_path: Path) -> None:
    with clone(server, demo=True) as database, open_exchange(database, tmp_path, BIDDERS[:5]) as exchange:
        for step in steps_of_a_tender(exchange):
            assert missed(database) == [], step


def steps_of_a_draw(maker: CommitteeMaker, tender: str) -> Iterator[str]:
    """Plan, draw and seat a committee, with one who declines."""
    maker.set_up()
    maker.admit(12, accounts_for=12)
    yield "experts admitted"
    maker.plan(tender)
    yield "planned"
    draw = maker.begin(tender)
    maker.until(lambda: maker._offers(draw, "ed1.policy"))
    maker.sign(draw)
    yield "policy fixed"
    maker.until(lambda: maker._offers(draw, "ed1.spec"))
    maker.sign(draw, "ed1.spec")
    maker.sign(draw, "ed1.escrow")
    maker.commit(draw)
    yield "committed"
    maker.until(lambda: maker.row(draw).state == "sealed")
    maker.reveal(draw)
    maker.until(lambda: maker.row(draw).state == "seeded")
    maker.accept_all(draw, declining="planted-e0000")
    yield "walked"
    maker.sign(draw, "ed1.result")
    maker.work()
    maker.representative(tender)
    yield "formed"


def test_at_every_step_of_a_draw(server: Server, tmp_path: Path) -> None:
    with clone(server, demo=True) as database, open_market(database, tmp_path, ()) as market:
        market.draft()
        maker = CommitteeMaker(
            runtime=market.runtime,
            stage=market.stage,
            contact_ledger=contact_ledger(database),
            worker_ledger=worker_ledger(database),
            jump=lambda to: jump(market.runtime, SYSTEM, to, shift_file=market.shift_file),
        )
        for step in steps_of_a_draw(maker, market.tender):
            assert missed(database) == [], step
