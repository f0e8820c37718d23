"""``fsck`` reads the bucket that shows the public log: what is not of the log there is found (AL1 L11.1, ADR 0046)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.buckets import S3Server, Way
from tests.support.logs import FAST, LogWorld
from tests.support.mirrors import ORIGIN, SIGNER, whole_size
from trading.audit.mirroring import NOTE, TILE, Mirror
from trading.audit.rules.cover import Rate
from trading.audit.rules.note import Checkpoint
from trading.storage.bucket import Bucket
from trading.storage.tiles import CHECKPOINT

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


HARMS: list[tuple[str, Harm, str]] = [
    *((name, flipped(name), "not what") for name in ("tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2")),
    ("tile/entries/000", flipped("tile/entries/000"), "not what"),
    (CHECKPOINT, flipped(CHECKPOINT), "no note"),
    (CHECKPOINT, forged, "the root of size 300"),
    *((name, taken(name), "missing") for name in ("tile/0/001", "tile/0/002.p/88")),
    ("tile/0/002.p/7", added("tile/0/002.p/7", b"x" * 7 * 32), "not what"),
    ("tile/0/009", added("tile/0/009"), "does not have"),
    *((name, added(name), "may not") for name in ("tile/entries/002.p/88", "tile/entries/002")),
    ("index.html", added("index.html"), "not a file"),
]


def test_fsck_compares_the_bucket_with_the_log(world: LogWorld, mirrored: str, s3: S3Server) -> None:
    report = world.fsck(bucket=s3.bucket(mirrored))
    assert (report.findings, report.exit_code) == ([], 0)
    names = list(s3.bucket(mirrored).names())
    assert report.counts["mirrored"] == len(names) - 1 == 6  # all but the checkpoint
    assert "mirrored" not in world.fsck().counts
    for place, harm, what in HARMS:
        prefix = s3.prefix()
        for name in names:
            found = s3.bucket(mirrored).read(name)
            assert found is not None
            s3.bucket(prefix).create(name, found.data, TILE)
        harm(s3.bucket(prefix))
        findings = world.fsck(bucket=s3.bucket(prefix)).findings
        assert {each.check for each in findings} == {"mirror"}
        told = {each.place.removeprefix(f"s3://mingbiao/{prefix}"): each.detail for each in findings}
        assert what in told[place]


def test_fsck_says_what_it_could_not_compare(world: LogWorld, mirrored: str, s3: S3Server) -> None:
    with s3.on(Way(before=lambda call: setattr(call, "is_lost", call.number > 3))):
        report = world.fsck(bucket=s3.bucket(mirrored, by_detour=True))
    assert (report.findings, report.exit_code) == ([], 2)
    assert [each.check for each in report.unchecked] == ["mirror"]
    empty = world.fsck(bucket=s3.bucket())
    assert (empty.findings, empty.exit_code) == ([], 2)
    assert "shows no checkpoint" in empty.unchecked[0].place
