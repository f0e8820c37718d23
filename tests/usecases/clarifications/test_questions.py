"""Questions and answers through the use cases: given to all, and only the asker knows who asked (NOT-36, DOC-18)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Table, text
from sqlalchemy.exc import ProgrammingError

from tests.support.columns import QUESTIONS, missed_columns, owner_of, unnamed
from tests.support.databases import Database, Server, clone
from tests.support.market import CLOSE, LOT, Market, open_market
from tests.support.people import further_account
from tests.support.row_mutations import FEW, RowMutations
from trading.audit.replay import replay
from trading.clarifications import queries, service
from trading.clarifications.rules.answering import Content, Effect
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.db import metadata
from trading.demo import cast
from trading.kernel.errors import Conflict, NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role

DAY = 86_400_000
CONTENT = Content(
    question_zh="质保期从哪一天算起？",
    question_en="From which day does the warranty count?",
    answer_zh="自验收合格之日起。",
    answer_en="From the day of acceptance.",
    effect=Effect.EXPLAINS,
    notice=None,
)


@pytest.fixture(scope="module")
def market(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("questions"), cast.BIDDERS[:2]) as market,
    ):
        market.draft()
        market.prove_local_keys()
        market.publish()
        yield market


def bidder(market: Market, place: int = 0) -> Actor:
    return market.stage.actors[cast.BIDDERS[place].key]


def ask(market: Market, place: int = 0, words: str = "质保期从哪一天算起？", lot: str | None = None) -> str:
    return service.ask(market.runtime.ledger, bidder(market, place), market.tender, lot=lot, text=words)[0]


def test_a_question_is_answered_to_everybody(market: Market) -> None:
    ledger, actors = market.runtime.ledger, market.stage.actors
    question = ask(market)
    with ledger.read() as conn:
        assert queries.published(conn, market.tender) == ()
    service.draft_answer(ledger, actors["drafter"], question, CONTENT, version=0)
    service.draft_answer(ledger, actors["drafter"], question, CONTENT, version=1)
    with ledger.read() as conn:
        assert queries.published(conn, market.tender) == ()
    with pytest.raises(Conflict):
        service.publish_answer(ledger, actors["reviewer"], question, version=1, corrections={})
    service.publish_answer(ledger, actors["reviewer"], question, version=2, corrections={})
    with ledger.read() as conn:
        (answer,) = queries.published(conn, market.tender)
    assert (answer.number, answer.content) == (1, CONTENT)
    with pytest.raises(Conflict):
        service.draft_answer(ledger, actors["drafter"], question, CONTENT, version=2)
    with pytest.raises(Conflict):
        service.publish_answer(ledger, actors["reviewer"], question, version=2, corrections={})
    assert market.bodies("answer.published")[-1]["answer_zh"] == CONTENT.answer_zh


def test_only_the_agency_answers_and_only_two_people_publish(market: Market) -> None:
    ledger, actors = market.runtime.ledger, market.stage.actors
    question = ask(market, words="是否接受联合体投标？")
    drafter = actors["drafter"]
    both = Actor(
        account=drafter.account, roles=frozenset({Role.AGENCY, Role.REVIEWER}), organisation=drafter.organisation
    )
    stranger = Actor(account="a-9", roles=both.roles, organisation=cast.SUPERVISOR.code)
    with pytest.raises(NotFound):
        service.draft_answer(ledger, stranger, question, CONTENT, version=0)
    with pytest.raises(NotPermitted):
        service.draft_answer(ledger, actors["reviewer"], question, CONTENT, version=0)
    service.draft_answer(ledger, both, question, CONTENT, version=0)
    with pytest.raises(NotFound):
        service.publish_answer(ledger, stranger, question, version=1, corrections={})
    with pytest.raises(NotPermitted):
        service.publish_answer(ledger, drafter, question, version=1, corrections={})
    with pytest.raises(RuleBroken, match=r"review\.same_person"):
        service.publish_answer(ledger, both, question, version=1, corrections={})
    again = further_account(ledger, "drafter", "drafter-at-buyer", cast.BUYER.code, Role.REVIEWER)
    with pytest.raises(RuleBroken, match=r"review\.same_person"):  # four eyes are two people, not two accounts
        service.publish_answer(ledger, again, question, version=1, corrections={})
    with pytest.raises(NotFound):
        service.draft_answer(ledger, drafter, "q-0000000000000000", CONTENT, version=0)


def test_only_bidders_ask_and_only_about_what_is_published(market: Market) -> None:
    ledger = market.runtime.ledger
    for actor in (market.stage.actors["drafter"], Actor(account="a", roles=frozenset({Role.BIDDER}))):
        with pytest.raises(NotPermitted):
            service.ask(ledger, actor, market.tender, lot=None, text="是否接受联合体投标？")
    for reference, lot in (("T-2026-00000000", None), (market.tender, "9")):
        with pytest.raises(NotFound):
            service.ask(ledger, bidder(market), reference, lot=lot, text="是否接受联合体投标？")
    with pytest.raises(RuleBroken, match=r"question\.names_asker"):
        ask(market, words=f"{cast.BIDDERS[0].name_zh}想问：是否接受联合体投标？")


def everything(database: Database, *, but: str) -> str:
    """Return every row of every table except one, and the records, as text."""
    with database.connect() as owner:
        found = []
        for table in metadata.sorted_tables:
            if table.fullname != but:
                found += [str(tuple(row)) for row in owner.execute(table.select())]
        raw = owner.execute(
            text("SELECT convert_from(record, 'UTF8') FROM log.audit_entry WHERE kind LIKE 'question%'")
        )
        return "\n".join([*found, *raw.scalars()])


def test_who_asked_stands_in_one_table_alone(market: Market) -> None:
    """With a control: the same search finds the asker's account in the table that holds it."""
    asker = Actor(account="a-curious-0001", roles=frozenset({Role.BIDDER}), organisation="91310000MA1KCUR10U")
    service.ask(market.runtime.ledger, asker, market.tender, lot="1", text="交货地点可以改到二期库房吗？")
    elsewhere = everything(market.database, but="desk.question_asker")
    assert asker.account not in elsewhere
    assert str(asker.organisation) not in elsewhere
    assert asker.account in everything(market.database, but="desk.draft")
    with market.database.connect() as owner:
        query = "SELECT convert_from(record, 'UTF8') FROM log.audit_entry WHERE kind = 'question.asked'"
        records = list(owner.execute(text(query)).scalars())
    assert records
    assert all('"on_behalf_of":null' in record and '"request":null' in record for record in records)


def test_the_database_shows_an_asker_to_its_own_organisation_alone(market: Market) -> None:
    ask(market, place=0)
    ask(market, place=1, words="样品需要几份？寄到哪里？")
    ledger, rows = market.runtime.ledger, text("SELECT org_code FROM desk.question_asker")
    for place in (0, 1):
        with ledger.begin(bidder(market, place)) as uow:
            assert set(uow.connection.execute(rows).scalars()) == {cast.BIDDERS[place].code}
    for name in ("drafter", "reviewer", "supervisor"):
        with ledger.begin(market.stage.actors[name]) as uow:
            assert list(uow.connection.execute(rows).scalars()) == []
    with ledger.upkeep() as conn:
        assert list(conn.execute(rows).scalars()) == [], "a transaction without an actor sees nothing"
        with pytest.raises(ProgrammingError, match="permission denied"):
            conn.execute(text("UPDATE desk.question_asker SET org_code = 'x'"))
    for role in ("trading_reader", "trading_worker", "trading_auditor"):
        with market.database.engine(role).connect() as conn, pytest.raises(ProgrammingError, match="permission denied"):
            conn.execute(rows)


def test_own_questions_are_those_of_the_organisation(market: Market) -> None:
    mine = ask(market, place=1, words="付款方式有哪几种？")
    shown = service.own_questions(market.runtime.ledger, bidder(market, 1), market.procedure_id)
    assert mine in {each.reference for each in shown}
    others = service.own_questions(market.runtime.ledger, bidder(market, 0), market.procedure_id)
    assert mine not in {each.reference for each in others}


@pytest.mark.parametrize("table", QUESTIONS, ids=lambda table: table.name)
def test_every_column_is_covered(market: Market, table: Table) -> None:
    """``verify-audit`` finds a change of any column, and random changes of rows (AL1 L11.3)."""
    ledger, actors = market.runtime.ledger, market.stage.actors
    question = ask(market, words=f"第一包的验收标准是什么？（{table.name}）", lot=LOT)
    service.draft_answer(ledger, actors["drafter"], question, CONTENT, version=0)
    service.publish_answer(ledger, actors["reviewer"], question, version=1, corrections={})
    with owner_of(market.database, [table]) as owner:
        assert missed_columns(owner, table) == unnamed(table)
        assert RowMutations(owner, [table]).missed(FEW) == []


def test_history_and_rows_agree_and_a_changed_text_is_found(market: Market) -> None:
    question = ask(market, words="安装由谁负责？费用怎么算？")
    service.draft_answer(market.runtime.ledger, market.stage.actors["drafter"], question, CONTENT, version=0)
    with market.database.engine("trading_auditor").connect() as conn:
        assert replay(conn, FOLDS, REPLAYED, COMPARES) == []
    with market.database.engine("postgres").connect() as owner:  # rolled back at the end
        for table, column in (("question", "text"), ("answer", "answer_zh")):
            owner.execute(text(f"ALTER TABLE record.{table} DISABLE TRIGGER USER"))
            owner.execute(metadata.tables[f"record.{table}"].update().values({column: "!"}))
        found = {(each.table, each.column) for each in replay(owner, FOLDS, REPLAYED, COMPARES)}
    assert found == {("question", "text"), ("answer", "answer_zh")}


def test_no_question_after_the_cutoff_and_no_late_answer(market: Market) -> None:
    ledger, actors = market.runtime.ledger, market.stage.actors
    question = ask(market, words="培训几天？在哪里培训？")
    with ledger.read() as conn:
        row = queries.find(conn, question)
    assert row is not None
    affects = Content(**{**{name: getattr(CONTENT, name) for name in Content.__slots__}, "effect": Effect.AFFECTS})
    service.draft_answer(ledger, actors["drafter"], question, affects, version=0)
    market.advance_to(CLOSE - 10 * DAY)
    with pytest.raises(RuleBroken, match=r"answer\.too_late"):
        service.publish_answer(ledger, actors["reviewer"], question, version=1, corrections={})
    service.draft_answer(ledger, actors["drafter"], question, CONTENT, version=1)
    market.advance_to(CLOSE)
    with pytest.raises(RuleBroken, match=r"question\.late"):
        ask(market, words="培训几天？在哪里培训？")
    with pytest.raises(RuleBroken, match=r"answer\.late"):
        service.publish_answer(ledger, actors["reviewer"], question, version=2, corrections={})
