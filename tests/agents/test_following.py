from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.bid.platform import Platform as Client
from agents.bid.platform import Refused
from agents.bid.prices import of_amount
from agents.bid.sealer import Content, Keeping, seal_version
from agents.bid.sending import Outcome, Waiting, submit_version
from agents.bid.workdir import BidName, WorkDir
from tests.build.bid_platform import BID, TOKEN, Platform, serving
from tests.build.sealed_lot import Lot, signer
from trading.audit.rules.proof import ReceiptState

LOT = Lot(parts=("price",), stage="price")


PHRASE = "a long enough phrase"


def as_it_is(data: bytes, _phrase: str) -> bytes:
    return data


class Time:
    """A clock that moves only when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds


@pytest.fixture
def platform() -> Platform:
    return Platform(LOT)


@pytest.fixture
def address(platform: Platform) -> Iterator[str]:
    with serving(platform) as served:
        yield served


@pytest.fixture
def work(tmp_path: Path, address: str) -> WorkDir:
    name = BidName(api=address, bid=BID, bidder="91310000MA1FL0XX0X", tender=LOT.tender, lot="1", stage="price")
    made = WorkDir.create(tmp_path / "bid", name, LOT.trust_bytes)
    made.keep_package(LOT.package)
    keeping = Keeping(passphrase=PHRASE, directory=made.path, lock=as_it_is, unlock=as_it_is)
    seal_version(made, signer(7), Content(price=of_amount("1", "CNY"), files=()), keeping, created=1)
    return made


def submit(work: WorkDir, seconds: float) -> tuple[Outcome, Time]:
    clock, version = Time(), work.pending()
    assert version is not None
    client = Client(work.name.api, TOKEN, attempts=1)
    return submit_version(work, client, version, Waiting(seconds, clock.now, clock.pause)), clock


def test_polls_with_growing_pauses_until_witnessed(work: WorkDir, platform: Platform) -> None:
    platform.held = 4
    outcome, clock = submit(work, 3600)
    assert outcome.state is ReceiptState.WITNESSED
    assert clock.pauses == [1, 2, 4, 8, 16]


def test_pauses_grow_to_thirty_seconds_and_the_time_is_kept(work: WorkDir, platform: Platform) -> None:
    platform.held = 99
    outcome, clock = submit(work, 100)
    assert outcome.state is ReceiptState.ACKNOWLEDGED
    assert clock.pauses == [1, 2, 4, 8, 16, 30, 30, 9]
    assert clock.now_s == 100


def test_a_logged_receipt_is_kept_while_the_witnessed_one_is_awaited(work: WorkDir, platform: Platform) -> None:
    platform.witnesses = (1,)
    outcome, _clock = submit(work, 10)
    assert outcome.state is ReceiptState.LOGGED
    assert outcome.file is not None
    assert outcome.file.exists()


def test_another_refusal_while_polling_is_told(work: WorkDir, platform: Platform) -> None:
    platform.held = 1
    platform.faults = lambda path: {"status": 403, "code": "not_permitted"} if "receipts" in path else None
    with pytest.raises(Refused, match="not_permitted"):
        submit(work, 10)
    head = work.head()
    assert head is not None  # the acceptance itself is remembered
    assert head.progress.h is not None
