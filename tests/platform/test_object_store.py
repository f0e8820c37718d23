"""Objects under their digests: create-only, hashed on the way in and on the way out (architecture 9)."""

from __future__ import annotations

import fcntl
import hashlib
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from typing_extensions import override

from trading.kernel.errors import IntegrityFailure, InvalidInput, NotFound
from trading.storage.local import LocalStore
from trading.storage.objects import ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return LocalStore(tmp_path / "objects")


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [0, 1, 3 * 1024 * 1024 + 5])
def test_what_was_put_comes_back(store: ObjectStore, size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    digest = hashlib.sha256(data).hexdigest()
    assert store.put_stream(BytesIO(data)) == (digest, size)
    assert store.get(digest) == data
    assert store.stat(digest) == size
    assert list(store.walk()) == [digest]


def test_putting_twice_changes_nothing(store: ObjectStore, tmp_path: Path) -> None:
    digest = store.put(b"sealed")
    before = [(path, path.stat().st_ino) for path in files(tmp_path)]
    assert store.put(b"sealed") == digest
    assert [(path, path.stat().st_ino) for path in files(tmp_path)] == before


def test_absent_objects(store: ObjectStore) -> None:
    digest = hashlib.sha256(b"never stored").hexdigest()
    assert store.stat(digest) is None
    with pytest.raises(NotFound):
        store.get(digest)
    for name in ("../" * 21 + "x", digest.upper(), digest[:-1], ""):
        with pytest.raises(ValueError, match="64 characters"):
            store.stat(name)


def test_changed_bytes_are_never_handed_out_as_whole(store: ObjectStore, tmp_path: Path) -> None:
    digest = store.put(b"sealed")
    files(tmp_path)[0].write_bytes(b"sealeD")
    with pytest.raises(IntegrityFailure):
        store.get(digest)


def test_too_large_leaves_nothing(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        store.put_stream(BytesIO(b"12345"), limit=4)
    assert caught.value.code == "bid.part_too_large"
    assert files(tmp_path) == []
    assert store.put_stream(BytesIO(b"1234"), limit=4)[1] == 4


class BrokenOff(BytesIO):
    """A sender whose connection breaks in the middle."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise ConnectionResetError
        return super().read(3)


def test_an_upload_that_breaks_off_leaves_nothing(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError):
        store.put_stream(cast("BinaryIO", BrokenOff(b"123456")))
    assert files(tmp_path) == []


def test_what_dead_writers_left_is_removed_and_what_others_write_is_not(tmp_path: Path) -> None:
    incoming = tmp_path / "objects" / "incoming"
    store = LocalStore(tmp_path / "objects")
    (incoming / "left").write_bytes(b"half")
    seen = []

    class Slow(BytesIO):
        @override
        def read(self, size: int | None = -1, /) -> bytes:
            LocalStore(tmp_path / "objects")  # another process begins meanwhile
            seen.append(len(list(incoming.iterdir())))
            return super().read(size)

    digest, _ = store.put_stream(Slow(b"sealed"))
    assert seen == [1, 1]
    assert store.get(digest) == b"sealed"
    assert list(incoming.iterdir()) == []


def test_a_new_file_that_was_taken_for_one_that_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process begins after the file was made and before it is held."""
    store = LocalStore(tmp_path / "objects")
    flock = fcntl.flock
    taken: list[str] = []

    def late(file: BinaryIO, operation: int) -> None:
        if not taken and operation == fcntl.LOCK_EX:
            taken.append(file.name)
            LocalStore(tmp_path / "objects")
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    assert store.get(store.put(b"sealed")) == b"sealed"
    assert not Path(taken[0]).exists()
