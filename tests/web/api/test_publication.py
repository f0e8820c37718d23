"""The feed and the open data over HTTP: pages, cursors, records, languages; a draft does not exist there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.build.dummy_envelopes import MemoryStore
from tests.build.market import DemoTime, OpenLot, default_close, open_market, runtime_of, specification
from tests.support.databases import Server, clone
from tests.support.logs import LogWorld
from tests.support.ocds_schema import DATA, checker
from tests.support.publishing import Publisher
from trading.api import feed as feeds
from trading.api.v1 import ocds
from trading.app import create_app
from trading.config import Process, Settings
from trading.notices.service.exporting import write_ocds
from trading.procedures import service
from trading.web import permissions

ATOM = {"a": "http://www.w3.org/2005/Atom"}
CORRECTIONS = 4


@pytest.fixture(scope="module")
def published(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Publisher, OpenLot, Flask]]:
    """A tender with four corrections and a cancellation, and a second tender; everything is published."""
    folder = tmp_path_factory.mktemp("publication")
    with clone(server, demo=True) as database:
        time = DemoTime(database=database, shift_file=folder / "demo-shift")
        world = LogWorld(database, folder, clock=time.clock)
        try:
            with world.running():
                runtime = runtime_of(database, world, MemoryStore(), threads=6)
                publisher = Publisher(market=open_market(runtime, bidders=1))
                (lot,) = publisher.market.publish()
                for _ in range(CORRECTIONS):
                    publisher.extend(lot)
                publisher.cancel(lot)
                publisher.market.publish()
                publisher.work()
                settings = Settings(
                    process=Process.WEB,
                    demo=True,
                    data_dir=folder,
                    database_url=database.url("trading_web"),
                    log_origin=database.origin,
                    jurisdiction="CN",
                )
                yield publisher, lot, create_app(settings, runtime)
        finally:
            world.close()


@pytest.fixture
def lot(published: tuple[Publisher, OpenLot, Flask]) -> OpenLot:
    return published[1]


@pytest.fixture
def client(published: tuple[Publisher, OpenLot, Flask]) -> FlaskClient:
    return published[2].test_client()


def crawl(client: FlaskClient, path: str) -> list[list[str]]:
    """Follow the links from ``path``; return the release ids of each page."""
    pages: list[list[str]] = []
    while True:
        answer = client.get(path)
        if answer.status_code == 204:
            return pages
        assert answer.status_code == 200
        pages.append([each["id"] for each in answer.get_json()["releases"]])
        path = answer.headers["Link"].partition("<")[2].partition(">")[0]


def test_a_cursor_reads_every_release_once(client: FlaskClient, lot: OpenLot, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = crawl(client, "/api/v1/ocds/releases")
    monkeypatch.setattr(ocds, "PAGE", 2)
    pages = crawl(client, "/api/v1/ocds/releases")
    assert [len(page) for page in pages] == [2, 2, 2, 1]
    given = list(chain(*pages))
    assert given == list(chain(*whole))
    assert len(set(given)) == CORRECTIONS + 3
    assert len([each for each in given if lot.tender in each]) == CORRECTIONS + 2


def test_one_release_and_the_record(client: FlaskClient, lot: OpenLot) -> None:
    (page,) = crawl(client, "/api/v1/ocds/releases")
    (release,) = client.get(f"/api/v1/ocds/releases/{page[0]}").get_json()["releases"]
    assert (release["id"], release["tag"]) == (page[0], ["tender"])
    (record,) = client.get(f"/api/v1/ocds/records/{release['ocid']}").get_json()["records"]
    assert [each["tag"][0] for each in record["releases"]] == [
        "tender",
        *["tenderAmendment"] * CORRECTIONS,
        "tenderCancellation",
    ]
    assert record["compiledRelease"]["tender"]["status"] == "cancelled"
    assert len(record["compiledRelease"]["tender"]["amendments"]) == CORRECTIONS
    assert record["ocid"].endswith(lot.tender)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/ocds/releases/ocds-000000-T-2026-nothing-0123456789abcdef",
        "/api/v1/ocds/releases/nothing",
        "/api/v1/ocds/records/ocds-000000-T-2026-nothing",
        "/api/v1/ocds/records/ocds-999999-T-2026-nothing",
        "/api/v1/ocds/records/ocds-000000-",
    ],
)
def test_what_was_never_published_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "²", "1" * 16, ""])
def test_a_cursor_that_is_none_is_refused(client: FlaskClient, cursor: str) -> None:
    assert client.get("/api/v1/ocds/releases", query_string={"after": cursor}).status_code == 400
    assert client.get("/feed.atom", query_string={"before": cursor}).status_code == 400


def test_a_draft_is_nowhere(published: tuple[Publisher, OpenLot, Flask], client: FlaskClient) -> None:
    market = published[0].market
    body = specification([default_close(market.now_ms())])
    reference = service.draft(market.ledger, market.drafter.actor, body)
    published[0].work()
    assert reference not in client.get("/feed.atom").text
    assert reference not in str(crawl(client, "/api/v1/ocds/releases"))
    assert client.get(f"/api/v1/ocds/records/ocds-000000-{reference}").status_code == 404


def test_the_feed_in_both_languages_and_pages(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "PAGE", 3)
    ids: dict[str, list[str]] = {}
    for language in ("zh", "en"):
        path, ids[language] = f"/feed.atom?lang={language}", []
        while path:
            answer = client.get(path)
            assert answer.mimetype == "application/atom+xml"
            root = ET.fromstring(answer.data)  # noqa: S314 - our own
            ids[language] += [each.text or "" for each in root.findall("a:entry/a:id", ATOM)]
            links = {each.get("rel"): str(each.get("href")) for each in root.findall("a:link", ATOM)}
            path = links.get("next", "").partition("localhost")[2]
    assert ids["zh"] == ids["en"]
    assert len(ids["zh"]) == len(set(ids["zh"])) == CORRECTIONS + 3
    assert "招标公告：" in client.get("/feed.atom?lang=zh").text
    assert "Tender notice: " in client.get("/feed.atom?lang=en").text


def test_the_page_of_a_notice_says_where_it_was_published(client: FlaskClient, lot: OpenLot) -> None:
    text = client.get(f"/procedures/{lot.tender}/notices/1?lang=en").text
    assert "Legal periods count from the first publication" in text
    assert text.count("Open data (OCDS)") == 1
    proofs = [part.partition('"')[0] for part in text.split('class="proof" href="')[1:]]
    files = [each for each in proofs if each.endswith((".tlog-proof", ".pdf"))]
    assert (len(proofs), len(files)) == (6, 2)  # of each channel, and of the notice itself, with its receipt to keep
    for proof in proofs:
        assert client.get(proof).status_code == 200


def test_the_files_are_valid_packages(published: tuple[Publisher, OpenLot, Flask], tmp_path: Path) -> None:
    count = write_ocds(published[0].market.runtime, tmp_path / "ocds")
    names = sorted(path.name for path in (tmp_path / "ocds" / "releases").iterdir())
    assert count == CORRECTIONS + 3
    assert names == [f"{number:04}.json" for number in range(1, count + 1)]
    packages = [json.loads(path.read_bytes()) for path in sorted((tmp_path / "ocds").rglob("*.json"))]
    assert len(packages) == count + 2
    if (DATA / "ocds-1.1.5-schema.zip").is_file():
        for package in packages:
            found = checker().faults_of_package if "releases" in package else checker().faults_of_record
            assert found(package) == []


def test_everybody_may_read(published: tuple[Publisher, OpenLot, Flask]) -> None:
    rows = {row.endpoint: row.permission for row in permissions.table(published[2])}
    for endpoint in ("feed.feed", "ocds.releases", "ocds.one", "ocds.record"):
        found = rows[endpoint]
        assert found is not None
        assert found.public
