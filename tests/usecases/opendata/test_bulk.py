"""Bulk files over a log that runs: made once a period is over, named by the log, the same whoever makes them again."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.build.dummy_envelopes import MemoryStore
from tests.build.market import DemoTime, open_market, runtime_of
from tests.support.databases import Database
from tests.support.logs import LogWorld
from tests.support.publishing import Publisher
from trading.app import create_app
from trading.config import Process, Settings
from trading.kernel.errors import NotFound
from trading.notices.queries import publications
from trading.notices.rules.channels import Channel
from trading.opendata import jobs, queries, service
from trading.opendata.rules.periods import GRACE_MS, Period, day_of, year_of
from trading.storage.local import LocalStore


@pytest.fixture
def bulk(demo_database: Database, tmp_path: Path) -> Iterator[tuple[Publisher, DemoTime, FlaskClient]]:
    """Two published tenders, demonstration time, and the pages."""
    time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    world = LogWorld(demo_database, tmp_path, clock=time.clock)
    try:
        with world.running():
            runtime = replace(
                runtime_of(demo_database, world, MemoryStore(), threads=6), bulk=LocalStore(tmp_path / "bulk")
            )
            publisher = Publisher(market=open_market(runtime, bidders=1))
            (lot,) = publisher.market.publish()
            publisher.extend(lot)
            publisher.work()
            settings = Settings(
                process=Process.WEB,
                demo=True,
                data_dir=tmp_path,
                database_url=demo_database.url("trading_web"),
                log_origin=demo_database.origin,
                jurisdiction="CN",
            )
            yield publisher, time, create_app(settings, runtime).test_client()
    finally:
        world.close()


def today(publisher: Publisher) -> Period:
    return day_of(publisher.market.now_ms())


def published(publisher: Publisher) -> list[bytes]:
    with publisher.market.ledger.read() as conn:
        return [each.content or b"" for each in publications.after(conn, Channel.OCDS, 0, 100)]


def test_a_day_that_is_over_is_final_and_the_log_names_its_manifest(
    bulk: tuple[Publisher, DemoTime, FlaskClient],
) -> None:
    publisher, time, client = bulk
    runtime, day = publisher.market.runtime, today(publisher)
    assert service.catch_up(runtime) == 2  # the day and the year so far
    with publisher.market.ledger.read() as conn:
        before = queries.one(conn, day.name)
    assert before is not None
    assert not before.final
    assert publisher.count("SELECT count(*) FROM log.audit_entry WHERE kind = 'opendata.published'") == 0
    time.move_to(day.end)
    assert service.catch_up(runtime) == 0  # it may still have acts that began in time
    time.move_to(day.end + GRACE_MS)
    assert service.catch_up(runtime) == 1
    publisher.wait_for_log()
    with publisher.market.ledger.read() as conn:
        found = queries.one(conn, day.name)
    assert found is not None
    assert found.final
    assert found.position is not None
    assert [each.sha256 for each in found.files] == [each.sha256 for each in before.files]  # the same bytes again
    ((record,),) = publisher.rows("SELECT record FROM log.audit_entry WHERE kind = 'opendata.published'")
    body = json.loads(bytes(record))["body"]
    assert body == {"manifest_sha256": found.manifest_sha256, "period": day.name}
    manifest = client.get(f"/api/v1/ocds/bulk/{day.name}/manifest.json")
    assert hashlib.sha256(manifest.data).hexdigest() == body["manifest_sha256"]
    for each in json.loads(manifest.data)["files"]:
        file = client.get(f"/api/v1/ocds/bulk/{day.name}/{each['name']}")
        assert hashlib.sha256(file.data).hexdigest() == each["sha256"] == file.headers["ETag"].strip('"')
        assert len(file.data) == each["size"]
    lines = gzip.decompress(client.get(f"/api/v1/ocds/bulk/{day.name}/mingbiao-{day.name}.jsonl.gz").data)
    assert lines.splitlines() == published(publisher)


def test_final_files_are_never_made_again_and_a_later_day_has_its_own(
    bulk: tuple[Publisher, DemoTime, FlaskClient],
) -> None:
    publisher, time, client = bulk
    runtime, day = publisher.market.runtime, today(publisher)
    time.move_to(day.end + GRACE_MS)
    service.catch_up(runtime)
    publisher.market.publish()
    publisher.work()
    with publisher.market.ledger.read() as conn:
        first = queries.one(conn, day.name)
    assert service.build(runtime, day, final=True)
    assert service.build(runtime, day, final=False)
    with publisher.market.ledger.read() as conn:
        assert queries.one(conn, day.name) == first
    assert publisher.count("SELECT count(*) FROM log.audit_entry WHERE kind = 'opendata.published'") == 1
    service.catch_up(runtime)
    listed = json.loads(client.get("/api/v1/ocds/bulk").data)
    assert [(each["period"], each["final"], each["releases"]) for each in listed["days"]] == [
        (today(publisher).name, False, 1),
        (day.name, True, 2),
    ]
    # A year ends like a day.
    year = year_of(publisher.market.now_ms())
    time.move_to(year.end + GRACE_MS)
    service.catch_up(runtime)
    listed = json.loads(client.get("/api/v1/ocds/bulk").data)
    assert [(each["period"], each["final"], each["releases"]) for each in listed["years"]] == [(year.name, True, 3)]


def test_files_of_a_day_so_far_are_thrown_away_when_they_are_replaced(
    bulk: tuple[Publisher, DemoTime, FlaskClient],
) -> None:
    publisher, time, client = bulk
    runtime, day = publisher.market.runtime, today(publisher)
    store = service.bulk_store(runtime)
    service.catch_up(runtime)
    first = set(store.walk())
    publisher.market.publish()
    publisher.work()
    assert service.build(runtime, day, final=False)
    # Those of the year are the same bytes and still named; with the next build of the year they go.
    assert first < set(store.walk())
    assert service.build(runtime, year_of(day.start), final=False)
    second = set(store.walk())
    assert not first & second
    time.move_to(day.end + GRACE_MS)
    service.catch_up(runtime)
    assert set(store.walk()) == second
    for each in json.loads(client.get(f"/api/v1/ocds/bulk/{day.name}/manifest.json").data)["files"]:
        assert client.get(f"/api/v1/ocds/bulk/{day.name}/{each['name']}").status_code == 200


def test_answers_have_tags_and_what_is_not_there_is_not_found(bulk: tuple[Publisher, DemoTime, FlaskClient]) -> None:
    publisher, _time, client = bulk
    day = today(publisher)
    service.catch_up(publisher.market.runtime)
    name = f"mingbiao-{day.name}.xlsx"
    for path in (
        "/api/v1/ocds/bulk",
        f"/api/v1/ocds/bulk/{day.name}/manifest.json",
        f"/api/v1/ocds/bulk/{day.name}/{name}",
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        assert client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200  # control
    for path in ("2020-01-01/manifest.json", "../etc/passwd", f"{day.name}/mingbiao-2020-01-01.xlsx", "x/y"):
        assert client.get(f"/api/v1/ocds/bulk/{path}").status_code == 404
    assert client.get("/api/v1/ocds/bulk?before=x").status_code == 400
    page = client.get("/open-data?lang=en").get_data(as_text=True)
    assert name in page
    assert "so far" in page


def test_a_round_comes_back_and_a_process_without_a_store_makes_nothing(
    bulk: tuple[Publisher, DemoTime, FlaskClient],
) -> None:
    publisher, _time, _client = bulk
    runtime = publisher.market.runtime
    assert (jobs.arm(runtime), jobs.arm(runtime)) == (1, 0)
    now = publisher.market.now_ms()
    again = jobs.ERRANDS[jobs.BULK](runtime, {})
    assert again is not None
    assert again > now
    bare = replace(runtime, bulk=None)
    assert jobs.arm(bare) == 0
    with pytest.raises(NotFound):
        service.build(bare, today(publisher), final=False)


def test_the_web_cannot_undo_a_final_period(bulk: tuple[Publisher, DemoTime, FlaskClient]) -> None:
    """What the log fixed is found by its digest even where somebody changes the row: the manifest no longer fits."""
    publisher, time, client = bulk
    day = today(publisher)
    time.move_to(day.end + GRACE_MS)
    service.catch_up(publisher.market.runtime)
    with publisher.market.ledger.upkeep() as conn:
        conn.execute(text("UPDATE desk.bulk_period SET manifest = convert_to('{}', 'UTF8')"))
    ((record,),) = publisher.rows("SELECT record FROM log.audit_entry WHERE kind = 'opendata.published'")
    told = client.get(f"/api/v1/ocds/bulk/{day.name}/manifest.json").data
    assert hashlib.sha256(told).hexdigest() != json.loads(bytes(record))["body"]["manifest_sha256"]
