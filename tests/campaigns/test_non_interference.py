"""Nobody can read or count bids early: every answer is the same with no sealed bid and with seven (G4, F52, SUB-07).

Bids go through the use cases, with a sequencer that logs and witnesses them. Every GET route of the application, and
every one that tells by HEAD alone, is asked as everybody who might ask, except those who bid: with the tokens of
programs, and signed in as a person of every role. The web's clock stands still, which removes the clock. What the other
two tests expect to change is asked whole; of all else a normal run asks one address in four, ``MINGBIAO_CAMPAIGN=long``
every one.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from tests.build.dummy_envelopes import MemoryStore
from tests.build.market import DemoTime, Market, OpenLot, Party, open_market, runtime_of
from tests.support import practice
from tests.support.campaigns import LONG
from tests.support.databases import Database
from tests.support.logs import LogWorld
from tests.support.people import signed_in
from tests.support.polling import eventually
from tests.support.publishing import Publisher
from trading.accounts import service as accounts
from trading.app import create_app
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.audit.service import reader as log_reader
from trading.audit.service import receipt
from trading.bids import queries as bid_queries
from trading.bids.rules.uploads import LEAST_CHUNK
from trading.bids.uploads import Chunk, Uploads
from trading.clarifications import service as clarifications
from trading.config import Process, Settings
from trading.crypto.signatures import sign_document
from trading.custody.rules.documents import make_poll
from trading.demo import cast
from trading.kernel.canonical import dumps
from trading.kernel.clock import FixedClock
from trading.kernel.encoding import b64u
from trading.kernel.roles import Actor, Role
from trading.participation import practising
from trading.participation import service as participation
from trading.procedures import queries as procedures
from trading.statistics import service as bulletins
from trading.statistics.rules.months import month_at
from trading.web import permissions
from trading.web.permissions import allow, public

BIDS = 7
ELSEWHERE = 1 if os.environ.get("MINGBIAO_CAMPAIGN") == "long" else 8
LANGUAGES = ("zh", "en")
PEOPLE = ("drafter", "reviewer", "supervisor", "desk1", "notary-custodian", f"bidder{BIDS + 1}")
#: Who is signed in besides: one person of every role that the market itself does not need.
STAFF = {
    "auditor1": (cast.SUPERVISOR.code, Role.AUDITOR),
    "authority1": ("AUTHORITY-1", Role.AUTHORITY),
    "centre1": (cast.CENTRE.code, Role.CENTRE),
    "admin1": (cast.CENTRE.code, Role.ADMIN),
    "expert1": (cast.ASSOCIATION.code, Role.EXPERT),
}
SCOPES = ("read:own", "write:bids", "write:openings")
#: The only values that are the database's clock and nothing else.
CLOCK = re.compile(rb'"(?:time|utc)":(?:\d+|"[^"]*")')
#: What a form carries against forgery is made anew for every page; the cookie of a session likewise.
FORGERY = re.compile(rb'name="csrf_token"[^>]*>')
COOKIE = re.compile(r"Set-Cookie: mb_session=[^\r\n]*\r?\n")
#: A stream of events is asked for what it tells at once; whoever does not ask for a stream is refused.
ENDLESS, ONCE, STREAM = "/events", "?once", {"Accept": "text/event-stream"}
#: The own sessions with the instants at which they were used last: real time, of nobody else.
OWN_SESSIONS, INSTANT = "/account", re.compile(rb"<time[^>]*>[^<]*</time>")
#: Documents to be signed carry the instant at which they were made, of the database's clock: only the status is told.
TO_SIGN = re.compile(r"/agency/procedures/[^/]+/publish\Z")

#: How far an upload has got is told without a body.
UPLOAD = re.compile(r"/api/v1/bids/[^/]+/uploads/")

Answers: TypeAlias = Mapping[tuple[str, str, str], tuple[int, str, bytes]]


def comparable(answer: TestResponse) -> tuple[int, str, bytes]:
    headers, data = COOKIE.sub("", str(answer.headers)), FORGERY.sub(b"", CLOCK.sub(b"", answer.data))
    if answer.request.path == OWN_SESSIONS:
        data = INSTANT.sub(b"", data)
    if TO_SIGN.match(answer.request.path):
        headers, data = "", b""
    return answer.status_code, headers, data


def method_of(path: str) -> str:
    return "HEAD" if UPLOAD.match(path) else "GET"


def asked_in(language: str, path: str) -> dict[str, str]:
    return {"Accept-Language": language, **(STREAM if path.endswith(ENDLESS + ONCE) else {})}


@dataclass(kw_only=True)
class Readers:
    """Everybody who might want to know, and the addresses that they can ask.

    ``wanted`` are the beginnings of those that are all asked; of others one in ``ELSEWHERE``.
    """

    market: Market
    lot: OpenLot
    wanted: tuple[str, ...] = ("/",)
    tokens: dict[str, str] = field(default_factory=dict)
    people: dict[str, FlaskClient] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ledger = self.market.ledger
        code = cast.SUPERVISOR.code
        accounts.create_account(ledger, login="supervisor", org_code=code, roles=(Role.SUPERVISOR,))
        for login, (organisation, role) in STAFF.items():
            accounts.create_account(ledger, login=login, org_code=organisation, roles=(role,))
        self.tokens = {login: accounts.issue_token(ledger, login, SCOPES) for login in PEOPLE}

    def paths(self, app: Flask) -> Iterator[str]:
        """Yield the addresses that are asked."""
        elsewhere = 0
        for path in self._all_paths(app):
            elsewhere += not path.startswith(self.wanted)
            if path.startswith(self.wanted) or elsewhere % ELSEWHERE == 0:
                yield path

    def _all_paths(self, app: Flask) -> Iterator[str]:
        """Yield the address of every GET route, with every value that its variables can take here."""
        rows = list(permissions.table(app))  # whole: while it runs, all requests would share its application context
        for row in rows:
            if {"GET", "HEAD"} & set(row.methods) and not row.rule.startswith("/static/"):
                yield from self._filled(row.rule + (ONCE if row.rule.endswith(ENDLESS) else ""))
        yield from ("/procedures?stage=open", "/procedures?stage=opening", "/procedures?q=课桌", "/nowhere")

    def _filled(self, rule: str) -> Iterator[str]:
        variable = re.search(r"<[^>]+>", rule)
        if variable is None:
            yield rule
            return
        for value in self._values()[variable[0]]:  # a route with a new variable says here what it can be
            yield from self._filled(rule.replace(variable[0], value, 1))

    def _values(self) -> Mapping[str, tuple[str, ...]]:
        hashes = tuple(self._commitments())
        return {
            "<tender>": (self.lot.tender,),
            "<reference>": (self.lot.tender,),
            "<lot>": (self.lot.lot,),
            "<stage>": (self.lot.stage,),
            "<sha256>": (self.lot.policy.sha256,),
            "<digest>": (self.lot.policy.sha256,),
            "<any(json, sig):kind>": ("json", "sig"),
            "<any(large, small):size>": ("large", "small"),
            "<int:number>": ("1",),
            "<any(suspended, resumed, removed):act>": ("suspended",),
            "<h>": hashes,
            "<job_id>": ("j-0",),
            "<file>": ("a-1.tsr",),
            "<ocid>": (f"ocds-000000-{self.lot.tender}",),
            "<period>": ("2026",),
            "<month>": (month_at(self.market.now_ms()).name,),
            "<name>": ("mingbiao-2026.xlsx",),
            "<release_id>": tuple(f"ocds-000000-{self.lot.tender}-{h[:16]}" for h in hashes),
            # Objects that do not exist before the opening, or are of one person: their pages must not begin to exist.
            **dict.fromkeys(
                (
                    "<kid>",
                    "<token>",
                    "<question>",
                    "<draft_id>",
                    "<draw>",
                    "<account_id>",
                    "<request_id>",
                    "<bid>",
                    "<other>",
                    "<code>",
                    "<commit>",
                    "<upload>",
                    "<number>",
                    "<batch>",
                ),
                ("0" * 16,),
            ),
            "<int:attempt>": ("1",),
            "<int:year>": ("2012",),
            "<int:n>": ("0", "1", str(BIDS)),
            "<int:custodian>": ("1",),
            "<role>": ("bidder",),
            "<jurisdiction>": ("CN",),
            "<path:name>": ("checkpoint", "tile/0/000", "tile/entries/000", "checkpoints/1-first", "tst/1/a-1.tsr"),
        }

    def _commitments(self) -> Iterator[str]:
        """Yield the commitments of everything that was public before the first bid."""
        query = text(
            "SELECT h FROM log.audit_entry WHERE procedure_id = :id AND kind IN ('policy.fixed', 'tender.published')"
        )
        with self.market.ledger.read() as conn:
            yield from (bytes(h).hex() for h in conn.execute(query, {"id": self.lot.procedure_id}).scalars())

    def ask(self, app: Flask) -> Answers:
        """Return every answer: by who asks, path and language."""
        client = app.test_client()
        # A bidder who has only asked for a bid id gets the same package again, with receipts.
        start = f"/api/v1/procedures/{self.lot.tender}/lots/{self.lot.lot}/bids"
        started = client.post(start, json={}, headers=self._authorisation(PEOPLE[-1]))
        assert started.status_code == HTTPStatus.CREATED
        found = {(PEOPLE[-1], start, LANGUAGES[0]): comparable(started)}
        for path in self.paths(app):
            pages = not path.startswith(("/api/", "/custodian/"))
            for who in ("everybody", *PEOPLE, "institution"):
                for language in LANGUAGES if pages and who == "everybody" else LANGUAGES[:1]:
                    headers = {**asked_in(language, path), **self._authorisation(who)}
                    answer = client.open(path, method=method_of(path), headers=headers, buffered=True)
                    found[who, path, language] = comparable(answer)
        return found | self._signed_in(app)

    def _signed_in(self, app: Flask) -> dict[tuple[str, str, str], tuple[int, str, bytes]]:
        """Return what people with a session see, each page in one of the languages in turn."""
        found = {}
        if not self.people:  # once: the pages of an account list its sessions
            self.people = {login: signed_in(app.test_client(), login) for login in (*PEOPLE, *STAFF)}
        for number, path in enumerate(path for path in self.paths(app) if not path.startswith("/api/")):
            language = LANGUAGES[number % 2]
            for login, client in self.people.items():
                answer = client.get(path, headers=asked_in(language, path), buffered=True)
                found[f"session of {login}", path, language] = comparable(answer)
        return found

    def _authorisation(self, who: str) -> dict[str, str]:
        if who in self.tokens:
            return {"Authorization": f"Bearer {self.tokens[who]}"}
        if who != "institution":
            return {}
        _, custodian = self.market.custodians[0]
        nonce, created = secrets.token_bytes(16), self.market.now_ms()
        poll = make_poll(
            audience=self.market.runtime.origin, custodian_kid=custodian.signer.kid, nonce=nonce, created=created
        )
        return {"Authorization": f"MB-ES256 {b64u(dumps(sign_document(poll, custodian.signer).wire()))}"}


@dataclass(kw_only=True)
class Trial:
    """One market with a published lot, and what makes web applications over it."""

    market: Market
    lot: OpenLot
    directory: Path
    database: Database

    def app(self, *, demo: bool) -> Flask:
        """Return the application as it runs in production, or as a demonstration that shows its whole log."""
        clock = FixedClock(self.market.now_ms())
        runtime: Runtime = replace(self.market.runtime, demo=demo, clock=clock)
        settings = Settings(
            process=Process.WEB,
            demo=demo,
            data_dir=self.directory,
            database_url=self.database.url("trading_web"),
            log_origin=self.database.origin,
            jurisdiction="CN",
        )
        return create_app(settings, runtime)

    def bid(self, bidder: Party, total: int) -> None:
        """Seal and submit one bid, and wait for its receipt, as every bidder does."""
        reference = self.market.start_bid(self.lot, bidder)
        context = self.market.context(self.lot, bidder, reference)
        accepted = self.market.submit(bidder, self.market.seal(self.lot, context, total=total))
        self.until_witnessed(accepted.h)

    def begin_upload(self, bidder: Party) -> None:
        """Send the first chunk of a part, and no more."""
        ledger, objects = self.market.ledger, self.market.runtime.objects
        reference = self.market.start_bid(self.lot, bidder)
        uploads = Uploads(ledger=ledger, objects=objects, actor=bidder.actor, bid=reference)
        found = uploads.begin("main", "1" * 64, 2 * LEAST_CHUNK)
        chunk = Chunk(start=0, size=LEAST_CHUNK, body=BytesIO(bytes(LEAST_CHUNK)))
        assert uploads.append(found.id, chunk).offset == LEAST_CHUNK

    def until_witnessed(self, h: bytes) -> None:
        def witnessed() -> bool:
            with self.market.ledger.read() as conn:
                found = receipt(conn, log_reader(self.market.runtime.log_dir), h)
            return found is not None and found.state == "witnessed"

        eventually(witnessed)


@pytest.fixture
def trial(demo_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Trial]:
    caplog.set_level(logging.CRITICAL)
    demo_time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    world = LogWorld(demo_database, tmp_path, clock=demo_time.clock)
    runtime = runtime_of(demo_database, world, MemoryStore())
    try:
        with world.running():
            market = open_market(runtime, bidders=BIDS + 1)
            (lot,) = market.publish()
            Publisher(market=market).work()  # page, feed and open data are there before the first bid
            ledger = Ledger(demo_database.engine("trading_worker"), registry=REGISTRY)
            worker = replace(runtime, ledger=ledger)
            bulletins.build(worker, month_at(market.now_ms()))  # before its time, so that there is one to look at
            yield Trial(market=market, lot=lot, directory=tmp_path, database=demo_database)
    finally:
        world.close()


#: Lists who has looked at what is confidential, so the first round of questions stands in the answers of the second.
LOOKS = "/supervision/accesses"


def differing(
    trial: Trial, app: Flask, happens: Callable[[], None], wanted: tuple[str, ...] = ("/",)
) -> set[tuple[str, str]]:
    """Return who sees which path change when something happens."""
    readers = Readers(market=trial.market, lot=trial.lot, wanted=wanted)
    for h in readers._commitments():
        trial.until_witnessed(bytes.fromhex(h))
    before = readers.ask(app)
    statuses = {status for status, _, _ in before.values()}
    # Few addresses answer 401; which of them are in a part of all is chance.
    assert statuses >= {200, 403, 404} | ({401} if wanted == ("/",) else set())
    assert not {(path, status) for (_, path, _), (status, _, _) in before.items() if status >= 500}
    happens()
    after = readers.ask(app)
    assert before.keys() == after.keys()
    differ = {
        (who, path) for who, path, language in before if before[who, path, language] != after[who, path, language]
    }
    return {(who, path) for who, path in differ if path != LOOKS}


def seven_bids(trial: Trial) -> None:
    """Seven firms bid, and a part of a replacement is on its way."""
    for number, bidder in enumerate(trial.market.bidders[:BIDS], 1):
        trial.bid(bidder, total=1_000_000 * number)
    trial.begin_upload(trial.market.bidders[0])


def test_every_answer_is_the_same_with_no_bid_and_with_seven(trial: Trial) -> None:
    assert differing(trial, trial.app(demo=False), lambda: seven_bids(trial)) == set()


def a_question_and_a_follower(trial: Trial) -> None:
    """One bidder follows the tender and asks about it, as a person of its organisation."""
    bidder = trial.market.bidders[0]
    actor = Actor(account=f"a-{bidder.code}", roles=frozenset({Role.BIDDER}), organisation=bidder.code)
    participation.follow(trial.market.ledger, actor, trial.lot.tender, wanted=True)
    words = "质保期从哪一天算起？"
    _, recorded = clarifications.ask(trial.market.ledger, actor, trial.lot.tender, lot=None, text=words)
    trial.until_witnessed(recorded.h)


#: Where those look who answer questions, or watch.
SHOWN_QUESTIONS = ("/agency", "/supervision", "/audit/log")


@pytest.mark.skipif(not LONG, reason="asks every address twice more; set MINGBIAO_CAMPAIGN=long")
def test_a_question_is_seen_by_those_who_answer_and_watch_and_a_follower_by_nobody(trial: Trial) -> None:
    """The agency sees the question, lamps and log of supervision that there is one to answer; nobody sees who asked.

    Bidders and the public see nothing at all (NOT-36). Names are looked for in tests/usecases/clarifications.
    """
    found = differing(trial, trial.app(demo=False), lambda: a_question_and_a_follower(trial), SHOWN_QUESTIONS)
    agency, watching = {"drafter", "reviewer"}, {"supervisor", "auditor1", "centre1"}
    assert {who for who, _ in found} <= {f"session of {login}" for login in agency | watching}
    assert ("session of drafter", f"/agency/{trial.lot.tender}/questions") in found
    assert ("session of supervisor", f"/supervision/log{ENDLESS}{ONCE}") in found
    assert {path for _, path in found if not path.startswith(SHOWN_QUESTIONS)} == set()


#: The pages that count, and those that show the working head, which only a demonstration does (AL1 L6).
OPEN_IN_A_DEMONSTRATION = ("/count", "/log", "/verify", "/audit/log", "/api/v1/records", "/supervision/health")


def with_a_count(trial: Trial, app: Flask) -> Callable[[], str]:
    """A page of the kind that this test exists to find."""

    def count() -> str:
        with trial.market.ledger.read() as conn:
            number: int = conn.execute(text("SELECT count(*) FROM record.bid")).scalar_one()
        return f"已有 {number} 家投标"

    @allow(Role.SUPERVISOR)
    def count_of_supervisors() -> str:
        return count()

    app.add_url_rule("/count", view_func=public(count))
    app.add_url_rule("/count-of-supervisors", view_func=count_of_supervisors)
    return count


def test_a_page_with_the_count_and_an_open_log_are_found(trial: Trial) -> None:
    """Negative controls: pages that count; the working head, which only a demonstration shows (AL1 L6)."""
    app = trial.app(demo=True)
    with_a_count(trial, app)
    found = differing(trial, app, lambda: seven_bids(trial), OPEN_IN_A_DEMONSTRATION)
    assert {path for _, path in found} >= {"/count", "/log", "/log/checkpoint"}
    assert ("session of supervisor", "/count-of-supervisors") in found
    assert {path for _, path in found if not path.startswith(OPEN_IN_A_DEMONSTRATION)} == set()


def somebody_practises(trial: Trial) -> None:
    """A bidder asks for a practice tender, and bids in it."""
    market, bidder = trial.market, trial.market.bidders[0]
    tender = practising.ask(market.ledger, bidder.actor, 10)
    practice.open_practice(market.runtime, trial.directory / "practice", tender)
    with market.ledger.read() as conn:
        row = procedures.find(conn, tender)
        lot = procedures.find_lot(conn, row.id, "1", "all")
        policy = bid_queries.policy(conn, lot.policy_sha256 or "")
    assert policy is not None
    here = OpenLot(procedure_id=row.id, tender=tender, lot="1", stage="all", close=lot.close_at or 0, policy=policy)
    replace(trial, lot=here).bid(bidder, total=1_000_000)


@pytest.mark.skipif(not LONG, reason="asks every address twice more; set MINGBIAO_CAMPAIGN=long")
def test_who_practises_is_seen_by_nobody_else(trial: Trial) -> None:
    """Negative control in the same run: the pages that count bids are found, because they do not ask which."""
    practice.offer(trial.market.runtime, trial.directory / "practice")
    app = trial.app(demo=False)
    with_a_count(trial, app)
    found = differing(trial, app, lambda: somebody_practises(trial))
    assert {path for _, path in found} == {"/count", "/count-of-supervisors"}
