"""Everybody who might read an expert's name before the result, and every address that they can ask (EXP-14).

``Asked`` says what there is to ask for.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient

from tests.support.insiders import INSIDE, SCOPES
from tests.support.leaks import Place
from tests.support.people import signed_in
from trading.accounts import service as accounts
from trading.audit.ledger import Ledger
from trading.experts import queries as experts
from trading.kernel.roles import Actor
from trading.web import permissions

#: Status, headers in the order in which they were sent, body.
Answer: TypeAlias = tuple[int, str, bytes]
Answers: TypeAlias = Mapping[tuple[str, str], Answer]
PUBLIC: Final = "everybody"
DRAWN: Final = "a drawn member"
_VARIABLE: Final = re.compile(r"<(?:[a-z]+(?:\([^)]*\))?:)?([a-z_0-9]+)>")
_ENDLESS: Final = "/events"
_STREAM: Final = {"Accept": "text/event-stream"}
_STREAMED: Final = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
#: Where a text can be looked for; each is asked for what identifies the people.
_SEARCHES: Final = (
    *("/procedures?q=", "/desk/accounts?q=", "/standing/search?number=", "/audit/log?sought="),
    *("/audit/log?reference=", "/audit/log?kind=", "/history?q="),
)
_NEWEST: Final = (
    "SELECT encode(h, 'hex') FROM log.audit_entry"
    " WHERE kind IN ('draw.result', 'draw.called', 'committee.planned') ORDER BY id DESC LIMIT 2"
)


@dataclass(frozen=True, slots=True)
class Here:
    """Reads an application of this process."""

    client: FlaskClient

    def get(self, path: str, headers: Mapping[str, str]) -> Answer:
        answer = self.client.get(path, headers=dict(headers), buffered=True)
        return answer.status_code, str(answer.headers), answer.data


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What there is to ask for: one tender, its draw, its bids, the account of a drawn member, who else has a session.

    ``words`` are looked for wherever a text can be looked for.
    """

    ledger: Ledger
    tender: str
    place: tuple[str, str]
    draw: str
    bids: tuple[str, ...]
    policy: str
    member: Actor
    sessions: tuple[str, ...]
    words: tuple[str, ...]

    @cached_property
    def values(self) -> Mapping[str, tuple[str, ...]]:
        """Return what each variable of a route can be: objects that exist, else one that does not."""
        with self.ledger.read() as conn:
            papers = [each.sha256 for each in experts.papers(conn, self.draw)]
            newest = tuple(conn.exec_driver_sql(_NEWEST).scalars())
        unknown = ("0" * 16,)
        known = {
            "tender": (self.tender,),
            "reference": (self.tender,),
            "lot": (self.place[0],),
            "stage": (self.place[1],),
            "draw": (self.draw,),
            "bid": self.bids[:2],
            "other": self.bids[2:3],
            "h": newest,
            "sha256": tuple(papers[-2:]) or unknown,
            "digest": (self.policy,),
            "kind": ("json", "sig"),
            "size": ("large", "small"),
            "number": ("1",),
            "act": ("suspended",),
            "n": ("1", "40"),
            "attempt": ("1",),
            "custodian": ("1",),
            "role": ("expert",),
            "jurisdiction": ("CN",),
            "period": ("2026",),
            "year": ("2012", "2026"),
            "account_id": (self.member.account,),
            "name": ("checkpoint", "tile/0/000", "tile/entries/000", "mingbiao-2026.xlsx"),
            "ocid": (f"ocds-000000-{self.tender}",),
        }
        missing = ("kid", "token", "question", "draft_id", "request_id", "code", "commit", "batch", "job_id", "file")
        return {**dict.fromkeys((*missing, "release_id"), unknown), **known}

    def paths(self, app: Flask) -> Iterator[str]:
        """Yield the address of every GET route with every value, and every search for each word."""
        for row in list(permissions.table(app)):
            if "GET" in row.methods and not row.rule.startswith("/static/"):
                yield from self._filled(row.rule)
        yield "/procedures?q=课桌"
        for search in _SEARCHES:
            yield from (search + word for word in self.words)

    def _filled(self, rule: str) -> Iterator[str]:
        variable = _VARIABLE.search(rule)
        if variable is None:
            yield rule + ("?once" if rule.endswith(_ENDLESS) else "")
            return
        for value in self.values[variable[1]]:
            yield from self._filled(rule.replace(variable[0], value, 1))


@dataclass(kw_only=True)
class NameReaders:
    """One insider of each role with session and token, the public, people of the tender, a drawn member."""

    asked: Asked
    app: Flask
    one_in: int = 1
    people: dict[str, Here] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.people:
            return
        for role in permissions.PEOPLE:
            login = f"reads-{role.value}"
            accounts.create_account(self.asked.ledger, login=login, org_code=INSIDE[role], roles=(role,))
            self.tokens[login] = accounts.issue_token(self.asked.ledger, login, SCOPES)
            self.people[login] = self._reader(login)
        for login in self.asked.sessions:
            self.people[login] = self._reader(login)
        self.people[DRAWN] = self._reader(self.drawn_login)

    @cached_property
    def drawn_login(self) -> str:
        """Return how the drawn member signs in."""
        with self.asked.ledger.upkeep() as conn:
            found: str = conn.exec_driver_sql(
                "SELECT login FROM desk.account WHERE id = %s", (self.asked.member.account,)
            ).scalar_one()
        return found

    def _reader(self, login: str) -> Here:
        return Here(signed_in(self.app.test_client(), login))

    def ask(self) -> Answers:
        """Return every answer by who asks and which path, in the order in which they were asked."""
        found: dict[tuple[str, str], Answer] = {}
        public = Here(self.app.test_client())
        for path, headers in self._questions():
            for who, reader in ((PUBLIC, public), *self.people.items()):
                found[who, path] = without_echo(path, reader.get(path, headers))
            if path.startswith("/api/"):
                for who, token in self.tokens.items():
                    given = {**headers, "Authorization": f"Bearer {token}"}
                    found[f"token of {who}", path] = without_echo(path, public.get(path, given))
        return found

    def _questions(self) -> Iterator[tuple[str, dict[str, str]]]:
        for place, path in enumerate(self.asked.paths(self.app)):
            if place % self.one_in == 0:
                yield path, {"Accept-Language": ("zh", "en")[place % 2], **(_STREAM if _ENDLESS in path else {})}


def without_echo(path: str, answer: Answer) -> Answer:
    """Return an answer without the words that were looked for: its page repeats them to whoever typed them."""
    status, headers, data = answer
    words = path.partition("?")[2].partition("=")[2]
    for echoed in {words, quote(words)} - {""}:
        headers, data = headers.replace(echoed, ""), data.replace(echoed.encode(), b"")
    return status, headers, data


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


def pages(answers: Answers) -> Iterator[Place]:
    """Yield headers and body of every answer, with what is packed in it."""
    for (who, path), (_, headers, data) in answers.items():
        yield Place(f"{who}: {path}", headers.encode())
        for layer in layers(data):
            yield Place(f"{who}: {path}", layer)


def asked_once(app: Flask, path: str) -> Answers:
    """Return the answer to one question of everybody, for the controls."""
    return {(PUBLIC, path): without_echo(path, Here(app.test_client()).get(path, {}))}
