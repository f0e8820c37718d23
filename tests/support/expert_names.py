"""A tender whose experts have planted names, and everybody who might read them before the result (EXP-14).

``Crowd`` is a set of people; two worlds that differ in their crowd alone are the two runs of the test. ``NameReaders``
asks every GET route as everybody, with objects that exist; ``channels`` yields what is kept and what goes out besides.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import SMTP
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias
from unittest.mock import patch
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient

from tests.support.databases import Database
from tests.support.insiders import INSIDE, SCOPES
from tests.support.journey import Exchange, Tender
from tests.support.leaks import Place, search
from tests.support.made_committee import CommitteeMaker, contact_ledger
from tests.support.market import LOT, STAGE, SYSTEM
from tests.support.people import signed_in
from tests.support.sitting import Sitting
from tests.usecases.experts.test_secrecy import dump
from trading.accounts import service as accounts
from trading.audit.demo_clock import jump
from trading.disclosure.rules.tiers import Tier
from trading.disclosure.service import export_log, export_procedure
from trading.experts import queries as experts
from trading.experts.rules.identity import Identity
from trading.messages.service.senders import FolderSender
from trading.web import permissions

#: Database roles that read tables of the trade, but for the contact service; the others read entries of the log alone.
OTHER_ROLES: Final = ("trading_web", "trading_worker", "trading_reader", "trading_auditor")
_VARIABLE: Final = re.compile(r"<(?:[a-z]+(?:\([^)]*\))?:)?([a-z_0-9]+)>")
_ENDLESS: Final = "/events"
_STREAM: Final = {"Accept": "text/event-stream"}
_STREAMED: Final = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
Answer: TypeAlias = tuple[int, str, bytes]


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
    def needles(self) -> Mapping[str, str]:
        """What must be nowhere: the beginnings that all of them share and nothing else has."""
        return {
            "name": self.family + self.given,
            "employer": self.family + self.latin,
            "mail": f"mail.{self.latin}.example",
            "phone": f"139{self.digit}777",
            "ID number": f"110101{self.digit}970010177",
        }


ONE: Final = Crowd(family="爨", given="翊", latin="qivorda", digit=3)
OTHER: Final = Crowd(family="亓官犇", given="骉骐骥", latin="wexlingham-and-daughters", digit=8)


def layers(data: bytes, depth: int = 3) -> Iterator[bytes]:
    """Yield bytes and what is packed in them: members of archives, compressed bodies, streams of PDF files."""
    yield data
    if depth == 0:
        return
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield from layers(archive.read(name), depth - 1)
    elif data.startswith(b"\x1f\x8b"):
        yield from layers(gzip.decompress(data), depth - 1)
    elif data.startswith(b"%PDF"):
        for stream in _STREAMED.findall(data):
            try:
                yield zlib.decompress(stream)
            except zlib.error:
                yield stream


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
        sender = FolderSender(folder=self.mails, sender="exchange@platform.example")
        for mail_id, mail in self.maker.postbox.mails.items():
            sender.send(mail_id, mail)

    def drawn(self) -> list[str]:
        """Return the logins of the members that were drawn."""
        actors = self.maker.stage.actors
        invited = [self.maker.account_of(address) for address in self.maker.seat_codes()]
        return sorted(login for login, actor in actors.items() if actor in invited)


@dataclass(kw_only=True)
class NameReaders:
    """Everybody who might ask a page or the API: one insider of each role, the public, programs, a drawn member."""

    world: NameWorld
    app: Flask
    one_in: int = 1
    people: dict[str, FlaskClient] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.people:
            return
        ledger = self.world.tender.market.runtime.ledger
        actors = self.world.maker.stage.actors
        for role in permissions.PEOPLE:
            login = f"reads-{role.value}"
            accounts.create_account(ledger, login=login, org_code=INSIDE[role], roles=(role,))
            self.tokens[login] = accounts.issue_token(ledger, login, SCOPES)
            self.people[login] = signed_in(self.app.test_client(), login)
        for login in ("drafter", "representative"):
            if login in actors:
                self.people[login] = signed_in(self.app.test_client(), login)
        member = self.world.drawn()[0]
        self.people["a drawn member"] = signed_in(self.app.test_client(), member)

    def paths(self) -> Iterator[str]:
        rows = list(permissions.table(self.app))
        for row in rows:
            if "GET" in row.methods and not row.rule.startswith("/static/"):
                yield from self._filled(row.rule)
        needle = self.world.crowd.family + self.world.crowd.given
        yield from (f"/procedures?q={each}" for each in ("课桌", needle, self.world.crowd.latin))

    def _filled(self, rule: str) -> Iterator[str]:
        variable = _VARIABLE.search(rule)
        if variable is None:
            yield rule + ("?once" if rule.endswith(_ENDLESS) else "")
            return
        for value in self._values[variable[1]]:
            yield from self._filled(rule.replace(variable[0], value, 1))

    @cached_property
    def _values(self) -> Mapping[str, tuple[str, ...]]:
        """Return what each variable of a route can be: objects that exist, else one that does not."""
        market, world = self.world.tender.market, self.world
        with market.runtime.ledger.read() as conn:
            papers = [each.sha256 for each in experts.papers(conn, world.draw)]
            newest = conn.exec_driver_sql(
                "SELECT encode(h, 'hex'), count(*) OVER () FROM log.audit_entry"
                " WHERE kind IN ('draw.result', 'draw.called', 'committee.planned') ORDER BY id DESC LIMIT 2"
            ).all()
        bids = tuple(world.tender.bidders[key].bid for key in sorted(world.tender.bidders))
        account = world.maker.stage.actors[world.drawn()[0]].account
        unknown = ("0" * 16,)
        known = {
            "tender": (market.tender,),
            "reference": (market.tender,),
            "lot": (LOT,),
            "stage": (STAGE,),
            "draw": (world.draw,),
            "bid": bids[:2],
            "other": bids[2:3],
            "h": tuple(each[0] for each in newest),
            "sha256": tuple(papers[-2:]) or unknown,
            "digest": (market.current_policy.sha256,),
            "kind": ("json", "sig"),
            "size": ("large", "small"),
            "number": ("1",),
            "act": ("suspended",),
            "n": ("1", "40"),
            "attempt": ("1",),
            "custodian": ("1",),
            "role": ("expert",),
            "jurisdiction": ("CN",),
            "account_id": (account,),
            "name": ("checkpoint", "tile/0/000", "tile/entries/000"),
            "ocid": (f"ocds-000000-{market.tender}",),
        }
        missing = ("kid", "token", "question", "draft_id", "request_id", "code", "commit", "batch", "job_id", "file")
        return {**dict.fromkeys((*missing, "release_id"), unknown), **known}

    def ask(self) -> dict[tuple[str, str], Answer]:
        """Return every answer by who asks and which path, in the order in which they were asked."""
        found: dict[tuple[str, str], Answer] = {}
        public = self.app.test_client()
        for place, path in enumerate(self.paths()):
            if place % self.one_in:
                continue
            headers = {"Accept-Language": ("zh", "en")[place % 2], **(_STREAM if _ENDLESS in path else {})}
            for who, client in (("everybody", public), *self.people.items()):
                found[who, path] = asked(client, path, headers)
            if path.startswith("/api/"):
                for who, token in self.tokens.items():
                    found[f"token of {who}", path] = asked(
                        public, path, {**headers, "Authorization": f"Bearer {token}"}
                    )
        return found


def asked(client: FlaskClient, path: str, headers: Mapping[str, str]) -> Answer:
    answer = client.get(path, headers=headers, buffered=True)
    data = answer.data
    words = path.partition("?q=")[2]
    for echoed in {words, quote(words)} - {""}:  # a page of results repeats what was asked for
        data = data.replace(echoed.encode(), b"")
    return answer.status_code, str(answer.headers), data


def pages(answers: Mapping[tuple[str, str], Answer]) -> Iterator[Place]:
    """Yield headers and body of every answer, with what is packed in it."""
    for (who, path), (_, headers, data) in answers.items():
        yield Place(f"{who}: {path}", headers.encode())
        for layer in layers(data):
            yield Place(f"{who}: {path}", layer)


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
        for table, content in dump(database, role):
            yield Place(f"{role} reads {table}", content.encode())


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


_MASKS: Final = (
    (re.compile(rb'name="csrf_token"[^>]*>'), b""),
    (re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}"), b"~"),  # digests, keys, signatures; addresses too
    (re.compile(rb"(?<![A-Za-z0-9-])[A-Za-z]{1,3}-(?:[0-9]{4}-)?[0-9A-Za-z]{4,}"), b"~"),  # references and ids
    (re.compile(rb"[0-9]+"), b"#"),
)
_WORD: Final = re.compile(rb"[^\s<>\"',:;{}()\[\]&=]+")


def masked(data: bytes) -> bytes:
    """Return the words of an answer, sorted, without what differs by chance.

    That are digests, ids, codes, instants, numbers, tokens of forms, and the order of what is sorted by them.
    """
    for pattern, instead in _MASKS:
        data = pattern.sub(instead, data)
    return b"\n".join(sorted(_WORD.findall(data)))


def found_in(places: Iterable[Place], crowd: Crowd) -> dict[str, set[str]]:
    """Return the places of each needle, in every usual spelling."""
    return search(places, crowd.needles)
