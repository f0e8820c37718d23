"""Before the result nothing that anybody but the contact service reads names a drawn expert (EXP-14, ED1 D0.5).

Two runs of one tender draw from two crowds. Whatever everybody reads is searched for what identifies a person, and
compared between the runs byte for byte, headers included, when what lawfully differs is replaced (``LAWFUL``). After
the result the names are there, and the same search sees them; one leak is planted in each channel, and it must name
the place.
"""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeAlias
from urllib.parse import quote

import pytest
from flask import Flask, Response, redirect, send_file

from tests.support import leaks
from tests.support.campaigns import LONG
from tests.support.databases import Server, clone
from tests.support.expert_names import (
    ONE,
    OTHER,
    Crowd,
    NameWorld,
    channels,
    files_in,
    found_in,
    logged,
    mails_in,
    rows_of,
)
from tests.support.journey import open_exchange
from tests.support.lawful_differences import comparable, replaced
from tests.support.mail_server import Inbox, mail_server
from tests.support.name_readers import DRAWN, NameReaders, asked_once, pages
from tests.support.ordered_ids import ordered_ids
from tests.support.sitting import opened_tender
from trading.awards import service as awards
from trading.evaluation import service as evaluation
from trading.experts.service import disclosure
from trading.messages.rules.mail import Mail
from trading.messages.service.senders import SmtpSender

ONE_IN = 1 if LONG else 29
AWARDED = Crowd(family="靐", given="龘", latin="ombrevalde", digit=5)
World: TypeAlias = Callable[[Crowd], NameWorld]


@pytest.fixture(scope="module")
def worlds(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Crowd], NameWorld]]:
    """Make a run of the tender for a crowd: bids opened, committee drawn and seated."""
    made: dict[str, NameWorld] = {}
    root = logging.getLogger()
    with ExitStack() as stack:
        stack.enter_context(ordered_ids())
        log = io.StringIO()
        handler, before = logging.StreamHandler(log), root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        stack.callback(root.setLevel, before)
        stack.callback(root.removeHandler, handler)

        def make(crowd: Crowd) -> NameWorld:
            if crowd.family not in made:
                database = stack.enter_context(clone(server, demo=True))
                folder = tmp_path_factory.mktemp("names")
                exchange = stack.enter_context(open_exchange(database, folder))
                tender = opened_tender(exchange)
                world = NameWorld(
                    exchange=exchange, tender=tender, database=database, crowd=crowd, folder=folder, log=log
                )
                world.seat()
                made[crowd.family] = world
            return made[crowd.family]

        yield make


READERS: dict[str, NameReaders] = {}


def readers_of(world: NameWorld, one_in: int = ONE_IN) -> NameReaders:
    """Return the readers of a world; its accounts are made once."""
    if world.crowd.family not in READERS:
        READERS[world.crowd.family] = NameReaders(asked=world.asked, app=world.tender.market.app)
    return replace(READERS[world.crowd.family], one_in=one_in)


def test_nothing_that_is_read_or_kept_names_a_drawn_expert(worlds: World) -> None:
    world = worlds(ONE)
    answers = readers_of(world).ask()
    statuses = {status for status, _, _ in answers.values()}
    assert statuses >= {200, 403, 404}
    assert not {path for (_, path), (status, _, _) in answers.items() if status >= 500}
    assert found_in(pages(answers), ONE) == {}
    kept = list(channels(world))
    assert found_in(kept, ONE) == {}
    # The search itself sees what is there: the tender's reference stands in rows, logs, files and bundles.
    places = leaks.search(kept, {"tender": world.tender.market.tender})["tender"]
    assert {place.partition(" ")[0] for place in places} >= {"trading_web", "trading_auditor", "bundle", "log"}
    assert any(each.name.startswith("mail ") for each in kept)


def answered(view: Callable[[], object]) -> Iterator[leaks.Place]:
    app = Flask("leaking")
    app.add_url_rule("/leak", view_func=view)
    yield from pages(asked_once(app, "/leak"))


def on_a_page(_: NameWorld) -> Iterator[leaks.Place]:
    yield from answered(lambda: f"<p>{PERSON.name}</p>")


def in_a_header_of_a_page(_: NameWorld) -> Iterator[leaks.Place]:
    yield from answered(lambda: ("", {"X-Seat": PERSON.phone}))


def in_a_redirect(_: NameWorld) -> Iterator[leaks.Place]:
    yield from answered(lambda: redirect(f"/experts/{quote(PERSON.name)}"))


def in_the_name_of_a_download(_: NameWorld) -> Iterator[leaks.Place]:
    yield from answered(lambda: send_file(io.BytesIO(b""), as_attachment=True, download_name=f"{PERSON.name}.pdf"))


def escaped_in_the_api(_: NameWorld) -> Iterator[leaks.Place]:
    yield from answered(lambda: {"seat": "m-1", "who": PERSON.name})


def in_the_national_encoding(_: NameWorld) -> Iterator[leaks.Place]:
    yield from answered(lambda: Response(f"席位,姓名\r\n1,{PERSON.name}".encode("gb18030"), mimetype="text/csv"))


def in_base64(_: NameWorld) -> Iterator[leaks.Place]:
    yield from answered(lambda: b64encode(f"who={PERSON.name}".encode()).decode())


def as_a_digest(_: NameWorld) -> Iterator[leaks.Place]:
    yield from answered(lambda: hashlib.sha256(PERSON.name.encode()).hexdigest())


def in_a_search(world: NameWorld) -> Iterator[leaks.Place]:
    """A page that finds people, by their telephone number: what was looked for is no leak, what was found is one."""
    app = Flask("finding")
    app.add_url_rule("/found", view_func=lambda: f"{PERSON.phone}: {PERSON.mail}")
    yield from pages(asked_once(app, f"/found?q={world.crowd.words[-1]}"))


def in_the_log(world: NameWorld) -> Iterator[leaks.Place]:
    before = world.log.tell()
    logging.getLogger("mingbiao.contact").info("calling %s", PERSON.name)
    yield logged(world)
    world.log.seek(before)
    world.log.truncate()


def posted(world: NameWorld, mail: Mail) -> Iterator[leaks.Place]:
    inbox = Inbox(folder=world.folder / "control")
    with mail_server(inbox) as url:
        SmtpSender(url=url, sender="exchange@platform.example").send(7, mail)
    yield from mails_in(world.folder / "control")
    (world.folder / "control" / "1.eml").unlink()


def in_a_mail_header(world: NameWorld) -> Iterator[leaks.Place]:
    mail = Mail(to="somebody@mail.example", subject=f"{PERSON.name}：请回复", text="请回复。")
    yield from posted(world, mail)


def in_the_address_of_a_mail(world: NameWorld) -> Iterator[leaks.Place]:
    mail = Mail(to=f"{PERSON.name} <somebody@mail.example>", subject="请回复", text="请回复。")
    yield from posted(world, mail)


def in_a_file_name(world: NameWorld) -> Iterator[leaks.Place]:
    path = world.folder / f"{PERSON.name}.pdf"
    path.touch()
    yield from files_in(world.folder, without=world.mails)
    path.unlink()


def in_an_archive(world: NameWorld) -> Iterator[leaks.Place]:
    path = world.folder / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("panel.json", PERSON.employer)
    yield from files_in(world.folder, without=world.mails)
    path.unlink()


def in_a_row(world: NameWorld) -> Iterator[leaks.Place]:
    with world.database.connect() as owner:
        owner.exec_driver_sql("CREATE TABLE desk.leak (who text)")
        owner.exec_driver_sql("INSERT INTO desk.leak VALUES (%s)", (PERSON.mail,))
        owner.exec_driver_sql("GRANT SELECT ON desk.leak TO trading_worker")
    yield from rows_of(world.database)
    with world.database.connect() as owner:
        owner.exec_driver_sql("DROP TABLE desk.leak")


PERSON = ONE.person(3, None)
CONTROLS: Mapping[Callable[[NameWorld], Iterator[leaks.Place]], tuple[str, str]] = {
    on_a_page: ("name", "everybody: /leak"),
    in_a_header_of_a_page: ("phone", "everybody: /leak"),
    in_a_redirect: ("name", "everybody: /leak"),
    in_the_name_of_a_download: ("name", "everybody: /leak"),
    escaped_in_the_api: ("name", "everybody: /leak"),
    in_the_national_encoding: ("name", "everybody: /leak"),
    in_base64: ("name", "everybody: /leak"),
    as_a_digest: (f"digest of {PERSON.name}", "everybody: /leak"),
    in_a_search: ("mail", f"everybody: /found?q={PERSON.phone}"),
    in_the_log: ("name", "log"),
    in_a_mail_header: ("name", "mail 1.eml"),
    in_the_address_of_a_mail: ("name", "mail 1.eml"),
    in_a_file_name: ("name", f"file {PERSON.name}.pdf"),
    in_an_archive: ("employer", "file export.zip"),
    in_a_row: ("mail", "trading_worker reads desk.leak"),
}


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.__name__)
def test_one_planted_name_is_found(worlds: World, control: Callable[[NameWorld], Iterator[leaks.Place]]) -> None:
    needle, place = CONTROLS[control]
    assert found_in(control(worlds(ONE)), ONE)[needle] == {place}


def lines(world: NameWorld) -> list[tuple[str, bytes, int, bytes, bytes]]:
    """Return who asked what and what came back, in the order in which it was asked, without what lawfully differs.

    How the drawn member signs in is told to that member, and to whoever asks for that account.
    """
    readers = readers_of(world)
    own, account = readers.drawn_login.encode(), readers.asked.member.account
    found = []
    for (who, path), (status, headers, data) in readers.ask().items():
        known = data.replace(own, b"<own>") if who == DRAWN or account in path else data
        found.append((who, replaced(path.encode()), *comparable((status, headers, known))))
    return found


def parting(left: bytes, right: bytes) -> tuple[str, str]:
    """Return where two answers part, for whoever reads the failure."""
    shared = min(len(left), len(right))
    at = next((place for place in range(shared) if left[place] != right[place]), shared)
    one, other = (each[max(0, at - 60) : at + 60].decode("utf-8", "replace") for each in (left, right))
    return one, other


@pytest.mark.skipif(not LONG, reason="plays the tender twice: MINGBIAO_CAMPAIGN=long")
def test_two_runs_with_other_people_read_the_same(worlds: World) -> None:
    """Not only no name: nothing that follows from who was drawn, its length or its first letter."""
    one, other = (lines(worlds(crowd)) for crowd in (ONE, OTHER))
    assert [each[:2] for each in one] == [each[:2] for each in other]
    differ = {
        (*each[:3], twin[2]): [parting(left, right) for left, right in zip(each[3:], twin[3:], strict=True)]
        for each, twin in zip(one, other, strict=True)
        if each != twin
    }
    assert differ == {}
    # Nothing of a person is masked away, wherever it stands.
    told = "".join(f"<td>{each}</td>" for each in (PERSON.name, PERSON.mail, PERSON.phone, PERSON.employer)).encode()
    assert replaced(told) == told


@pytest.mark.skipif(not LONG, reason="evaluates a whole tender: MINGBIAO_CAMPAIGN=long")
def test_the_names_are_there_with_the_result_and_not_a_step_before(worlds: World) -> None:
    """The positive control: the same readers, the same search."""
    world = worlds(AWARDED)
    sitting, market = world.sitting, world.tender.market
    assert sitting is not None
    sitting.examine()
    sitting.score()
    sitting.sign_report()
    evaluation.evaluate(sitting.ledger, sitting.agency, *sitting.place)
    market.work()
    readers = readers_of(world, 1)
    assert found_in(pages(readers.ask()), AWARDED) == {}
    awards.determine(sitting.ledger, sitting.agency, *sitting.place)
    market.work()
    disclosure.disclose_names(sitting.ledger, sitting.agency, market.tender)
    world.maker.work()
    market.work()
    found = found_in(pages(readers.ask()), AWARDED)
    assert f"everybody: /procedures/{market.tender}/draw" in found["name"]
    assert "phone" not in found
    assert "mail" not in found
    assert "trading_reader reads record.panel_name" in found_in(channels(world), AWARDED)["name"]
