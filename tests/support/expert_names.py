"""A tender whose experts have planted names, with what it keeps and sends out before the result (EXP-14).

``Crowd`` is a set of people; two worlds that differ in their crowd alone are the two runs of the test. ``channels``
yields what is kept and what goes out besides the answers to those who ask (``name_readers``).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import SMTP
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final
from unittest.mock import patch

from tests.support.databases import Database
from tests.support.journey import Exchange, Tender
from tests.support.leaks import Place, search
from tests.support.made_committee import CommitteeMaker, contact_ledger, worker_ledger
from tests.support.mail_server import Inbox, mail_server
from tests.support.market import LOT, STAGE, SYSTEM
from tests.support.name_readers import Asked, layers
from tests.support.sitting import Sitting
from tests.usecases.experts.test_secrecy import dump
from trading.audit.demo_clock import jump
from trading.disclosure.rules.tiers import Tier
from trading.disclosure.service import export_log, export_procedure
from trading.experts.rules.identity import Identity
from trading.messages.service.senders import SmtpSender

#: Database roles that read tables of the trade, but for the contact service; the others read entries of the log alone.
OTHER_ROLES: Final = ("trading_web", "trading_worker", "trading_reader", "trading_auditor")
#: So many people are in the pool.
POOL: Final = 12


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """People of a pool: what identifies them is made of ``family``, which stands nowhere else."""

    family: str
    given: str
    latin: str
    digit: int

    def person(self, number: int, account: str | None, mail: str = "") -> Identity:
        letters = "".join("甲乙丙丁戊己庚辛壬癸"[int(each)] for each in f"{number:03d}")
        return Identity(
            name=f"{self.family}{self.given}{letters}",
            mail=mail or f"{self.latin}{number:03d}@mail.{self.latin}.example",
            phone=f"139{self.digit}777{number:04d}",
            employer=f"{self.family}{self.latin}设计院，身份证110101{self.digit}970010177{number:02d}",
            account=account,
        )

    @property
    def words(self) -> tuple[str, ...]:
        """What a curious person would look for."""
        person = self.person(3, None)
        return person.name, person.mail, person.phone

    @property
    def needles(self) -> Mapping[str, str | bytes]:
        """What must be nowhere."""
        return self.needles_of(range(POOL))

    def needles_of(self, people: Iterable[int]) -> Mapping[str, str | bytes]:
        """Return the beginnings that all share and nothing else has, and the digests of the bare names of these."""
        names = [self.person(number, None).name for number in people]
        return {
            **{f"digest of {name}": hashlib.sha256(name.encode()).digest() for name in names},
            "name": self.family + self.given,
            "employer": self.family + self.latin,
            "mail": f"mail.{self.latin}.example",
            "phone": f"139{self.digit}777",
            "ID number": f"110101{self.digit}970010177",
        }


ONE: Final = Crowd(family="爨", given="翊翀", latin="qivorda", digit=3)
OTHER: Final = Crowd(family="亓官犇", given="骉骐骥", latin="wexlingham-and-daughters", digit=8)


@dataclass(kw_only=True)
class NameWorld:
    """One run: the tender, the maker of its committee, where its mails lie, and what its processes logged."""

    exchange: Exchange
    tender: Tender
    database: Database
    crowd: Crowd
    folder: Path
    log: io.StringIO
    maker: CommitteeMaker = field(init=False)
    draw: str = ""
    sitting: Sitting | None = None

    def __post_init__(self) -> None:
        market = self.tender.market
        self.maker = CommitteeMaker(
            runtime=market.runtime,
            stage=market.stage,
            contact_ledger=contact_ledger(self.database),
            worker_ledger=worker_ledger(self.database),
            jump=lambda to: jump(market.runtime, SYSTEM, to, shift_file=market.shift_file),
        )

    @property
    def mails(self) -> Path:
        return self.folder / "sent"

    def seat(self) -> None:
        """Admit the crowd, draw from it, seat whoever was drawn; the mails are sent as a server would get them."""
        number = iter(range(10_000))

        def planted(*, mail: str = "", account: str | None = None, **given: str) -> Identity:
            if not mail.startswith("planted-"):
                return Identity(mail=mail, account=account, **given)
            return self.crowd.person(next(number), account)

        market = self.tender.market
        with patch("tests.support.made_committee.Identity", planted):
            committee = self.maker.seated(market.tender)
        seats = sorted(member.seat for member in committee.sitting)
        bids = {key: bidder.bid for key, bidder in self.tender.bidders.items()}
        self.sitting = Sitting(
            market.runtime.ledger, market.tender, market.stage.actors["drafter"], bids, self.database, seats
        )
        self.draw = committee.draw or ""
        self.send_mails()

    def send_mails(self) -> None:
        """Send through a real server what the contact service gave to its sender."""
        with mail_server(Inbox(folder=self.mails)) as url:
            sender = SmtpSender(url=url, sender="exchange@platform.example")
            for mail_id, mail in self.maker.postbox.mails.items():
                sender.send(mail_id, mail)

    @cached_property
    def asked(self) -> Asked:
        """Return what there is to ask for."""
        market, actors = self.tender.market, self.maker.stage.actors
        return Asked(
            ledger=market.runtime.ledger,
            tender=market.tender,
            place=(LOT, STAGE),
            draw=self.draw,
            bids=tuple(self.tender.bidders[key].bid for key in sorted(self.tender.bidders)),
            policy=market.current_policy.sha256,
            member=self.maker.account_of(min(self.maker.seat_codes())),
            sessions=tuple(login for login in ("drafter", "representative") if login in actors),
            words=tuple(sorted({*self.crowd.words, *ONE.words, *OTHER.words})),  # the same in both runs
        )


def channels(world: NameWorld) -> Iterator[Place]:
    """Yield what is kept and what goes out: rows by role, files and their names, mails, logs, bundles."""
    yield from rows_of(world.database)
    yield from files_in(world.folder, without=world.mails)
    yield from mails_in(world.mails)
    yield logged(world)
    yield from bundles(world)


def rows_of(database: Database) -> Iterator[Place]:
    """Yield every row that a process other than the contact service may read."""
    for role in OTHER_ROLES:
        for table, rows in groupby(dump(database, role), key=itemgetter(0)):
            content = "\n".join(row for _, row in rows)
            yield Place(f"{role} reads {table}", content.encode(errors="surrogateescape"))


def logged(world: NameWorld) -> Place:
    """Return everything that was logged, at every level."""
    return Place("log", world.log.getvalue().encode())


def files_in(folder: Path, *, without: Path) -> Iterator[Place]:
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not path.is_relative_to(without):
            yield Place(f"file {name}", name.encode())
            for layer in layers(path.read_bytes()):
                yield Place(f"file {name}", layer)


def mails_in(folder: Path) -> Iterator[Place]:
    """Yield name, headers and body of every mail; only the address to which it goes is left out."""
    for path in sorted(folder.glob("*")):
        message = message_from_bytes(path.read_bytes(), policy=SMTP)
        address = message["To"].addresses[0].addr_spec
        headers = [f"{name}: {value}".replace(address, "") for name, value in message.items()]
        yield Place(f"mail {path.name}", "\n".join((path.name, *headers)).encode())
        yield Place(f"mail {path.name}", message.get_content().encode())


def bundles(world: NameWorld) -> Iterator[Place]:
    """Yield the bundles of the procedure in every tier, and that of the whole log."""
    runtime, extras = world.tender.market.runtime, world.exchange.extras()
    world.exchange.settle()
    target = world.folder / "bundle.zip"
    for tier in Tier:
        export_procedure(runtime, world.tender.market.tender, tier, target, extras)
        yield from _bundle(f"bundle {tier.value}", target)
    export_log(runtime, target, extras)
    yield from _bundle("bundle of the log", target)


def _bundle(name: str, target: Path) -> Iterator[Place]:
    for layer in layers(target.read_bytes()):
        yield Place(name, layer)
    target.unlink()


def found_in(places: Iterable[Place], crowd: Crowd) -> dict[str, set[str]]:
    """Return the places of each needle, in every usual spelling."""
    return search(places, crowd.needles)
