"""A large part on its way: what is told of it is true, and nothing that was confirmed is sent again (F23)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agents.bid import uploading
from agents.bid.platform import Platform as Client
from agents.bid.platform import Refused, Unreachable
from agents.bid.shown import upload_line
from agents.bid.uploading import ATTEMPTS, Progress, Sending, upload_part
from tests.build.bid_platform import BID, TOKEN, Drop, Platform, serving
from tests.build.sealed_lot import Lot
from trading.bids.rules.envelope import Part
from trading.bids.rules.fields import AGE
from trading.kernel.errors import InvalidInput

DATA = bytes(range(100))
CHUNK = 10


@dataclass
class Run:
    """One process of the client with a clock of its own: every chunk takes two seconds, every pause what it says."""

    client: Client
    path: Path
    seen: list[Progress] = field(default_factory=list)
    now_s: float = 0.0
    pauses: list[float] = field(default_factory=list)

    @property
    def part(self) -> Part:
        return Part(alg=AGE, name="main", sha256=hashlib.sha256(DATA).hexdigest(), size=len(DATA))

    def __call__(self) -> dict[str, Any]:
        def now() -> float:
            self.now_s += 2.0
            return self.now_s

        sending = Sending(report=self.seen.append, now=now, pause=self.pauses.append)
        return upload_part(self.client, BID, self.part, self.path, sending).body

    @property
    def confirmed(self) -> list[int]:
        return [each.confirmed for each in self.seen]


@pytest.fixture
def platform() -> Platform:
    return Platform(Lot())


@pytest.fixture
def run(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setattr(uploading, "CHUNK", CHUNK)
    path = tmp_path / "main.age"
    path.write_bytes(DATA)
    with serving(platform) as base:
        yield Run(Client(base, TOKEN, attempts=2, pause=lambda _seconds: None, timeout_s=10.0), path)


def test_progress_is_what_the_platform_has_confirmed(run: Run, platform: Platform) -> None:
    answer = run()
    assert answer["complete"]
    assert platform.parts[run.part.sha256] == DATA
    assert run.confirmed == list(range(0, 101, CHUNK))
    assert [each.rate for each in run.seen[:3]] == [None, 5.0, 5.0]
    assert [each.left_s for each in run.seen] == [None, *(20.0 - 2 * number for number in range(1, 11))]


def test_a_part_of_one_chunk_goes_in_one_request(run: Run, platform: Platform) -> None:
    run.path.write_bytes(DATA[:CHUNK])
    part = Part(alg=AGE, name="main", sha256=hashlib.sha256(DATA[:CHUNK]).hexdigest(), size=CHUNK)
    upload_part(run.client, BID, part, run.path, Sending())
    assert (platform.parts[part.sha256], platform.appended) == (DATA[:CHUNK], 0)


@pytest.mark.parametrize("is_answer", [False, True])
def test_a_cut_costs_at_most_one_chunk(run: Run, platform: Platform, *, is_answer: bool) -> None:
    """The request is lost, or the chunk has arrived and only its answer is lost."""
    cuts = iter([False, False, True, False, True])

    def cut(path: str) -> dict[str, Any] | None:
        if "/uploads/" not in path or not next(cuts, False):
            return None
        if is_answer:
            return {"status": 503, "code": "unavailable", "after": True}
        raise Drop

    platform.faults = cut
    run()
    assert platform.parts[run.part.sha256] == DATA
    assert platform.appended == len(DATA), "what arrived is not sent again"
    assert run.confirmed == sorted(run.confirmed)
    assert run.pauses == [1.0, 1.0], "after progress the pauses begin anew"


def test_another_process_goes_on_and_its_rate_is_its_own(run: Run, platform: Platform) -> None:
    platform.uploads[run.part.sha256] = bytearray(DATA[:70])
    run()
    assert run.confirmed == [70, 80, 90, 100]
    assert platform.appended == 30
    assert run.seen[1].rate == 5.0


def test_somebody_else_sends_the_same_part(run: Run, platform: Platform) -> None:
    """A second machine of the bidder: the one that finds the offset moved goes on from there."""
    others = iter([None, DATA[10:40]])

    def meanwhile(path: str) -> None:
        if "/uploads/" in path and (more := next(others, None)):
            platform.uploads[run.part.sha256] += more

    platform.faults = meanwhile
    run()
    assert platform.parts[run.part.sha256] == DATA
    assert run.confirmed == [0, 10, 40, *range(50, 101, CHUNK)]
    assert run.pauses == []


def test_without_progress_it_ends(run: Run, platform: Platform) -> None:
    platform.faults = lambda path: {"status": 503, "code": "unavailable"} if "/uploads/" in path else None
    with pytest.raises(Refused) as caught:
        run()
    assert caught.value.code == "unavailable"
    assert run.pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert len(run.pauses) == ATTEMPTS - 1


def test_a_platform_that_loses_what_it_confirmed_is_not_fed_for_ever(run: Run, platform: Platform) -> None:
    def forget(path: str) -> dict[str, Any] | None:
        if "/uploads/" in path and len(platform.uploads[run.part.sha256]) == 90:
            platform.uploads.clear()
        return None

    platform.faults = forget
    with pytest.raises(Refused) as caught:
        run()
    assert caught.value.status == 404
    assert platform.appended == ATTEMPTS * len(DATA)


@pytest.mark.parametrize("told", [101, -1, "0", True])
def test_an_offset_that_cannot_be(run: Run, platform: Platform, told: object) -> None:
    platform.faults = lambda path: {"status": 200, "offset": told, "upload": "u"} if "/uploads" in path else None
    with pytest.raises(InvalidInput, match="part_mismatch"):
        run()


def test_no_answer_at_all(run: Run, platform: Platform) -> None:
    def drop(_path: str) -> None:
        raise Drop

    platform.faults = drop
    with pytest.raises(Unreachable):
        run()
    run.path.write_bytes(DATA[:-1])
    with pytest.raises(InvalidInput, match="part_mismatch"):
        run()


@pytest.mark.parametrize(
    ("rate", "line"),
    [
        (None, "Part main: 6,000,000 / 9,000,000 B (66%)"),
        (250_000.0, "Part main: 6,000,000 / 9,000,000 B (66%) 0.2 MB/s, about 0:00:12 left"),
        (500.0, "Part main: 6,000,000 / 9,000,000 B (66%) 0.0 MB/s, about 1:40:00 left"),
    ],
)
def test_the_line_that_is_shown(rate: float | None, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    progress = Progress(name="main", confirmed=6_000_000, size=9_000_000, rate=rate)
    assert upload_line(progress, 66) == line
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert upload_line(progress, 66).startswith("分卷 main：6,000,000 / 9,000,000 B（66%）")
