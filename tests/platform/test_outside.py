"""Signed addresses in a bucket: for one act on one object, for minutes, as a service sees them that checks."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask

from tests.support.buckets import S3Server, Way, place_at
from tests.support.doorman import doorman, now
from trading.storage import outside
from trading.storage.bucket import Bucket
from trading.storage.local import LocalStore
from trading.storage.objects import Saved, StoreAway
from trading.storage.pair import PairedStore
from trading.storage.pieces import Destination
from trading.storage.s3 import S3Store
from trading.web import downloads
from trading.web.downloads import LEAST_BY_ADDRESS, handed_out

DATA = b"a large file"
SAVED = Saved(media="application/pdf", disposition="attachment; filename=\"x.pdf\"; filename*=UTF-8''%E6%A0%87.pdf")


@dataclass
class Service:
    """A bucket that is reached from outside, and the clock of whoever keeps it."""

    s3: S3Server
    store: S3Store
    later: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return now() + self.later

    def ask(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] = {}
    ) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(url)
        connection = HTTPConnection(parts.hostname or "", parts.port or 0)
        connection.request(method, f"{parts.path}?{parts.query}", body, dict(headers))
        answer = connection.getresponse()
        found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def status(self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] = {}) -> int:
        return self.ask(method, url, body, headers)[0]


@pytest.fixture
def service(s3: S3Server, tmp_path: Path) -> Iterator[Service]:
    made = Service(s3, S3Store(s3.outside(), tmp_path / "spool"))
    with s3.on(Way(before=doorman(made.now))):
        yield made


def address_of(service: Service, data: bytes = DATA, saved: Saved = SAVED) -> str:
    found = service.store.address(service.store.put(data), len(data), saved)
    assert found is not None
    return found


def test_an_address_gives_one_file_as_it_is_to_be_saved(service: Service) -> None:
    status, headers, data = service.ask("GET", address_of(service))
    assert (status, data) == (HTTPStatus.OK, DATA)
    told = {name: headers[name] for name in ("content-type", "content-disposition", "cache-control")}
    assert told == {
        "content-type": SAVED.media,
        "content-disposition": SAVED.disposition,
        "cache-control": "private, no-store",
    }


def changed(old: str, new: str) -> Callable[[str], str]:
    return lambda url: url.replace(old, new)


@pytest.mark.parametrize(
    "change",
    [
        changed("response-content-type=application%2Fpdf", "response-content-type=text%2Fhtml"),
        changed("response-content-disposition=attachment", "response-content-disposition=inline"),
        changed(f"X-Amz-Expires={outside.READING_S}", "X-Amz-Expires=604800"),
        lambda url: url.replace("/mingbiao/", "/mingbiao/../mingbiao/"),
        lambda url: url.partition("?")[0] + "?",
        lambda url: url.partition("&X-Amz-Signature")[0],
    ],
)
def test_what_is_in_an_address_cannot_be_changed(service: Service, change: Callable[[str], str]) -> None:
    address = address_of(service)
    assert service.status("GET", address) == HTTPStatus.OK
    assert change(address) != address
    assert service.status("GET", change(address)) == HTTPStatus.FORBIDDEN


def test_an_address_is_for_no_other_object_and_no_other_act(service: Service) -> None:
    address, other = address_of(service), service.store.put(b"another")
    digest = sha256(DATA).hexdigest()
    elsewhere = address.replace(f"{digest[:2]}/{digest}", f"{other[:2]}/{other}")
    assert service.status("GET", elsewhere) == HTTPStatus.FORBIDDEN
    for method in ("PUT", "DELETE", "HEAD"):
        assert service.status(method, address) == HTTPStatus.FORBIDDEN
    assert service.store.get(digest) == DATA


@pytest.mark.parametrize(("seconds", "status"), [(-1, 200), (1, 403)])
def test_an_address_ends(service: Service, seconds: int, status: int) -> None:
    address = address_of(service)
    service.later = timedelta(seconds=outside.READING_S + seconds)
    assert service.status("GET", address) == status


def test_where_no_reader_reaches_there_is_no_address(service: Service, tmp_path: Path) -> None:
    inside = S3Store(service.s3.bucket(), tmp_path / "spool")
    for store in (inside, LocalStore(tmp_path / "objects")):
        assert store.address(store.put(DATA), len(DATA), SAVED) is None
    absent = "0" * 64
    assert service.store.address(absent, len(DATA), SAVED) is None
    assert service.store.address(service.store.put(DATA), len(DATA) + 1, SAVED) is None, "the bytes are other ones"


def test_a_pair_gives_addresses_in_the_first_store_alone(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LocalStore(tmp_path / "objects")
    pair, turned = PairedStore(first=service.store, second=other), PairedStore(first=other, second=service.store)
    digest = pair.put(DATA)
    assert pair.address(digest, len(DATA), SAVED) is not None
    assert turned.address(digest, len(DATA), SAVED) is None

    def away(_digest: str) -> int:
        raise StoreAway("away")

    monkeypatch.setattr(service.store, "stat", away)
    assert pair.address(digest, len(DATA), SAVED) is None, "the second one hands it out"


def test_large_files_alone_are_fetched_from_the_bucket(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Flask(__name__)
    digest, size = service.store.put(DATA), len(DATA)

    def answer(method: str = "GET") -> tuple[int, str, str]:
        with app.test_request_context(method=method):
            found = handed_out(service.store, "标.pdf", SAVED.media, digest, size)
            return found.status_code, found.headers["Cache-Control"], found.headers.get("Location", "")

    assert size < LEAST_BY_ADDRESS
    assert answer()[0] == HTTPStatus.OK
    monkeypatch.setattr(downloads, "LEAST_BY_ADDRESS", size + 1)
    assert answer()[0] == HTTPStatus.OK
    monkeypatch.setattr(downloads, "LEAST_BY_ADDRESS", size)
    status, cache, location = answer()
    assert (status, cache) == (HTTPStatus.SEE_OTHER, "no-store")
    _, headers, data = service.ask("GET", location)
    assert data == DATA
    assert "filename*=UTF-8''%E6%A0%87.pdf" in headers["content-disposition"]
    assert answer("HEAD")[0] == HTTPStatus.OK, "an address is signed for GET"


PIECE = b"a sealed piece"


def sent_piece(service: Service, data: bytes = PIECE, *, name: str = "at0") -> Destination:
    found = service.store.pieces.destination("u1", name, len(data), sha256(data).hexdigest())
    assert found is not None
    return found


def test_one_piece_is_put_once_and_only_as_it_was_announced(service: Service) -> None:
    there = sent_piece(service)
    other, longer = b"A sealed piece", PIECE + b"!"
    for data in (other, longer, b""):
        assert service.status("PUT", there.url, data, there.headers) in {HTTPStatus.FORBIDDEN, HTTPStatus.BAD_REQUEST}
    checksum = {"x-amz-checksum-sha256": b64encode(sha256(other).digest()).decode()}
    assert service.status("PUT", there.url, other, there.headers | checksum) == HTTPStatus.FORBIDDEN
    for name in there.headers:
        left_out = {key: value for key, value in there.headers.items() if key != name}
        assert service.status("PUT", there.url, PIECE, left_out) == HTTPStatus.FORBIDDEN, name
    assert list(service.store.pieces.uploads()) == []
    assert service.status("PUT", there.url, PIECE, there.headers) == HTTPStatus.OK
    assert service.status("PUT", there.url, PIECE, there.headers) == HTTPStatus.PRECONDITION_FAILED
    assert b"".join(service.store.pieces.chunks("u1", ["at0"])) == PIECE
    assert service.status("GET", there.url, headers=there.headers) == HTTPStatus.FORBIDDEN, "not even its own bytes"
    assert list(service.store.walk()) == [], "a piece is no object"


@pytest.mark.parametrize(("seconds", "status"), [(-1, 200), (1, 403)])
def test_an_address_for_writing_ends(service: Service, seconds: int, status: int) -> None:
    there = sent_piece(service)
    service.later = timedelta(seconds=outside.WRITING_S + seconds)
    assert service.status("PUT", there.url, PIECE, there.headers) == status


def test_the_origin_is_where_the_bucket_is_reached(service: Service, tmp_path: Path) -> None:
    assert service.store.pieces.origin == service.s3.detour
    place = replace(place_at("http://127.0.0.1:9"), outside="https://s3.example", style="virtual")
    assert S3Store(Bucket(place), tmp_path).pieces.origin == "https://mingbiao.s3.example"
    for store in (S3Store(service.s3.bucket(), tmp_path / "spool"), LocalStore(tmp_path / "objects")):
        assert store.pieces.origin == ""
        assert store.pieces.destination("u1", "at0", 1, "0" * 64) is None
