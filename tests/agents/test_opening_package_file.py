"""The real format of an opening package, with its real cost; every other test uses a cheap stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.bid.prices import of_amount
from agents.bid.sealer import Content, Keeping, seal_version
from agents.bid.workdir import BidName, WorkDir
from agents.selfopen import ClientFault
from tests.build.sealed_lot import Lot, signer
from trading.bids.rules.package import parse_package
from trading.crypto.packages import unlock_package
from trading.kernel.errors import InvalidInput

BIDDER = signer(7)
LOT = Lot(parts=("price",), stage="price")
PHRASE = "a long enough phrase"


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    name = BidName(
        api="http://127.0.0.1", bid="b-1", bidder="91310000MA1FL0XX0X", tender=LOT.tender, lot="1", stage="price"
    )
    made = WorkDir.create(tmp_path / "bid", name, LOT.trust_bytes)
    made.keep_package(LOT.package)
    return made


def test_it_is_an_age_passphrase_file_that_opens_the_bid(work: WorkDir) -> None:
    content = Content(price=of_amount("1", "CNY"), files=())
    made = seal_version(work, BIDDER, content, Keeping(passphrase=PHRASE, directory=work.path), created=1)
    raw = made.package.read_bytes()
    assert raw.startswith(b"age-encryption.org/v1\n-> scrypt ")
    assert made.package.stat().st_mode & 0o777 == 0o600
    package = parse_package(unlock_package(raw, PHRASE))
    assert package.signed == made.version.signed


@pytest.mark.parametrize("fault", ["lost", "older"])
def test_a_package_that_does_not_reopen_to_this_version_stops_the_sealing(work: WorkDir, fault: str) -> None:
    content = Content(price=of_amount("1", "CNY"), files=())
    written: list[bytes] = []

    def lock(plain: bytes, _phrase: str) -> bytes:
        written.append(plain)
        return plain

    def unlock(_locked: bytes, _phrase: str) -> bytes:
        return b"" if fault == "lost" else written[0]

    keeping = Keeping(passphrase=PHRASE, directory=work.path, lock=lock, unlock=unlock)
    if fault == "older":  # the control: the first one reopens to what was written
        seal_version(work, BIDDER, content, keeping, created=1)
    with pytest.raises((ClientFault, InvalidInput)):
        seal_version(work, BIDDER, content, keeping, created=2)
    assert work.versions() == []
