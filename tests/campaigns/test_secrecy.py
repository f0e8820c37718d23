"""Before the opening nothing that the platform keeps tells a price, a file, its name or what opens them (F40, SUB-07).

Bids are made by the bidder's own program over HTTP. Then everything is searched: all tables and a dump, the object
store, Valkey, tiles and write-ahead log, every log file, the servers' own files. The controls plant one bid in the
clear, each in another place, and the same search must name that place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from redis import Redis
from sqlalchemy import NullPool, create_engine

from agents.bid.commands import main
from tests.build.market import Market, OpenLot, Party, open_market
from tests.support import leaks
from tests.support.platforms import runtime_on, temporary_platform
from trading.accounts import service as accounts
from trading.bids.rules.context import BidContext
from trading.bids.rules.package import parse_package
from trading.crypto.envelope import derive_identity, recipient_string
from trading.crypto.envelope import identity_bytes as bytes_of_identity
from trading.crypto.files import write_secret
from trading.crypto.keyfiles import save_es256
from trading.crypto.packages import unlock_package
from trading.db import psycopg_url
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256
from trading.up import Platform

PHRASE = "four horses cross the river"
TOTALS = (731_946_285_713, 731_946_285_709, 902_857_114_203)  # fen; the second replaces the first
UNIT_PRICE = "1742729251.6976"
FILE_NAME = "独家设计方案-marker-7f31.pdf"
FOLDER_FILE = "secret-annex-93b2.txt"
MARKER = "the heart of our offer, 只有我们知道, 5c1d"
TERMS = "delivery in 41 days, marker e8a0"


@dataclass(kw_only=True)
class Secrets:
    """What must be nowhere, by name."""

    needles: dict[str, str | bytes] = field(default_factory=dict)

    def add_content(self) -> None:
        for total in TOTALS:
            self.needles |= {f"price {text}": text for text in leaks.amounts(total)}
            self.needles |= {f"price as {order} {total}": total.to_bytes(8, order) for order in ("big", "little")}
        self.needles |= {
            "unit price": UNIT_PRICE,
            "file name": FILE_NAME,
            "name in folder": FOLDER_FILE,
            "marker in a file": MARKER,
            "terms": TERMS,
            "digest of a file": sha256(content()),
            "identity": "AGE-SECRET-KEY-",
        }

    def add_package(self, path: Path) -> None:
        """Take the secrets of one version from its opening package."""
        package = parse_package(unlock_package(path.read_bytes(), PHRASE))
        context: BidContext = package.envelope.context
        self.needles |= {f"s_c {path.stem}": package.s_c, f"s_b {path.stem}": package.s_b}
        for part in ("main", "price"):
            identity = derive_identity(package.s_c, package.s_b, context.bytes(), part)
            key = bytes_of_identity(identity)
            self.needles |= {
                f"key of {part} {path.stem}": key,
                f"recipient of {part} {path.stem}": recipient_string(key),
            }


def content() -> bytes:
    return f"%PDF-1.7 {MARKER}\n".encode() * 50


@dataclass(kw_only=True)
class Bidder:
    """A bidder's machine, outside the platform's directory."""

    folder: Path
    party: Party
    platform: Platform
    lot: OpenLot

    def run(self, command: str, *words: object) -> str:
        environment = {"MINGBIAO_PACKAGE_PASSPHRASE": PHRASE}
        arguments = [command, "--dir", str(self.folder / "bid"), *map(str, words)]
        done = CliRunner().invoke(main, arguments, env=environment)
        assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
        return done.output

    def start(self, market: Market, login: str) -> None:
        token = accounts.issue_token(market.ledger, login, ("write:bids", "read:own"))
        write_secret(self.folder / "token", token.encode())
        save_es256(self.folder / "key", self.party.signer, None)
        (self.folder / "trust.json").write_bytes(market.trust_file())
        given = ("--api", self.platform.base_url, "--tender", self.lot.tender, "--org", self.party.code)
        self.run("start", *given, "--token-file", self.folder / "token", "--trust", self.folder / "trust.json")

    def bid(self, total: int, seq: int) -> Path:
        """Seal and submit one version; return its opening package."""
        item = {"amount": total, "code": "A05010201", "quantity": "420", "unit_price": UNIT_PRICE}
        price = {"currency": "CNY", "items": [item], "terms": {"delivery": TERMS}, "total": total}
        (self.folder / "price.json").write_text(json.dumps(price))
        (self.folder / FILE_NAME).write_bytes(content())
        annex = self.folder / "annex" / FOLDER_FILE
        annex.parent.mkdir(exist_ok=True)
        annex.write_bytes(content())
        files = (
            "--file",
            self.folder / FILE_NAME,
            "--folder",
            annex.parent,
            "--price-file",
            self.folder / "price.json",
        )
        self.run("seal", "--key", self.folder / "key", *files)
        self.run("submit", "--token-file", self.folder / "token", "--wait", 30)
        (package,) = (self.folder / "bid").glob(f"*-{seq}.mbkey")
        return package


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with temporary_platform(fsync=False) as platform:
        yield platform


@pytest.fixture(scope="module")
def secrets(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    """Two bidders have bid, one has replaced its bid; people have read pages."""
    found = Secrets()
    found.add_content()
    with runtime_on(platform) as runtime:
        market = open_market(runtime, bidders=2)
        (lot,) = market.publish()
        for number, (party, totals) in enumerate(zip(market.bidders, (TOTALS[:2], TOTALS[2:]), strict=True), 1):
            bidder = Bidder(folder=tmp_path_factory.mktemp("bidder"), party=party, platform=platform, lot=lot)
            bidder.start(market, f"bidder{number}")
            for seq, total in enumerate(totals, 1):
                found.add_package(bidder.bid(total, seq))
        for path in ("/", "/procedures", f"/procedures/{lot.tender}", "/log", f"/nowhere?q={lot.tender}"):
            read(platform, path)
    return found


def read(platform: Platform, path: str) -> None:
    """Read a page, whatever the answer: what counts is what the platform keeps of it."""
    with suppress(HTTPError), urlopen(f"{platform.base_url}{path}", timeout=10) as answer:  # noqa: S310 - our own server
        answer.read()


def test_nothing_that_is_kept_tells_a_bid(platform: Platform, secrets: Secrets) -> None:
    places = list(leaks.everything(platform))
    names = {place.name for place in places}
    assert names >= {"pg_dump", "table record.bid", "table log.audit_entry", "logs/web.log", "log/tiles/checkpoint"}
    assert any(name.startswith("objects/") for name in names)
    assert any(name.startswith("log/wal/") for name in names)
    assert any(name.startswith("valkey/") for name in names)
    # The search itself sees what is there: every bid id is in the records, in hexadecimal in the dump.
    references = {f"bid {row}": row for row in bid_references(platform)}
    assert len(references) == 2
    for where in leaks.search(places, references).values():
        assert where >= {"pg_dump", "table record.bid", "table log.audit_entry"}
    assert leaks.search(places, secrets.needles) == {}


def bid_references(platform: Platform) -> list[str]:
    with create_engine(psycopg_url(leaks.superuser(platform)), poolclass=NullPool).connect() as connection:
        return list(connection.exec_driver_sql("SELECT reference FROM record.bid").scalars())


PRICE = dumps({"currency": "CNY", "terms": {"delivery": TERMS}, "total": TOTALS[0]})


def in_the_object_store(platform: Platform) -> None:
    (platform.data_dir / "objects" / "plain").write_bytes(content())


def in_a_record(platform: Platform) -> None:
    query = "INSERT INTO log.audit_entry (kind, record, nonce) VALUES ('config.changed', %s, %s)"
    with create_engine(psycopg_url(leaks.superuser(platform)), poolclass=NullPool).begin() as connection:
        connection.exec_driver_sql(query, (PRICE, bytes(32)))


def in_the_doorbell(platform: Platform) -> None:
    assert platform.valkey is not None
    with Redis.from_url(platform.valkey.url) as client:
        client.hset("rq:job:control", mapping={"data": PRICE})


def in_a_log_file(platform: Platform) -> None:
    with (platform.data_dir / "logs" / "web.log").open("a") as log:
        log.write(f"stored {FILE_NAME} of {TOTALS[0] // 100:,}.{TOTALS[0] % 100:02d}\n")


Control: TypeAlias = Callable[[Platform], None]
CONTROLS: Mapping[Control, tuple[str, str]] = {
    in_the_object_store: ("marker in a file", "objects/plain"),
    in_a_record: ("terms", "table log.audit_entry"),
    in_the_doorbell: ("terms", "key rq:job:control"),
    in_a_log_file: ("file name", "logs/web.log"),
}


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.__name__)
def test_one_bid_in_the_clear_is_found(platform: Platform, secrets: Secrets, control: Control) -> None:
    needle, place = CONTROLS[control]
    control(platform)
    there = [each for each in leaks.everything(platform) if each.name == place]
    assert leaks.search(there, secrets.needles)[needle] == {place}
