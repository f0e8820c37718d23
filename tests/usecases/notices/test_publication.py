"""Every publishable entry is published exactly once in every channel, made from what the log said at that entry."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import event

from tests.support.columns import PUBLICATIONS, missed_columns, owner_of, unnamed
from tests.support.databases import Database
from tests.support.publishing import Publisher
from tests.support.row_mutations import FEW, RowMutations
from trading.assembly import ERRANDS, REGISTRY, SUBSCRIPTIONS
from trading.audit import errands, relay
from trading.audit.errands import MOST_ATTEMPTS
from trading.audit.ledger import UnitOfWork
from trading.audit.queries import EntryRow, is_relayed, unrelayed_head
from trading.audit.relay import Subscription
from trading.audit.replay import replay
from trading.audit.rules.stamps import MOMENTS
from trading.audit.runtime import Runtime
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.notices.queries import publications
from trading.notices.rules import exact_json
from trading.notices.rules.channels import PUBLISHED_KINDS, Channel
from trading.notices.rules.feed import parse_item

TWICE = "SELECT count(*) FROM (SELECT entry_h, channel FROM record.publication GROUP BY 1, 2 HAVING count(*) > 1) x"

TAMPERED = {
    "content": "UPDATE record.publication SET content = '{}' WHERE channel = 'ocds'",
    "number": "UPDATE record.publication SET number = 77 WHERE channel = 'ocds'",
    "url": "UPDATE record.publication SET url = 'https://elsewhere.example' WHERE channel = 'ocds'",
}


def published(publisher: Publisher, channel: Channel) -> list[publications.Publication]:
    with publisher.market.ledger.read() as conn:
        return publications.after(conn, channel, 0, 1_000)


def test_a_tender_its_correction_and_its_cancellation_are_published_in_every_channel(publisher: Publisher) -> None:
    (lot,) = publisher.market.publish()
    publisher.work()
    publisher.extend(lot)
    publisher.cancel(lot)
    publisher.work()
    assert [each.number for each in published(publisher, Channel.PAGE)] == [1, 2, 3]
    assert [each.url.rpartition("/")[2] for each in published(publisher, Channel.PAGE)] == ["1", "2", "3"]
    items = [parse_item(each.content or b"") for each in published(publisher, Channel.ATOM)]
    assert [each.category for each in items] == ["tender.published", "tender.changed", "procedure.cancelled"]
    assert len({each.id for each in items}) == 3
    releases = [exact_json.loads(each.content or b"") for each in published(publisher, Channel.OCDS)]
    assert [each["tag"] for each in releases] == [["tender"], ["tenderAmendment"], ["tenderCancellation"]]
    assert [each["tender"]["status"] for each in releases] == ["active", "active", "cancelled"]
    ends = [each["tender"]["tenderPeriod"]["endDate"] for each in releases]
    assert ends[0] != ends[1] == ends[2]
    assert publisher.count("SELECT count(*) FROM record.publication") == 9
    assert publisher.count("SELECT count(*) FROM log.audit_entry WHERE kind = 'notice.publication'") == 9


def test_what_was_published_late_is_as_it_was(publisher: Publisher) -> None:
    """A worker that was down for both acts publishes the tender with its first deadline."""
    (lot,) = publisher.market.publish()
    publisher.extend(lot)
    publisher.work()
    late = [each.content for each in published(publisher, Channel.OCDS)]
    first, second = (exact_json.loads(each or b"") for each in late)
    assert first["tender"]["tenderPeriod"]["endDate"] < second["tender"]["tenderPeriod"]["endDate"]
    assert "amendments" not in first["tender"]
    assert second["tender"]["amendments"][0]["amendsReleaseID"] == first["id"]


def test_one_notice_about_three_lots_is_one_publication(publisher: Publisher) -> None:
    now = publisher.market.now_ms()
    base = (now + 45 * 86_400_000) // 1000 * 1000
    publisher.market.publish([base, base + 3_600_000, base + 7_200_000])
    publisher.work()
    (release,) = [exact_json.loads(each.content or b"") for each in published(publisher, Channel.OCDS)]
    assert [each["id"] for each in release["tender"]["lots"]] == ["1", "2", "3"]
    assert len({each["tenderPeriod"]["endDate"] for each in release["tender"]["lots"]}) == 3
    assert len(published(publisher, Channel.PAGE)) == len(published(publisher, Channel.ATOM)) == 1


def mismatches(database: Database) -> list[tuple[str, str]]:
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with database.engine("trading_auditor").execution_options(**options).connect() as conn:
        return [(each.table, each.column) for each in replay(conn, FOLDS, REPLAYED, COMPARES)]


def test_the_stored_state_is_the_fold_of_its_history(publisher: Publisher, demo_database: Database) -> None:
    publisher.market.publish()
    publisher.work()
    assert mismatches(demo_database) == []
    for column in ("content", "url", "number"):
        with demo_database.connect() as superuser:
            superuser.exec_driver_sql("ALTER TABLE record.publication DISABLE TRIGGER USER")
            superuser.exec_driver_sql(TAMPERED[column])
        assert ("publication", column) in mismatches(demo_database)


def test_every_column_is_covered(publisher: Publisher, demo_database: Database) -> None:
    """``verify-audit`` finds a change of any column, and random changes of rows (AL1 L11.3)."""
    publisher.market.publish()
    publisher.work()
    with owner_of(demo_database, PUBLICATIONS) as owner:
        assert missed_columns(owner, *PUBLICATIONS) == unnamed(*PUBLICATIONS)
        assert RowMutations(owner, PUBLICATIONS).missed(FEW) == []


def test_workers_at_the_same_time_have_one_effect(publisher: Publisher) -> None:
    for _ in range(3):
        publisher.market.publish()
    publisher.wait_for_log()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            relay.relay(publisher.market.runtime, SUBSCRIPTIONS)
            for each in publisher.due():
                errands.run(publisher.market.runtime, ERRANDS, each.id)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publisher.work()
    assert failures == []
    assert publisher.count(TWICE) == 0
    assert publisher.count("SELECT count(*) FROM record.publication") == 9
    for channel in Channel:
        assert [each.number for each in published(publisher, channel)] == [1, 2, 3]


def test_a_second_run_after_a_lost_mark_finds_it_done(publisher: Publisher) -> None:
    """The mark stands in the transaction of the effect; even without it the database has one publication."""
    publisher.market.publish()
    publisher.work()
    with publisher.market.ledger.upkeep() as conn:
        conn.exec_driver_sql("UPDATE desk.errand SET done_at = NULL WHERE entry_id IS NOT NULL")
        conn.exec_driver_sql("UPDATE desk.cursor SET n = 0")
    publisher.work()
    assert publisher.count("SELECT count(*) FROM record.publication") == 3
    assert publisher.count("SELECT count(*) FROM desk.errand WHERE entry_id IS NOT NULL AND done_at IS NULL") == 0


def test_a_new_subscriber_replays_history(publisher: Publisher) -> None:
    seen: list[int] = []

    def note(_runtime: Runtime, _uow: UnitOfWork, entry: EntryRow) -> None:
        seen.append(entry.id)

    publisher.market.publish()
    later = Subscription(name="test.later", kinds=frozenset({"tender.published"}), react=note)
    assert publisher.relay([later]) == 1
    assert publisher.relay([later]) == 0
    (each,) = [errand for errand in publisher.due() if errand.name == "test.later"]
    assert errands.run(publisher.market.runtime, relay.handlers([later]), each.id)
    assert seen == [each.arg["entry"]]


def test_subscribers_at_different_places_walk_together(publisher: Publisher) -> None:
    """One walk from the lowest cursor: nobody misses an entry, nobody gets one that lies behind the own cursor."""

    def quiet(_runtime: Runtime, _uow: UnitOfWork, _entry: EntryRow) -> None:
        """Nothing: only errands are counted."""

    early, late = (
        Subscription(name=f"test.{name}", kinds=kinds, react=quiet)
        for name, kinds in (("early", frozenset({"tender.published"})), ("late", frozenset({"tender.published"})))
    )
    publisher.market.publish()
    assert publisher.relay([early]) == 1
    publisher.market.publish()
    assert publisher.relay([early, late]) == 3
    assert publisher.relay([early, late]) == 0
    query = "SELECT name, count(DISTINCT entry_id) FROM desk.errand WHERE name LIKE 'test.%%' GROUP BY name ORDER BY 1"
    assert publisher.rows(query) == [("test.early", 2), ("test.late", 2)]
    assert len(set(publisher.rows("SELECT n FROM desk.cursor WHERE name LIKE 'test.%%'"))) == 1


def failing(publisher: Publisher) -> tuple[Subscription, errands.Errand]:
    def fail(_runtime: Runtime, _uow: UnitOfWork, _entry: EntryRow) -> None:
        raise LookupError("no such thing")

    publisher.market.publish()
    bad = Subscription(name="test.bad", kinds=frozenset({"tender.published"}), react=fail)
    publisher.relay([bad])
    (each,) = [errand for errand in publisher.due() if errand.name == "test.bad"]
    return bad, each


def test_a_failing_reaction_waits_longer_each_time_and_is_parked(publisher: Publisher) -> None:
    bad, each = failing(publisher)
    waits = []
    for _ in range(MOST_ATTEMPTS):
        with publisher.market.ledger.upkeep() as conn:
            conn.exec_driver_sql(
                "UPDATE desk.errand SET due_at = date_trunc('second', log.platform_time()) WHERE id = %s", (each.id,)
            )
        with pytest.raises(LookupError):
            errands.run(publisher.market.runtime, relay.handlers([bad]), each.id)
        query = "SELECT extract(epoch FROM due_at - log.platform_time())::int FROM desk.errand WHERE id = %s"
        waits.append(publisher.count(query, each.id))
    assert waits[:4] == sorted(waits[:4])
    assert max(waits) <= 60
    told = publisher.rows("SELECT attempts, parked_at IS NOT NULL, last_error FROM desk.errand WHERE id = %s", each.id)
    assert told == [(MOST_ATTEMPTS, True, "LookupError('no such thing')")]
    assert each.id not in [errand.id for errand in publisher.due()]
    publisher.work()  # what is parked stops nobody else
    assert publisher.count("SELECT count(*) FROM record.publication") == 3


def test_unknown_kinds_and_doubled_names_do_not_start() -> None:
    (first, *_rest) = SUBSCRIPTIONS
    relay.require_known(SUBSCRIPTIONS, REGISTRY)
    with pytest.raises(ValueError, match=r"tender\.unknown"):
        relay.require_known([replace(first, kinds=frozenset({"tender.unknown"}))], REGISTRY)
    with pytest.raises(ValueError, match="twice"):
        relay.require_known([first, first], REGISTRY)
    with pytest.raises(ValueError, match="no kind"):
        relay.require_known([replace(first, kinds=frozenset())], REGISTRY)
    assert {kind for each in SUBSCRIPTIONS for kind in each.kinds} == PUBLISHED_KINDS | MOMENTS


def test_the_clock_rings_while_a_cursor_is_behind(publisher: Publisher) -> None:
    publisher.work()

    def behind() -> int | None:
        with publisher.market.ledger.read() as conn:
            return unrelayed_head(conn)

    assert behind() is None
    publisher.market.publish()
    publisher.wait_for_log()
    assert behind() is not None
    with publisher.market.ledger.read() as conn:
        assert not is_relayed(conn)
    publisher.work()
    with publisher.market.ledger.read() as conn:
        assert is_relayed(conn)


@pytest.mark.parametrize("begun", ["unlogged", "logged", "relayed"])
def test_work_that_moves_on_between_two_statements_is_still_work(publisher: Publisher, begun: str) -> None:
    """The question is asked while an entry goes from the queue over the cursors to the errands, a step a statement."""
    publisher.work()
    steps: Iterator[Callable[[], object]] = iter([publisher.wait_for_log, publisher.relay])
    publisher.market.publish()
    for _ in range(("unlogged", "logged", "relayed").index(begun)):
        next(steps)()
    with publisher.market.ledger.read() as conn:

        def move_on(*_: object) -> None:
            next(steps, int)()

        event.listen(conn, "after_cursor_execute", move_on)
        try:
            assert not is_relayed(conn)
        finally:
            event.remove(conn, "after_cursor_execute", move_on)
