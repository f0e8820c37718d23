"""Objects in a bucket: create-only, hashed on both ways, whole or not there, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from flask import Flask

from tests.support.buckets import KEY, SECRET, Call, S3Server, Way, place_at
from trading.config import ConfigError
from trading.kernel.errors import Conflict, IntegrityFailure, InvalidInput, NotFound
from trading.storage import bucket as buckets
from trading.storage.bucket import Bucket, Kind
from trading.storage.local import LocalStore
from trading.storage.objects import StoreAway
from trading.storage.s3 import S3Store
from trading.web.errors import problem_of

TEXT = Kind(media="text/plain", cache="no-store")
DATA = b"sealed"
DIGEST = sha256(DATA).hexdigest()


@pytest.fixture
def bucket(s3: S3Server) -> Bucket:
    return s3.bucket()


@pytest.fixture
def store(bucket: Bucket, tmp_path: Path) -> S3Store:
    return S3Store(bucket, tmp_path / "spool")


@contextmanager
def over(s3: S3Server, way: Way, tmp_path: Path, *, attempts: int = 1) -> Iterator[tuple[S3Store, Bucket]]:
    """Yield a store that reaches the server on this way, and the same folder without a detour."""
    prefix = s3.prefix()
    with s3.on(way):
        yield S3Store(s3.bucket(prefix, by_detour=True, attempts=attempts), tmp_path / "spool"), s3.bucket(prefix)


@pytest.mark.parametrize("size", [0, 1, 4096 * 3, 4096 * 3 + 5])
def test_what_was_put_comes_back(store: S3Store, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(buckets, "PART", 4096 * 2)  # this server asks no least size of parts
    data = bytes(index % 251 for index in range(size))
    digest = sha256(data).hexdigest()
    assert store.put_stream(BytesIO(data)) == (digest, size)
    assert store.put_stream(BytesIO(data)) == (digest, size)
    assert store.get(digest) == data
    assert store.stat(digest) == size
    assert list(store.walk()) == [digest]


def test_absent_objects(store: S3Store) -> None:
    assert store.stat(DIGEST) is None
    with pytest.raises(NotFound):
        store.get(DIGEST)
    for name in ("../" * 21 + "x", DIGEST.upper(), DIGEST[:-1], ""):
        with pytest.raises(ValueError, match="64 characters"):
            store.stat(name)


def test_names_are_those_of_the_local_store(store: S3Store, bucket: Bucket, tmp_path: Path) -> None:
    """Moving from one to the other is copying."""
    digests = {store.put(data) for data in (b"one", b"two", b"three")}
    local = LocalStore(tmp_path / "objects")
    for name in bucket.names():
        found = bucket.read(name)
        assert found is not None
        (tmp_path / "objects" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "objects" / name).write_bytes(found.data)
    assert set(local.walk()) == digests == set(store.walk())
    assert {local.get(digest) for digest in digests} == {b"one", b"two", b"three"}


def test_a_type_is_always_sent_and_caches_keep_nothing(s3: S3Server, tmp_path: Path) -> None:
    way = Way()
    with over(s3, way, tmp_path) as (store, _):
        store.put(DATA)
    sent = [call.headers for call in way.calls if call.method == "PUT"]
    assert [(each["Content-Type"], each["Cache-Control"], each["If-None-Match"]) for each in sent] == [
        ("application/octet-stream", "private, no-store", "*")
    ]
    assert sent[0]["X-Amz-Content-SHA256"] == DIGEST  # a service refuses what has changed on the way


def test_too_large_and_broken_off_leave_nothing(store: S3Store) -> None:
    with pytest.raises(InvalidInput) as caught:
        store.put_stream(BytesIO(b"12345"), limit=4)
    assert caught.value.code == "bid.part_too_large"

    class BrokenOff:
        def read(self, _size: int) -> bytes:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.put_stream(cast("BinaryIO", BrokenOff()))
    assert list(store.walk()) == []


def test_changed_bytes_are_never_handed_out_as_whole_and_never_replaced(store: S3Store, bucket: Bucket) -> None:
    bucket.create(f"{DIGEST[:2]}/{DIGEST}", b"sealeD", TEXT)
    with pytest.raises(IntegrityFailure):
        store.get(DIGEST)
    with pytest.raises(IntegrityFailure):
        store.put(DATA)
    assert bucket.size(f"{DIGEST[:2]}/{DIGEST}") == len(DATA)  # evidence


def test_bytes_that_change_on_the_way_leave_nothing(s3: S3Server, tmp_path: Path) -> None:
    def flip(call: Call) -> None:
        call.body = b"sealeD" if call.method == "PUT" else call.body  # this server does not check the signature

    with over(s3, Way(before=flip), tmp_path) as (store, direct):
        with pytest.raises(IntegrityFailure):
            store.put(DATA)
        assert list(direct.names()) == []


def nth(number: int, **fate: object) -> Callable[[Call], None]:
    """Return what befalls the request of this number alone."""

    def before(call: Call) -> None:
        if call.number == number:
            for name, value in fate.items():
                setattr(call, name, value)

    return before


LOST: dict[str, object] = {"is_lost": True}
UNANSWERED: dict[str, object] = {"is_unanswered": True}
BUSY: dict[str, object] = {"status": HTTPStatus.SERVICE_UNAVAILABLE}
FORBIDDEN: dict[str, object] = {"status": HTTPStatus.FORBIDDEN}


@pytest.mark.parametrize(
    ("fate", "large"),
    [(LOST, False), (UNANSWERED, False), (BUSY, False), (FORBIDDEN, False), (UNANSWERED, True)],
)
def test_a_failure_at_any_request_leaves_the_whole_object_or_none(
    s3: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fate: dict[str, object],
    *,
    large: bool,
) -> None:
    monkeypatch.setattr(buckets, "PART", 4 if large else 1024)
    clean = Way()
    with over(s3, clean, tmp_path) as (store, _):
        store.put(DATA)
    assert len(clean.calls) == (5 if large else 2)  # begin, two parts, end, or one; and read back
    for number in range(1, len(clean.calls) + 1):
        with over(s3, Way(before=nth(number, **fate)), tmp_path) as (store, direct):
            with pytest.raises(StoreAway) as caught:
                store.put(DATA)
            assert SECRET not in str(caught.value)
            assert KEY not in str(caught.value)
            whole = S3Store(direct, tmp_path / "spool")
            assert all(whole.get(digest) == DATA for digest in whole.walk())
            assert store.put(DATA) == DIGEST  # once more, as clients do
            assert list(whole.walk()) == [DIGEST]
    assert list((tmp_path / "spool").iterdir()) == []


def test_one_failure_is_repeated_by_the_library(s3: S3Server, tmp_path: Path) -> None:
    with over(s3, Way(before=nth(1, is_unanswered=True)), tmp_path, attempts=2) as (store, direct):
        assert store.put(DATA) == DIGEST  # the second attempt finds it there
        assert list(direct.names()) == [f"{DIGEST[:2]}/{DIGEST}"]


def test_a_service_that_is_away_is_told_as_such(tmp_path: Path) -> None:
    away = S3Store(Bucket(place_at("http://127.0.0.1:9"), attempts=1), tmp_path / "spool")
    for ask in (lambda: away.put(DATA), lambda: away.get(DIGEST), lambda: away.stat(DIGEST), lambda: list(away.walk())):
        with pytest.raises(StoreAway) as caught:
            ask()
        with Flask(__name__).test_request_context("/"):
            assert problem_of(caught.value).status is HTTPStatus.SERVICE_UNAVAILABLE


def test_versions_are_replaced_in_turn(bucket: Bucket) -> None:
    assert bucket.create("note", b"1", TEXT)
    assert not bucket.create("note", b"x", TEXT)
    first = bucket.read("note")
    assert first is not None
    bucket.replace("note", b"2", TEXT, etag=first.etag)
    for name in ("note", "absent"):
        with pytest.raises(Conflict):
            bucket.replace(name, b"3", TEXT, etag=first.etag)
    second = bucket.read("note")
    assert second is not None
    assert (second.data, bucket.read("absent")) == (b"2", None)


def test_a_service_that_ignores_conditions_is_refused(s3: S3Server, tmp_path: Path) -> None:
    def ignore(call: Call) -> None:
        for name in ("If-None-Match", "If-Match"):
            call.headers.pop(name, None)

    S3Store(s3.bucket(), tmp_path / "spool").require_conditions()
    with over(s3, Way(before=ignore), tmp_path) as (store, _), pytest.raises(ConfigError, match="If-None-Match"):
        store.require_conditions()
    LocalStore(tmp_path / "objects").require_conditions()


def test_a_folder_is_a_store_of_its_own(store: S3Store) -> None:
    digest = store.folder("opened").put(DATA)
    assert list(store.walk()) == []
    assert store.stat(digest) is None
    assert store.folder("opened").get(digest) == DATA
    assert list(store.folder("opened").walk()) == [digest]


def test_clients_of_a_process_share_the_description_of_the_service() -> None:
    """A process with two buckets reads it once: a second copy takes 11 MB of every web worker."""
    models = [Bucket(place_at(f"http://127.0.0.1:{port}"))._client.meta.service_model for port in (8, 9)]
    assert models[0]._service_description is models[1]._service_description
