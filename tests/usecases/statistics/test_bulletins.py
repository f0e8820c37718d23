"""Bulletins over a log that runs: made once a month is over, named by the log, computed again from the bulk files."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.build.dummy_envelopes import MemoryStore
from tests.build.market import DemoTime, open_market, runtime_of
from tests.support.databases import Database
from tests.support.logs import LogWorld
from tests.support.publishing import Publisher
from trading.app import create_app
from trading.assembly import ERRANDS, REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.commands.statistics import statistics
from trading.config import Process, Settings
from trading.kernel.canonical import dumps
from trading.opendata import service as opendata
from trading.opendata.rules.periods import GRACE_MS
from trading.statistics import jobs, queries, service
from trading.statistics.rules.months import Month, month_at
from trading.storage.local import LocalStore


class Press:
    """Two published tenders, demonstration time, the pages, and the worker that makes bulletins."""

    def __init__(self, publisher: Publisher, time: DemoTime, client: FlaskClient, database: Database) -> None:
        self.publisher, self.time, self.client = publisher, time, client
        market = publisher.market.runtime
        ledger = Ledger(database.engine("trading_worker"), registry=REGISTRY, reader=database.engine("trading_reader"))
        self.web, self.worker = market, replace(market, ledger=ledger)
        self.month = month_at(publisher.market.now_ms())

    def get(self, path: str) -> bytes:
        answer = self.client.get(path)
        assert answer.status_code == 200, path
        data: bytes = answer.data
        return data

    def over(self, month: Month) -> None:
        self.time.move_to(month.read_until + GRACE_MS)


@pytest.fixture
def press(demo_database: Database, tmp_path: Path) -> Iterator[Press]:
    time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    world = LogWorld(demo_database, tmp_path, clock=time.clock)
    try:
        with world.running():
            runtime = runtime_of(demo_database, world, MemoryStore(), threads=6)
            runtime = replace(runtime, bulk=LocalStore(tmp_path / "bulk"))
            publisher = Publisher(market=open_market(runtime, bidders=1))
            publisher.market.publish()
            publisher.market.publish()
            publisher.work()
            settings = Settings(
                process=Process.WEB,
                demo=True,
                data_dir=tmp_path,
                database_url=demo_database.url("trading_web"),
                log_origin=demo_database.origin,
                jurisdiction="CN",
            )
            yield Press(publisher, time, create_app(settings, runtime).test_client(), demo_database)
    finally:
        world.close()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(statistics, [str(each) for each in arguments])


def files_of(press: Press, folder: Path) -> list[Path]:
    """Download the bulk files of the days of a month and of the first day of the next, as a reader would."""
    listed = json.loads(press.get("/api/v1/ocds/bulk"))["days"]
    wanted = sorted(
        each["period"] for each in listed if press.month.name <= each["period"] <= f"{press.month.next.name}-01"
    )
    assert wanted
    found = []
    for day in wanted:
        path = folder / f"mingbiao-{day}.jsonl.gz"
        path.write_bytes(press.get(f"/api/v1/ocds/bulk/{day}/{path.name}"))
        found.append(path)
    return found


def test_a_bulletin_is_made_once_named_by_the_log_and_computed_again(press: Press, tmp_path: Path) -> None:
    name = press.month.name
    press.time.move_to(press.month.read_until + GRACE_MS - 60_000)
    assert service.catch_up(press.worker) == 0  # the month is not over until all that it reads was released
    press.over(press.month)
    opendata.catch_up(press.web)
    assert service.catch_up(press.worker) == 1
    assert service.catch_up(press.worker) == 0
    assert not service.build(press.worker, press.month)
    press.publisher.wait_for_log()
    ((record,),) = press.publisher.rows("SELECT record FROM log.audit_entry WHERE kind = 'statistics.published'")
    body = json.loads(bytes(record))["body"]
    answer = press.client.get(f"/statistics/bulletins/{name}.json")
    raw = answer.data
    assert body == {"bulletin_sha256": hashlib.sha256(raw).hexdigest(), "month": name}
    again = press.client.get(f"/statistics/bulletins/{name}.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code in {200, 304}
    content = json.loads(raw)
    assert content["releases"]["count"] == 2
    assert content["figures"][0] == {
        "denominator": None, "indicator": "tenders", "left_out": [], "numerator": 2, "value": "2",
    }  # fmt: skip

    # Pages name the digest and the position; the paper has both and the receipt.
    page = press.get(f"/statistics/bulletins/{name}?lang=en").decode()
    assert body["bulletin_sha256"] in page
    assert f"/statistics/bulletins/{name}.pdf" in page
    assert name in press.get("/statistics/bulletins?lang=en").decode()
    pdf = press.get(f"/statistics/bulletins/{name}.pdf?lang=en")
    document = pypdfium2.PdfDocument(pdf)
    shown = "".join("".join(each.get_textpage().get_text_bounded().split()) for each in document)
    attached = document.count_attachments()
    document.close()
    assert attached == 1
    assert body["bulletin_sha256"] in shown
    assert content["releases"]["lines_sha256"] in shown

    # Anybody computes it again from the files of the days.
    files, told = files_of(press, tmp_path), tmp_path / f"bulletin-{name}.json"
    told.write_bytes(raw)
    made = tmp_path / "again.json"
    equal = run(*files, "--bulletin", told, "--sha256", body["bulletin_sha256"], "--out", made)
    assert (equal.exit_code, made.read_bytes()) == (0, raw), equal.output
    # Control: an altered figure is found, whether or not somebody knows what the log says.
    content["figures"][0]["numerator"] = 3
    told.write_bytes(dumps(content))
    altered = run(*files, "--bulletin", told)
    assert altered.exit_code == 1
    assert "/figures/0/numerator: 3 -> 2" in altered.output
    other = run(*files, "--bulletin", told, "--sha256", body["bulletin_sha256"])
    assert other.exit_code == 1
    # Control: a release that was altered or left out is found as well.
    told.write_bytes(raw)
    lines = [line for each in files for line in gzip.decompress(each.read_bytes()).splitlines(keepends=True)]
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(b"".join(lines).replace("公开招标".encode(), "询价".encode()))
    assert changed.read_bytes() != b"".join(lines)
    assert run(changed, "--bulletin", told).exit_code == 1
    changed.write_bytes(lines[0])
    assert run(changed, "--bulletin", told).exit_code == 2  # the last release is not there
    changed.write_bytes(b"[]\n")
    assert run(changed, "--bulletin", told).exit_code == 2
    told.write_bytes(b"{}")
    assert run(*files, "--bulletin", told).exit_code == 2


def test_the_round_makes_each_month_that_is_over(press: Press) -> None:
    assert (jobs.arm(press.worker), jobs.arm(press.worker)) == (1, 0)
    second = press.month.next
    press.over(second)
    with press.web.ledger.read() as conn:
        now = Ledger.platform_time(conn)
    again = ERRANDS[jobs.BULLETINS](press.worker, {})
    assert again is not None
    assert again > now
    with press.web.ledger.read() as conn:
        found = queries.bulletins(conn, limit=10)
        page = queries.bulletins(conn, before=second.name, limit=10)
    assert [each.month for each in found] == [second.name, press.month.name]
    assert [each.month for each in page] == [press.month.name]
    assert json.loads(found[0].raw)["releases"]["count"] == 0  # an empty month has a bulletin that says so
    assert press.client.get(f"/statistics/bulletins/{second.name}").status_code == 200


def test_only_a_worker_makes_bulletins_and_nobody_changes_one(press: Press) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        service.build(press.web, press.month)
    assert service.build(press.worker, press.month)
    for runtime in (press.web, press.worker):
        _refused(runtime, "UPDATE desk.bulletin SET month = '2000-01'")
        _refused(runtime, "DELETE FROM desk.bulletin")


def _refused(runtime: Runtime, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), runtime.ledger.upkeep() as conn:
        conn.execute(text(statement))
