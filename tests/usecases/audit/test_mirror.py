"""The public log in a bucket: whole at every moment, whatever fails, and found out when it is not (ADR 0046)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from urllib.request import urlopen

import pytest
from typing_extensions import override

from agents.monitor import Monitor, Rewritten
from tests.support.buckets import Call, S3Server, Way
from tests.support.logs import FAST, LogWorld
from tests.support.mirrors import ORIGIN, SIGNER, PublicLog, whole_size
from trading.audit.files import HELD_BACK_MS
from trading.audit.mirrored import PROBE, Shown
from trading.audit.mirroring import NOTE, TILE, Mirror, follow
from trading.audit.rules.cover import Rate
from trading.audit.rules.note import Checkpoint
from trading.audit.rules.tiles import TiledNodes
from trading.config import ConfigError
from trading.kernel.errors import Conflict, IntegrityFailure
from trading.storage.bucket import Bucket
from trading.storage.tiles import CHECKPOINT

SMALL, LARGE = 250, 530  # a partial tile becomes full, and a full one and another partial one follow


@pytest.fixture
def log(tmp_path: Path) -> PublicLog:
    made = PublicLog(tmp_path / "tiles")
    made.grow(SMALL)
    return made


def test_everybody_reads_the_log_from_the_bucket(log: PublicLog, s3: S3Server, tmp_path: Path) -> None:
    prefix = s3.prefix()
    bucket, url = s3.bucket(prefix), s3.url(prefix)
    mirror = log.mirror(bucket)
    mirror.begin()
    assert mirror.publish() == whole_size(url) == SMALL
    monitor = Monitor(url, SIGNER.key, tmp_path / "reader")
    assert monitor.look().before is None
    log.grow(LARGE)
    assert mirror.publish() == whole_size(url) == LARGE
    assert monitor.look().before == SMALL
    assert set(bucket.names()) == {
        *(CHECKPOINT, PROBE),
        *("tile/0/000", "tile/0/001", "tile/0/002.p/18", "tile/1/000.p/2"),  # and no bundle: those are younger
    }
    for path, kind in ((CHECKPOINT, NOTE), ("tile/0/000", TILE)):
        with urlopen(f"{url}/{path}", timeout=10) as answer:  # noqa: S310 - our own server
            assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (kind.media, kind.cache)


def test_what_has_not_changed_costs_no_request(log: PublicLog, s3: S3Server) -> None:
    with s3.on(Way()) as way:
        mirror = log.mirror(s3.bucket(by_detour=True))
        mirror.publish()
        before = len(way.calls)
        assert mirror.publish() == SMALL
        assert len(way.calls) == before > 0


def test_bundles_follow_after_thirty_days_and_only_below_the_public_head(log: PublicLog, s3: S3Server) -> None:
    bucket = s3.bucket()
    log.grow(LARGE)
    now_s = os.stat(log.root / "tile/entries/001").st_mtime  # noqa: PTH116 - the moment of its writing
    ages = {"tile/entries/000": HELD_BACK_MS / 1000 + 1, "tile/entries/001": HELD_BACK_MS / 1000 - 60}
    for path, age in ages.items():
        os.utime(log.root / path, (now_s - age, now_s - age))
    log.mirror(bucket).publish()
    assert [name for name in bucket.names() if "entries" in name] == ["tile/entries/000"]
    os.utime(log.root / "tile/entries/001", (0, 0))
    partial = next((log.root / "tile/entries/002.p").iterdir())
    os.utime(partial, (0, 0))
    log.mirror(bucket).publish()  # a new process goes on where the one before ended
    assert [name for name in bucket.names() if "entries" in name] == ["tile/entries/000", "tile/entries/001"]
    found = bucket.read("tile/entries/001")
    assert found is not None
    assert found.data == log.tiles.read("tile/entries/001")
    log.tiles.write("tile/entries/000", b"\0\1x")
    os.utime(log.root / "tile/entries/000", (0, 0))
    with pytest.raises(IntegrityFailure, match="does not hash"):
        log.mirror(s3.bucket()).publish()


class Hasty(Mirror):
    """The control: it shows a checkpoint and brings the tiles afterwards."""

    @override
    def _copy_tiles(self, nodes: TiledNodes, old: int) -> None:
        note = self._public.read(CHECKPOINT)
        shown = self._bucket.read(CHECKPOINT)
        assert note is not None
        assert shown is not None
        self._bucket.replace(CHECKPOINT, note, NOTE, etag=shown.etag)
        super()._copy_tiles(nodes, old)

    @override
    def _show(self, note: bytes, shown: Shown | None) -> None:
        """It stands there already."""


def seen_after_every_request(log: PublicLog, s3: S3Server, made: Callable[[Bucket], Mirror]) -> list[int]:
    """Return the sizes that a reader saw after each request of a mirror from SMALL to LARGE."""
    prefix, sizes, faults = s3.prefix(), list[int](), list[AssertionError]()

    def look(_call: Call) -> None:
        try:
            sizes.append(whole_size(s3.url(prefix)))
        except AssertionError as fault:
            faults.append(fault)

    log.mirror(s3.bucket(prefix)).publish()
    log.grow(LARGE)
    with s3.on(Way(after=look)):
        made(s3.bucket(prefix, by_detour=True)).publish()
    if faults:
        raise faults[0]
    return sizes


def test_a_checkpoint_comes_after_its_tiles(log: PublicLog, s3: S3Server) -> None:
    sizes = seen_after_every_request(log, s3, log.mirror)
    assert sizes == [SMALL] * (len(sizes) - 3) + [LARGE] * 3  # it is replaced, read back; bundles are asked for


def test_a_checkpoint_before_its_tiles_is_found(log: PublicLog, s3: S3Server) -> None:
    with pytest.raises(AssertionError, match="is missing"):
        seen_after_every_request(log, s3, lambda bucket: Hasty(log.root, bucket, ORIGIN, [SIGNER.key]))


def test_a_bucket_with_another_or_a_longer_log_is_left_alone(log: PublicLog, s3: S3Server, tmp_path: Path) -> None:
    other = PublicLog(tmp_path / "other", salt=b"other")
    other.grow(SMALL - 1)
    cases = [(other, "another history"), (PublicLog(tmp_path / "longer"), "set back"), (None, "no note of this log")]
    for case, what in cases:
        bucket = s3.bucket()
        if case is None:
            bucket.create(CHECKPOINT, b"nothing\n", NOTE)
        else:
            if not case.tree.size:
                case.grow(LARGE)
            case.mirror(bucket).publish()
        before = {name: bucket.read(name) for name in bucket.names()}
        with pytest.raises(IntegrityFailure, match=what):
            log.mirror(bucket).publish()
        assert {name: bucket.read(name) for name in bucket.names()} == before


def test_what_does_not_lead_to_the_root_is_not_copied(log: PublicLog, s3: S3Server) -> None:
    log.grow(LARGE)
    for path in ("tile/0/000", "tile/0/002.p/18", "tile/1/000.p/2"):
        data = log.public.read(path)
        assert data is not None
        log.public.write(path, bytes([data[0] ^ 1]) + data[1:])
        bucket = s3.bucket()
        with pytest.raises(IntegrityFailure, match="root"):
            log.mirror(bucket).publish()
        assert "tile/0/000" not in set(bucket.names()) or path != "tile/0/000"
        assert bucket.read(CHECKPOINT) is None
        log.public.write(path, data)


def test_a_tile_that_stands_there_with_other_bytes_stops_the_mirror(log: PublicLog, s3: S3Server) -> None:
    bucket = s3.bucket()
    bucket.create("tile/0/000.p/250", b"x" * 32 * SMALL, TILE)
    with pytest.raises(IntegrityFailure, match="other bytes"):
        log.mirror(bucket).publish()
    assert bucket.read(CHECKPOINT) is None


def test_two_mirrors_do_not_undo_each_other(log: PublicLog, s3: S3Server, tmp_path: Path) -> None:
    """The slower one has read the old checkpoint and copied its tiles; the faster one is two heads ahead by then."""
    prefix = s3.prefix()
    log.mirror(s3.bucket(prefix)).publish()
    slow = PublicLog(tmp_path / "slow")
    slow.grow(SMALL)
    slow.grow(300)
    log.grow(LARGE)

    def overtake(call: Call) -> None:
        if call.method == "PUT" and call.path.endswith(CHECKPOINT):
            log.mirror(s3.bucket(prefix)).publish()

    with s3.on(Way(before=overtake)), pytest.raises(Conflict):
        slow.mirror(s3.bucket(prefix, by_detour=True)).publish()
    assert whole_size(s3.url(prefix)) == LARGE


@pytest.mark.parametrize("header", ["If-None-Match", "If-Match"])
def test_a_service_that_ignores_conditions_is_refused(log: PublicLog, s3: S3Server, header: str) -> None:
    def forget(call: Call) -> None:
        call.headers.pop(header, None)

    with s3.on(Way(before=forget)):
        mirror = log.mirror(s3.bucket(by_detour=True))
        with pytest.raises(ConfigError, match=header):
            follow(mirror, Event())


def test_a_mirror_waits_while_the_service_is_away(
    log: PublicLog, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, waits = Event(), list[float | None]()
    prefix = s3.prefix()

    def wait(timeout: float | None = None) -> bool:
        waits.append(timeout)
        if len(waits) == 5:
            stopped.set()
        return True

    monkeypatch.setattr(stopped, "wait", wait)
    with s3.on(Way(before=lambda call: setattr(call, "is_lost", call.number <= 3))):
        follow(log.mirror(s3.bucket(prefix, by_detour=True)), stopped)
    assert waits == [2.0, 4.0, 8.0, 1.0, 1.0]
    assert whole_size(s3.url(prefix)) == SMALL


def test_a_reader_notices_a_bucket_that_was_rewritten(log: PublicLog, s3: S3Server, tmp_path: Path) -> None:
    prefix = s3.prefix()
    log.mirror(s3.bucket(prefix)).publish()
    monitor = Monitor(s3.url(prefix), SIGNER.key, tmp_path / "reader")
    monitor.look()
    for name in list(s3.bucket(prefix).names()):
        s3.bucket(prefix).remove(name)
    other = PublicLog(tmp_path / "other", salt=b"other")
    other.grow(LARGE)
    other.mirror(s3.bucket(prefix)).publish()
    with pytest.raises(Rewritten):
        monitor.look()


QUANTUM, WINDOW_S = 300, 10.0


@pytest.fixture
def mirrored(world: LogWorld, s3: S3Server) -> str:
    """A log of 600 public entries in its database, and the folder of the bucket that shows them."""
    prefix, now = s3.prefix(), [0.0]
    options = replace(FAST, cover=Rate(quantum=QUANTUM, window_s=WINDOW_S))
    with world.sequencer(options=options, monotonic=lambda: now[0]) as sequencer:
        sequencer.start()
        mirror = Mirror(world.log_dir / "tiles", s3.bucket(prefix), ORIGIN, [SIGNER.key])
        for _ in range(2):
            now[0] += WINDOW_S
            sequencer.step()
            now[0] += 1.0
            sequencer.step()
            now[0] -= 1.0
            mirror.publish()
        os.utime(world.log_dir / "tiles/tile/entries/000", (0, 0))
    assert mirror.publish() == whole_size(s3.url(prefix)) == 2 * QUANTUM
    return prefix


Harm = Callable[[Bucket], object]


def flipped(name: str) -> Harm:
    """Return what flips a bit of an object."""

    def harm(bucket: Bucket) -> None:
        found = bucket.read(name)
        assert found is not None
        bucket.replace(name, bytes([found.data[0] ^ 1]) + found.data[1:], TILE, etag=found.etag)

    return harm


def added(name: str, data: bytes = b"x") -> Harm:
    """Return what puts an object there that nobody should find."""
    return lambda bucket: bucket.create(name, data, TILE)


def taken(name: str) -> Harm:
    """Return what removes an object."""
    return lambda bucket: bucket.remove(name)


def forged(bucket: Bucket) -> None:
    """Show a checkpoint of the log's own key over entries that were never logged."""
    found = bucket.read(CHECKPOINT)
    assert found is not None
    note = SIGNER.sign(Checkpoint(origin=ORIGIN, size=QUANTUM, root=bytes(32))).note.encode()
    bucket.replace(CHECKPOINT, note, NOTE, etag=found.etag)


HARMS: list[
    dict[str, tuple[Harm, str]]
] = [  # what is done to one copy of the bucket: by place, and what is found there
    {
        **{name: (flipped(name), "not what") for name in ("tile/0/000", "tile/0/002.p/88", "tile/entries/000")},
        "tile/0/001": (taken("tile/0/001"), "missing"),
        "tile/0/002.p/7": (added("tile/0/002.p/7", b"x" * 7 * 32), "not what"),
        "tile/0/009": (added("tile/0/009"), "does not have"),
        "tile/entries/002.p/88": (added("tile/entries/002.p/88"), "may not"),
        "index.html": (added("index.html"), "not a file"),
    },
    {
        "tile/0/002.p/88": (taken("tile/0/002.p/88"), "missing"),
        "tile/1/000.p/2": (flipped("tile/1/000.p/2"), "not what"),
    },
    {CHECKPOINT: (flipped(CHECKPOINT), "no note")},
    {CHECKPOINT: (forged, "the root of size 300")},
    {"tile/entries/002": (added("tile/entries/002"), "may not")},
]


def copied(s3: S3Server, prefix: str) -> str:
    """Return another folder with the same objects."""
    copy = s3.prefix()
    for name in s3.bucket(prefix).names():
        found = s3.bucket(prefix).read(name)
        assert found is not None
        s3.bucket(copy).create(name, found.data, TILE)
    return copy


def test_fsck_compares_the_bucket_with_the_log(world: LogWorld, mirrored: str, s3: S3Server) -> None:
    report = world.fsck(bucket=s3.bucket(mirrored))
    assert (report.findings, report.exit_code) == ([], 0)
    assert report.counts["mirrored"] == len(list(s3.bucket(mirrored).names())) - 1 == 6  # all but the checkpoint
    assert "mirrored" not in world.fsck().counts
    for harms in HARMS:
        prefix = copied(s3, mirrored)
        for harm, _ in harms.values():
            harm(s3.bucket(prefix))
        findings = world.fsck(bucket=s3.bucket(prefix)).findings
        assert {each.check for each in findings} == {"mirror"}
        told = {each.place.removeprefix(f"s3://mingbiao/{prefix}"): each.detail for each in findings}
        assert {place: what in told.get(place, "") for place, (_, what) in harms.items()} == dict.fromkeys(harms, True)
    with s3.on(Way(before=lambda call: setattr(call, "is_lost", call.number > 3))):
        report = world.fsck(bucket=s3.bucket(mirrored, by_detour=True))
    assert (report.findings, report.exit_code, [each.check for each in report.unchecked]) == ([], 2, ["mirror"])
    empty = world.fsck(bucket=s3.bucket())
    assert (empty.findings, empty.exit_code) == ([], 2)
    assert "shows no checkpoint" in empty.unchecked[0].place
