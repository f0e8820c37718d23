"""Pieces of parts on their way, in a directory and in a bucket: durable, apart from each other, and gone when told."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from tests.support.buckets import Call, S3Server, Way
from trading.kernel.errors import InvalidInput, NotFound
from trading.storage import bucket as buckets
from trading.storage import pieces as module
from trading.storage.local import LocalStore
from trading.storage.objects import CHUNK, ObjectStore, StoreAway
from trading.storage.s3 import S3Store
from trading.storage.streams import expecting, joined


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "directory":
        return LocalStore(tmp_path / "objects")
    s3: S3Server = request.getfixturevalue("s3")
    return S3Store(s3.bucket(), tmp_path / "spool")


class BrokenOff:
    def read(self, _size: int) -> bytes:
        raise ConnectionResetError


def test_pieces_come_back_in_the_order_that_is_asked_for(store: ObjectStore) -> None:
    large = bytes(CHUNK) + b"x"
    named = [store.pieces.put("u1", BytesIO(data)) for data in (b"one", large, b"two")]
    assert [size for _, size in named] == [3, CHUNK + 1, 3]
    names = [name for name, _ in named]
    assert len(set(names)) == 3
    assert b"".join(store.pieces.chunks("u1", reversed(names))) == b"two" + large + b"one"
    assert max(map(len, store.pieces.chunks("u1", names))) <= CHUNK
    assert list(store.walk()) == [], "no piece is an object"


def test_a_part_of_pieces_is_the_same_object(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "PART", 4)  # in a bucket a multipart upload
    data = b"sealed in pieces"
    digest = hashlib.sha256(data).hexdigest()
    names = [store.pieces.put("u1", BytesIO(data[at : at + 5]))[0] for at in range(0, len(data), 5)]

    def whole() -> BinaryIO:
        return joined(store.pieces.chunks("u1", names))

    with pytest.raises(InvalidInput, match="part_mismatch"):
        store.put_stream(expecting(whole(), "0" * 64))
    assert list(store.walk()) == []
    assert store.put_stream(expecting(whole(), digest)) == (digest, len(data)) == store.put_stream(BytesIO(data))
    assert store.get(digest) == data


def test_what_is_thrown_away_is_gone_and_nothing_else(store: ObjectStore) -> None:
    first, _ = store.pieces.put("u1", BytesIO(b"1"))
    second, _ = store.pieces.put("u1", BytesIO(b"2"))
    store.pieces.put("u2", BytesIO(b"3"))
    assert set(store.pieces.uploads()) == {"u1", "u2"}
    store.pieces.drop("u1", first)
    store.pieces.drop("u1", first)
    with pytest.raises(NotFound):
        list(store.pieces.chunks("u1", [second, first]))
    assert b"".join(store.pieces.chunks("u1", [second])) == b"2"
    store.pieces.discard("u2")
    store.pieces.discard("u2")
    assert list(store.pieces.uploads()) == ["u1"]


def test_too_large_and_broken_off_leave_nothing(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_ONE", 4)
    monkeypatch.setattr("trading.storage.s3.MOST_OF_ONE", 4)
    assert store.pieces.put("u1", BytesIO(b"1234"))[1] == 4
    with pytest.raises(InvalidInput, match="part_too_large"):
        store.pieces.put("u2", BytesIO(b"12345"))
    with pytest.raises(ConnectionResetError):
        store.pieces.put("u2", cast("BinaryIO", BrokenOff()))
    store.pieces.discard("u2")
    assert list(store.pieces.uploads()) == ["u1"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "x" * 41, "x\n"])
def test_names_cannot_lead_elsewhere(store: ObjectStore, name: str) -> None:
    for act in (lambda: store.pieces.put(name, BytesIO(b"x")), lambda: store.pieces.discard(name)):
        with pytest.raises(ValueError, match="no name"):
            act()


def test_a_bucket_that_is_away_takes_no_piece(s3: S3Server, tmp_path: Path) -> None:
    """What was not answered may be there: nobody knows its name, so the sweep removes it."""

    def unanswered(call: Call) -> None:
        call.is_unanswered = True

    prefix = s3.prefix()
    with s3.on(Way(before=unanswered)):
        store = S3Store(s3.bucket(prefix, by_detour=True), tmp_path / "spool")
        with pytest.raises(StoreAway):
            store.pieces.put("u1", BytesIO(b"x"))
    direct = S3Store(s3.bucket(prefix), tmp_path / "spool")
    assert list(direct.pieces.uploads()) == ["u1"]
    direct.pieces.discard("u1")
    assert list(direct.pieces.uploads()) == []
    assert list((tmp_path / "spool").iterdir()) == []
