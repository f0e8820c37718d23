"""Before the result no process of a whole platform tells, keeps, logs or mails who was drawn (EXP-14, ED1 D0.5).

The demonstration's tender is played by its own programs up to the last signature of the evaluation report. Then
everybody asks the web over HTTP, and all that is kept or was sent is searched: files and their names, object store,
logs of every process, every table and a dump, every key that Valkey had, the mails that a server received. One name is
planted in each. With the result the names are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

import pytest
from redis import Redis
from sqlalchemy import NullPool, create_engine

from tests.support import leaks
from tests.support.campaigns import LONG, among
from tests.support.expert_names import Crowd, telling
from tests.support.name_readers import PUBLIC, pages
from tests.support.played_names import LOGS, PlayedNames, played
from trading.db import psycopg_url
from trading.demo import cast
from trading.demo.scenes import award, evaluating
from trading.messages.rules.mail import Mail
from trading.messages.service.senders import SmtpSender

CROWD = Crowd(family="爨", given="翊翀", latin="qivorda", digit=3)
ONE_IN = among(5, alone=1)
PERSON = CROWD.person(7, None)

pytestmark = pytest.mark.skipif(not LONG, reason="plays a tender on a platform: MINGBIAO_CAMPAIGN=long")


@pytest.fixture(scope="module")
def world() -> Iterator[PlayedNames]:
    with played(CROWD) as world:
        world.until(evaluating.evaluate)
        yield world


def test_nothing_names_who_was_drawn(world: PlayedNames) -> None:
    assert len(world.called) >= 4
    needles = CROWD.needles_of(world.called)
    answers = replace(world.readers, one_in=ONE_IN).ask()
    assert {status for status, _, _ in answers.values()} >= {200, 403, 404}
    assert not {path for (_, path), (status, _, _) in answers.items() if status >= 500}
    assert leaks.search(pages(answers), needles) == {}
    kept = list(world.kept())
    assert leaks.search(kept, needles) == {}
    names = {place.name for place in kept}
    assert names >= {"pg_dump", "table record.expert_identity", *(f"logs/{each}.log" for each in LOGS)}
    assert {name.partition(":")[0] for name in names if name.startswith("key ")} >= {"key rq"}
    assert any(name.startswith("key rq:job:") for name in names)
    # The search itself sees what is there.
    found = leaks.search(kept, {"tender": world.play.reference})["tender"]
    assert found >= {"pg_dump", "table record.procedure", "table log.audit_entry", "logs/web.log"}


def test_a_call_names_no_project_and_no_bidder(world: PlayedNames) -> None:
    mails = [each for each in world.kept() if each.name.startswith("mail ")]
    assert len({each.name for each in mails}) == len(world.inbox.received) >= 8
    told = {each.key: each.name_zh for each in cast.BIDDERS} | {f"code {each.key}": each.code for each in cast.BIDDERS}
    told |= {"tender": world.play.reference, "draw": world.play.draw, "what": "课桌"}
    assert telling(mails, told) == {}
    plain = leaks.Place("mail control", f"{cast.BIDDERS[0].name_zh}, {world.play.reference}".encode())
    assert set(telling([plain], told)) == {cast.BIDDERS[0].key, "tender"}


def in_a_file(world: PlayedNames) -> None:
    (world.platform.data_dir / "objects" / "plain").write_text(PERSON.name, encoding="gb18030")


def in_the_name_of_a_file(world: PlayedNames) -> None:
    (world.platform.data_dir / "objects" / f"{PERSON.name}.pdf").touch()


def in_the_log_of_a_process(world: PlayedNames) -> None:
    with (world.platform.data_dir / "logs" / "contact.log").open("a") as log:
        log.write(f"calling {PERSON.phone}\n")


def in_a_table(world: PlayedNames) -> None:
    query = "INSERT INTO log.audit_entry (kind, record, nonce) VALUES ('config.changed', %s, %s)"
    with create_engine(psycopg_url(leaks.superuser(world.platform)), poolclass=NullPool).begin() as connection:
        connection.exec_driver_sql(query, (PERSON.employer.encode(), bytes(32)))


def in_a_job(world: PlayedNames) -> None:
    assert world.platform.valkey is not None
    with Redis.from_url(world.platform.valkey.url) as client:
        client.hset("rq:job:control", mapping={"description": f"worker.call({PERSON.mail!r})"})


def in_a_mail(world: PlayedNames) -> None:
    (session,) = {each.mail_from for each in world.inbox.received}
    sender = SmtpSender(url=world.mail_url, sender=str(session))
    sender.send(10**6, Mail(to="somebody@mail.example", subject=f"{PERSON.name}：请回复", text="请回复。"))


Control: TypeAlias = Callable[[PlayedNames], None]
CONTROLS: Mapping[Control, tuple[str, str]] = {
    in_a_file: ("name", "objects/plain"),
    in_the_name_of_a_file: ("name", f"name of objects/{PERSON.name}.pdf"),
    in_the_log_of_a_process: ("phone", "logs/contact.log"),
    in_a_table: ("employer", "table log.audit_entry"),
    in_a_job: ("mail", "key rq:job:control"),
    in_a_mail: ("name", "mail "),
}


def test_with_the_result_the_names_are_there(world: PlayedNames) -> None:
    """The positive control: the same readers over HTTP, the same search."""
    world.until(award.award)
    found = leaks.search(pages(replace(world.readers, one_in=1).ask_in_public()), CROWD.needles_of(()))
    assert f"{PUBLIC}: /procedures/{world.play.reference}/draw" in found["name"]
    assert found.keys() == {"name"}
    places = leaks.search(world.kept(), CROWD.needles_of(()))
    assert places["name"] >= {"pg_dump", "table record.panel_name"}
    assert "phone" not in places


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.__name__)
def test_one_planted_name_is_found(world: PlayedNames, control: Control) -> None:
    """After the rest: the platform is no more what it was."""
    needle, place = CONTROLS[control]
    before = {each.name for each in world.kept()} if place == "mail " else set()
    control(world)
    there = [each for each in world.kept() if each.name.startswith(place) and each.name not in before]
    assert leaks.search(there, CROWD.needles_of(()))[needle] == {each.name for each in there}
