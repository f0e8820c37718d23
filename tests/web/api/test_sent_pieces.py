"""Chunks that bidders put into the bucket past the platform: counted after they were read, told to nobody else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select
from typing_extensions import override
from werkzeug.test import TestResponse

from tests.support.buckets import S3Server, Way
from tests.support.doorman import doorman
from tests.support.market import Bidder, Market
from tests.web.api.test_uploads import CHUNK, Sender, code_of, part
from trading.app import create_app
from trading.bids.rules import uploads as rules
from trading.bids.tables import upload, upload_piece
from trading.bids.uploads import SentPiece, Uploads, sweep
from trading.demo.cast import BIDDERS, numbered_bidder
from trading.kernel.errors import NotFound
from trading.storage.bucket import Kind
from trading.storage.s3 import S3Store

KIND = Kind(media="application/octet-stream", cache="no-store")
WORKER = "/static/seal/worker.js"


@dataclass
class Past(Sender):
    """A bidder who sends chunks past the platform, which keeps them in a bucket."""

    store: S3Store

    def told(self, data: bytes, **changes: object) -> dict[str, object]:
        return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()} | changes

    def ask(self, where: str, start: int, data: bytes, **changes: object) -> TestResponse:
        return self.client.post(f"{where}/pieces", json=self.told(data, **{"offset": start, **changes}))

    def count(self, where: str, offset: int, data: bytes, **changes: object) -> TestResponse:
        return self.client.post(f"{where}/pieces/{offset}", json=self.told(data, **changes))

    def put(self, given: dict[str, Any], data: bytes) -> int:
        parts = urlsplit(given["url"])
        connection = HTTPConnection(parts.hostname or "", parts.port or 0)
        connection.request("PUT", f"{parts.path}?{parts.query}", data, given["headers"])
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def send(self, where: str, offset: int, data: bytes) -> TestResponse:
        given = self.ask(where, offset, data)
        assert given.status_code == HTTPStatus.CREATED, given.get_json()
        assert self.put(given.get_json(), data) == HTTPStatus.OK
        return self.count(where, offset, data)

    def pieces(self) -> int:
        with self.market.runtime.ledger.upkeep() as conn:
            return conn.execute(select(func.count()).select_from(upload_piece)).scalar_one()

    @override
    def is_stored(self, data: bytes) -> bool:
        digest = hashlib.sha256(data).hexdigest()
        return self.store.stat(digest) == len(data) and self.store.get(digest) == data


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "LEAST_CHUNK", CHUNK)
    monkeypatch.setattr(rules, "MOST_CHUNK", 2 * CHUNK)


@pytest.fixture(scope="module")
def bidder(market: Market) -> Bidder:
    bidder = Bidder(market, numbered_bidder(15))
    bidder.start()
    return bidder


@pytest.fixture
def past(bidder: Bidder, s3: S3Server, tmp_path: Path) -> Iterator[Past]:
    market, store = bidder.market, S3Store(s3.outside(), tmp_path / "spool")
    runtime = replace(market.runtime, objects=store)
    client = create_app(market.app.extensions["settings"], runtime).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = bidder.client.environ_base["HTTP_AUTHORIZATION"]
    with s3.on(Way(before=doorman())):
        yield Past(bidder, client, store)
    with market.runtime.ledger.upkeep() as conn:
        conn.execute(upload.delete())
    assert sweep(runtime, {}) is not None
    assert list(store.pieces.uploads()) == [], "what nobody counted is swept"


def test_a_part_past_the_platform_is_stored_as_one_that_came_through_it(past: Past) -> None:
    data = part("past", 28)
    begun = past.begin(data)
    assert begun.get_json()["direct"] is True
    where = begun.headers["Location"]
    first = past.send(where, 0, data[:8])
    assert (first.status_code, first.headers["Upload-Offset"]) == (HTTPStatus.OK, "8")
    assert past.append(where, 8, data[8:16]).status_code == HTTPStatus.OK, "both ways may be mixed"
    assert past.send(where, 16, data[16:24]).status_code == HTTPStatus.OK
    assert not past.is_stored(data)
    last = past.send(where, 24, data[24:])
    assert (last.status_code, last.get_json()["complete"]) == (HTTPStatus.CREATED, True)
    assert past.is_stored(data)
    assert past.pieces() == 0


def test_a_directory_gives_no_address(bidder: Bidder) -> None:
    sender, data = Sender(bidder, bidder.client), part("folder")
    begun = sender.begin(data)
    assert "direct" not in begun.get_json()
    where = begun.headers["Location"]
    asked = {"length": 8, "offset": 0, "sha256": hashlib.sha256(data[:8]).hexdigest()}
    assert sender.client.post(f"{where}/pieces", json=asked).status_code == HTTPStatus.NOT_FOUND
    sender.client.delete(where)


def test_what_is_not_there_or_has_other_bytes_counts_for_nothing(past: Past) -> None:
    data = part("other", 24)
    where = past.begin(data).headers["Location"]
    assert past.count(where, 0, data[:8]).status_code == HTTPStatus.NOT_FOUND
    upload_id = where.rsplit("/", 1)[1]
    past.store._bucket.create(f"uploads/{upload_id}/at0", b"x" * 8, KIND)
    assert code_of(past.count(where, 0, data[:8])) == (400, "upload.cut")
    assert (past.offset(where), past.pieces()) == (0, 0)
    assert list(past.store.pieces.uploads()) == [], "wrong bytes do not keep the right ones away"
    past.store._bucket.create(f"uploads/{upload_id}/at0", data[:9], KIND)
    assert code_of(past.count(where, 0, data[:8])) == (400, "upload.cut")
    assert past.send(where, 0, data[:8]).status_code == HTTPStatus.OK
    assert past.send(where, 8, data[8:]).status_code == HTTPStatus.CREATED


def test_a_piece_that_was_counted_stays_whatever_is_said_of_it_later(past: Past) -> None:
    data = part("stays", 24)
    where = past.begin(data).headers["Location"]
    assert past.send(where, 0, data[:8]).status_code == HTTPStatus.OK
    for again in (data[:8], b"y" * 8):
        answer = past.count(where, 0, again)
        assert code_of(answer) == (HTTPStatus.CONFLICT, "upload.offset")
        assert answer.headers["Upload-Offset"] == "8"
    assert past.send(where, 8, data[8:]).status_code == HTTPStatus.CREATED
    assert past.is_stored(data)


def test_of_two_who_read_one_piece_the_one_that_throws_it_away_leaves_no_row(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has read the right bytes; before it counts them, the other has thrown them away for other ones."""
    data = part("two", 24)
    where = past.begin(data).headers["Location"]
    given = past.ask(where, 0, data[:8])
    assert past.put(given.get_json(), data[:8]) == HTTPStatus.OK
    looked = Uploads._is_right

    def meanwhile(self: Uploads, found: rules.Upload, piece: SentPiece) -> bool:
        monkeypatch.setattr(Uploads, "_is_right", looked)
        right = looked(self, found, piece)
        assert code_of(past.count(where, 0, b"z" * 8)) == (400, "upload.cut")
        return right

    monkeypatch.setattr(Uploads, "_is_right", meanwhile)
    assert past.count(where, 0, data[:8]).status_code == HTTPStatus.NOT_FOUND
    assert (past.offset(where), past.pieces()) == (0, 0)


def test_an_address_is_only_for_the_chunk_that_comes_next(past: Past) -> None:
    data = part("next", 40)
    where = past.begin(data).headers["Location"]
    assert code_of(past.ask(where, 8, data[8:16])) == (HTTPStatus.CONFLICT, "upload.offset")
    assert code_of(past.ask(where, 0, data[:7])) == (400, "upload.chunk_size")
    assert code_of(past.ask(where, 0, data[:17])) == (400, "upload.chunk_size")
    assert code_of(past.ask(where, 0, b"")) == (400, "upload.chunk_size")
    assert code_of(past.ask(where, 0, b"x" * 41)) == (400, "bid.part_mismatch")
    malformed: tuple[dict[str, object], ...] = ({"sha256": "0"}, {"length": "8"}, {"length": True}, {"offset": -1})
    for each in malformed:
        assert code_of(past.ask(where, 0, data[:8], **each)) == (400, "body.malformed")
    for each in malformed[:3]:
        assert code_of(past.count(where, 0, data[:8], **each)) == (400, "body.malformed")


def test_nobody_else_gets_an_address_or_learns_of_one(past: Past) -> None:
    data = part("secret", 24)
    where = past.begin(data).headers["Location"]
    missing = where[:-4] + "0000"
    for who, status in ((BIDDERS[4].key, 404), ("supervisor", 403), ("", 401)):
        client = past.client.application.test_client()
        if who:
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {past.market.stage.tokens[who]}"
        told = past.told(data[:8], offset=0)
        for path in ("pieces", "pieces/0"):
            foreign, unknown = (client.post(f"{each}/{path}", json=told) for each in (where, missing))
            assert foreign.status_code == status
            assert (str(foreign.headers), foreign.data) == (str(unknown.headers), unknown.data)


def test_a_closed_lot_gives_no_address(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    data = part("late", 24)
    where = past.begin(data).headers["Location"]

    def closed(*_arguments: object) -> None:
        raise NotFound("bid")

    monkeypatch.setattr("trading.bids.service.part_target", closed)
    assert past.ask(where, 0, data[:8]).status_code == HTTPStatus.NOT_FOUND
    assert past.count(where, 0, data[:8]).status_code == HTTPStatus.NOT_FOUND


def test_only_the_worker_that_sends_may_reach_the_bucket(past: Past) -> None:
    def policy(path: str) -> str:
        with past.client.get(path) as answer:
            return answer.headers["Content-Security-Policy"]

    origin = past.store.pieces.origin
    assert f"connect-src 'self' {origin};" in policy(WORKER)
    assert all(origin not in policy(path) for path in ("/", "/static/seal/page.js", "/static/reopen/worker.js"))
    with past.market.app.test_client().get(WORKER) as answer:
        assert "connect-src 'self';" in answer.headers["Content-Security-Policy"], "where nobody reaches it"
