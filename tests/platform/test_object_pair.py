"""Two stores with the same objects: what one lacks or has wrong comes from the other (SB1 S7.4, S16)."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.buckets import Call, S3Server, Way
from trading.audit.model import Report
from trading.commands.objects import ON_ITS_WAY_MS, PairCheck, check_objects
from trading.kernel.errors import IntegrityFailure, InvalidInput, NotFound
from trading.storage.local import LocalStore
from trading.storage.objects import CHUNK, ObjectStore, OneStore, StoreAway
from trading.storage.pair import PairedStore, copy_object, differing
from trading.storage.s3 import S3Store

SMALL = b"sealed"
LARGE = bytes(range(256)) * (CHUNK // 256 * 3 + 1)
DIGEST = {data: sha256(data).hexdigest() for data in (b"", SMALL, LARGE)}
LATER = ON_ITS_WAY_MS + 1_000


class Rig:
    """Two stores, the first a directory and the second a directory or a bucket, and ways to spoil what lies there."""

    def __init__(self, root: Path, s3: S3Server | None) -> None:
        self.root, self.bucket = root, None if s3 is None else s3.bucket()
        self.first = LocalStore(root / "first")
        self.second: OneStore = LocalStore(root / "second")
        if self.bucket is not None:
            self.second = S3Store(self.bucket, root / "spool")
        self.pair = PairedStore(first=self.first, second=self.second)

    def both(self, data: bytes) -> str:
        digest = self.pair.put(data)
        copy_object(self.first, self.second, digest)
        return digest

    def lose(self, store: OneStore, digest: str) -> None:
        if store is self.second and self.bucket is not None:
            self.bucket.remove(f"{digest[:2]}/{digest}")
        else:
            self._path(store, digest).unlink()

    def spoil(self, store: OneStore, digest: str, at: int = 0) -> None:
        data = bytearray(store.get(digest))
        data[at] ^= 1
        self.replace(store, digest, bytes(data))

    def replace(self, store: OneStore, digest: str, data: bytes) -> None:
        if store is self.second and self.bucket is not None:
            client: Any = self.bucket._client
            client.put_object(**self.bucket._at(f"{digest[:2]}/{digest}"), Body=data, ContentType="binary/octet-stream")
        else:
            self._path(store, digest).write_bytes(data)

    def _path(self, store: OneStore, digest: str) -> Path:
        return self.root / ("first" if store is self.first else "second") / digest[:2] / digest

    def check(self, *, repair: bool = False, after_ms: int = LATER, wanted: tuple[str, ...] = ()) -> Report:
        report, now = Report(), time.time_ns() // 1_000_000
        PairCheck(report, self.pair, now=now + after_ms, repair=repair).run(wanted)
        return report

    def found(self, **options: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - those of ``check``
        return [(each.place.replace(" store", ""), each.detail) for each in self.check(**options).findings]


@pytest.fixture(params=["directory", "bucket"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return Rig(tmp_path, request.getfixturevalue("s3") if request.param == "bucket" else None)


@contextmanager
def told(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The log says that a store could not give something, once, and names nothing."""
    caplog.clear()
    with caplog.at_level(logging.WARNING, "mingbiao.storage"):
        yield
    assert len(caplog.records) == 1
    assert not any(digest in caplog.text for digest in DIGEST.values())


@pytest.mark.parametrize("data", list(DIGEST), ids=["empty", "small", "large"])
def test_what_one_store_lacks_comes_from_the_other(rig: Rig, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    digest = rig.both(data)
    assert rig.second.get(digest) == data
    for store in (rig.first, rig.second):
        rig.lose(store, digest)
        if store is rig.second:
            copy_object(rig.first, store, digest)
            continue
        with told(caplog):
            assert rig.pair.get(digest) == data
        assert b"".join(rig.pair.chunks(digest)) == data
        assert rig.pair.stat(digest) == len(data)
        copy_object(rig.second, store, digest)
    assert rig.found() == []


def test_a_flipped_byte_in_the_first_store_reaches_nobody(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    digest = rig.both(SMALL)
    rig.spoil(rig.first, digest)
    for read in (rig.pair.get, lambda name: b"".join(rig.pair.chunks(name))):
        with told(caplog):
            assert read(digest) == SMALL
    assert rig.found() == [(f"first {digest}", "has other bytes than its name says")]


@pytest.mark.parametrize(
    ("change", "is_noticed_too_late"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), False),  # in the last chunk, which nobody has had
        (lambda data: data[: CHUNK + 5], False),  # cut off
        (lambda data: bytes([data[0] ^ 1]) + data[1:], True),
        (lambda data: data + data, True),
    ],
    ids=["last byte", "cut off", "first byte", "longer"],
)
def test_a_large_object_goes_on_from_the_other_store_unless_wrong_bytes_are_out(
    rig: Rig, change: Callable[[bytes], bytes], *, is_noticed_too_late: bool
) -> None:
    digest = rig.both(LARGE)
    rig.replace(rig.first, digest, change(LARGE))
    assert rig.pair.get(digest) == LARGE
    if is_noticed_too_late:
        with pytest.raises(IntegrityFailure):
            b"".join(rig.pair.chunks(digest))
    assert b"".join(rig.pair.chunks(digest)) == LARGE


def test_both_broken_is_an_error_and_never_bytes(rig: Rig) -> None:
    digest = rig.both(SMALL)
    rig.spoil(rig.first, digest)
    rig.spoil(rig.second, digest, 1)
    for _ in range(2):
        with pytest.raises(IntegrityFailure):
            rig.pair.get(digest)
        with pytest.raises(IntegrityFailure):
            list(rig.pair.chunks(digest))
    rig.lose(rig.first, digest)
    with pytest.raises(IntegrityFailure):
        rig.pair.get(digest)
    rig.lose(rig.second, digest)
    with pytest.raises(NotFound):
        rig.pair.get(digest)
    assert rig.pair.stat(digest) is None


def test_control_a_pair_that_trusts_the_first_store_hands_out_wrong_bytes(rig: Rig) -> None:
    """What the tests above notice: a reader that does not hash, and one that does not ask the other store."""
    digest = rig.both(SMALL)
    rig.spoil(rig.first, digest)
    path = rig.root / "first" / digest[:2] / digest
    assert path.read_bytes() != SMALL
    with pytest.raises(IntegrityFailure):
        rig.first.get(digest)
    rig.lose(rig.first, digest)
    with pytest.raises(NotFound):
        rig.first.get(digest)


def test_a_store_that_is_away_is_no_missing_object(s3: S3Server, tmp_path: Path) -> None:
    """Only what both stores say is missing is missing: a part that is there must not be asked for again."""
    prefix = s3.prefix()

    def lose(call: Call) -> None:
        call.is_lost = True

    with s3.on(Way(before=lose)):
        away = S3Store(s3.bucket(prefix, by_detour=True), tmp_path / "spool")
        there = LocalStore(tmp_path / "there")
        digest = there.put(SMALL)
        for pair in (PairedStore(first=there, second=away), PairedStore(first=away, second=there)):
            assert pair.get(digest) == SMALL
            assert pair.stat(digest) == len(SMALL)
            for ask in (pair.get, pair.stat, lambda name, each=pair: list(each.chunks(name))):
                with pytest.raises(StoreAway):
                    ask("0" * 64)
        with pytest.raises(StoreAway):
            PairedStore(first=away, second=there).put(SMALL)
        assert PairedStore(first=there, second=away).put(LARGE) == DIGEST[LARGE], "a copy keeps nobody from bidding"


def test_the_names_in_both_stores_are_compared(rig: Rig) -> None:
    rig.both(SMALL)
    assert differing(rig.pair) == ([], [])
    first, second = rig.first.put(b"1"), rig.second.put(b"2")
    assert differing(rig.pair) == ([first], [second])
    assert sorted(rig.pair.walk()) == sorted([first, second, DIGEST[SMALL]])


def test_a_copy_is_read_before_it_is_believed(rig: Rig) -> None:
    digest = rig.both(SMALL)
    rig.spoil(rig.second, digest)
    with pytest.raises(IntegrityFailure):
        copy_object(rig.first, rig.second, digest)
    rig.lose(rig.second, digest)
    rig.spoil(rig.first, digest)
    with pytest.raises((IntegrityFailure, InvalidInput)):
        copy_object(rig.first, rig.second, digest)
    assert rig.second.stat(digest) is None, "wrong bytes are never copied"


def test_fsck_names_what_is_wrong_in_which_store_and_repairs_when_it_is_asked_to(rig: Rig) -> None:
    names = [rig.both(bytes([number])) for number in range(6)]
    rig.lose(rig.first, names[0])
    rig.lose(rig.second, names[1])
    rig.spoil(rig.first, names[2])
    rig.spoil(rig.second, names[3])
    rig.spoil(rig.first, names[4])
    rig.lose(rig.second, names[4])
    gone = "f" * 64
    wrong, missing = "has other bytes than its name says", "is missing"
    expected = [
        (f"first {names[0]}", missing),
        (f"second {names[1]}", missing),
        (f"first {names[2]}", wrong),
        (f"second {names[3]}", wrong),
        (f"first {names[4]}", wrong),
        (f"second {names[4]}", missing),
        (f"first {gone}", missing),
        (f"second {gone}", missing),
    ]
    report = rig.check(wanted=(gone,))
    assert report.exit_code == 1
    assert sorted(rig.found(wanted=(gone,))) == sorted(expected), "looking changes nothing"
    assert sorted(rig.found(wanted=(gone,), repair=True)) == sorted(expected)
    assert sorted(rig.found()) == sorted([(f"first {names[4]}", wrong), (f"second {names[4]}", missing)])
    assert [rig.pair.first.get(name) for name in names[:4]] == [bytes([number]) for number in range(4)]
    assert len(list((rig.root / "first" / "aside").iterdir())) == 1, "wrong bytes are evidence"
    if rig.bucket is not None:
        assert len(list(rig.bucket.names("aside/"))) == 1


def test_fsck_waits_for_a_copy_that_can_still_be_on_its_way(rig: Rig) -> None:
    digest = rig.first.put(SMALL)
    early, late = rig.check(after_ms=0), rig.check()
    assert (early.exit_code, early.counts) == (0, {"objects on their way to the second store": 1})
    assert [each.place for each in late.findings] == [f"second store {digest}"]
    rig.lose(rig.first, digest)
    other = rig.second.put(b"never first")
    assert rig.found(after_ms=0) == [(f"first {other}", "is missing")], "nothing is on its way to the first store"


def test_fsck_of_one_store_names_what_must_be_there(tmp_path: Path) -> None:
    store: ObjectStore = LocalStore(tmp_path / "objects")
    good, report = store.put(SMALL), Report()
    check_objects(report, store, [good, "0" * 64])
    assert [(each.place, each.detail) for each in report.findings] == [("0" * 64, "is missing")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_fsck_says_what_it_could_not_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path, None)
    digest = rig.both(SMALL)
    path = rig._path(rig.first, digest)
    path.chmod(0)
    with suppress(PermissionError):
        assert rig.check().exit_code == 2
