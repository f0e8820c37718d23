"""Every change of state and every privileged read is an entry: all routes and all commands are walked (F58).

The database refuses a change of a record without its entry (tests/usecases/audit/test_guard.py). What is left to see is
that no route or command changes something else silently: each may record, or stands below with the reason why not.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping

import click
import pytest
from flask import Flask

from tests.build.gallery import gallery
from tests.repo.calls import Calls, calls_of_the_product
from trading.cli import COMMANDS
from trading.kernel.roles import Role
from trading.web import permissions

RECORDS = {"uow.record", "ledger.refuse"}
READING = "trading.audit.service.record_access"

_DRAFT = "what is being drafted is no record until it is published (ADR 0032)"
_OWN = "one's own sessions, tokens and secrets are of the desk; what they allow is a role, which is a record (ADR 0029)"
_SEALED = "nobody is to know that there is something (NOT-36, SUB-07)"
_NOTHING = "it changes nothing"
#: Routes that take more than GET and write no entry, each with its reason.
SILENT_ROUTES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "accounts.end_other_sessions", "accounts.end_session", "accounts.end_token", "accounts.new_token",
            "accounts.password", "accounts.recovery_codes", "accounts.setup", "accounts.signin", "accounts.signout",
            "bidder.seal",
        ),
        _OWN,
    ),
    **dict.fromkeys(
        ("accounts.new_colleague", "accounts.new_key", "accounts.register"), "a request; two approvals are the record"
    ),
    **dict.fromkeys(
        (
            "agency.add_lot", "agency.compare_correction", "agency.contract", "agency.correction", "agency.dates",
            "agency.discard", "agency.documents", "agency.lot", "agency.method", "agency.remove_document",
            "agency.remove_lot", "agency.reopen_correction", "agency.sealing", "agency.start",
            "agency.start_correction", "agency.subject",
        ),
        _DRAFT,
    ),
    **dict.fromkeys(("agency.custodians", "bids.rehearse"), "it asks custodians; their answers are records"),
    **dict.fromkeys(("bidder.follow", "bidder.unfollow", "bids.store_part"), _SEALED),
    **dict.fromkeys(("uploads.append", "uploads.begin", "uploads.give_up", "uploads.offset"), _SEALED),
    **dict.fromkeys(("uploads.address", "uploads.count"), _SEALED),
    "accounts.demo_people": "a demonstration lends an account that everybody may use",
    "upkeep.bring": "it wakes a worker; what is taken of the file is recorded, row by row",
    "auditor.verification": "it puts the check of the log on the list of errands and changes nothing of it",
    "log.compare": _NOTHING,
}  # fmt: skip
#: Commands of the platform that write no entry, each with its reason.
SILENT_COMMANDS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "docs", "doctor", "experts draft", "fsck", "outbox show", "procedure closing-notice",
            "procedure documents", "procedure extension", "statistics", "user list", "verify-audit",
        ),
        _NOTHING,
    ),
    **dict.fromkeys(("clock",), "it starts programs, which record by themselves"),
    **dict.fromkeys(("desk challenge", "desk token"), _OWN),
    "import check": _NOTHING,
    "import ocds": "foreign history is no record: it lies in a schema of its own and no table of the record is changed",
    "log close": "a closed log takes no record; the next log begins with the one that tells it",
    "mirror": "it copies what is public already; it has no database",
    "outbox retry": "it makes errands due again, which record what they do",
    "procedure ask-custodians": "it asks custodians; their answers are records",
    "release": "it records release.installed as the owner of the tables, before there is a ledger",
    "sequencer": "it is the one that logs; its own records go through its queue",
    "tamper": "it falsifies a demonstration on purpose, past the ledger",
}  # fmt: skip


@pytest.fixture(scope="module")
def calls() -> Calls:
    return calls_of_the_product()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return gallery(tmp_path_factory.mktemp("gallery"))


def where(function: Callable[..., object]) -> str:
    found = inspect.unwrap(function)
    return f"{found.__module__}.{found.__qualname__}"


def silent(calls: Calls, functions: Iterator[tuple[str, Callable[..., object]]]) -> set[str]:
    """Return the names of those that can come to no record."""
    recording = calls.recording(RECORDS)
    return {name for name, function in functions if where(function) not in recording}


def changing(app: Flask) -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield every route that takes more than GET: endpoint and view."""
    for row in permissions.table(app):
        if row.methods != ("GET",):
            yield row.endpoint, app.view_functions[row.endpoint]


def unrecorded_readings(calls: Calls, app: Flask) -> set[str]:
    """Return the endpoints whose declaration and whose code differ about recording what is handed out."""
    telling = calls.calling(READING)
    return {
        row.endpoint
        for row in permissions.table(app)
        if row.permission is not None
        and row.permission.privileged is not (where(app.view_functions[row.endpoint]) in telling)
    }


def test_every_route_that_changes_something_records_it_or_says_why_not(calls: Calls, app: Flask) -> None:
    assert silent(calls, changing(app)) == set(SILENT_ROUTES)


def test_every_command_that_changes_something_records_it_or_says_why_not(calls: Calls) -> None:
    assert silent(calls, commands()) == set(SILENT_COMMANDS)


def test_every_privileged_reading_is_recorded(calls: Calls, app: Flask) -> None:
    assert unrecorded_readings(calls, app) == set()
    told = {row.endpoint for row in permissions.table(app) if row.permission and row.permission.privileged}
    of_requests = {f"openness.{name}" for name in ("confirm", "extend", "handle", "reply")}
    of_the_pool = {"dossier.staff", "standing.admit", "standing.file", "standing.search"}
    assert told == {"auditor.bundle", "auditor.record", "auditor.proof"} | of_the_pool | of_requests


FORGETFUL = """
from trading.audit.service import record_access

def recording(ledger):
    with ledger.begin() as uow:
        uow.record(1)

def through_a_table(ledger):
    TABLE["x"](ledger)

TABLE = {"x": recording}

class Act:
    def go(self):
        recording(self.ledger)

def by_an_object(ledger):
    Act().go()

def silently(ledger):
    with ledger.upkeep() as conn:
        conn.execute("UPDATE desk.account SET active = false")

def handed_out(actor):
    record_access(actor)

def let_out(actor):
    return "what is not public"
"""


def test_a_route_that_forgets_its_entry_is_found(calls: Calls, app: Flask) -> None:
    """Negative controls: a change past the record, and a privileged reading that nobody hears of."""
    found = Calls({"forgetful": ast.parse(FORGETFUL), "trading.audit.service": ast.parse("def record_access(a): ...")})
    recording = {name.removeprefix("forgetful.") for name in found.recording(RECORDS)}
    assert recording >= {"recording", "through_a_table", "by_an_object"}
    assert "silently" not in recording
    assert "forgetful.handed_out" in found.calling(READING)
    assert "forgetful.let_out" not in found.calling(READING)
    forgotten = permissions.allow(Role.AUDITOR, privileged=True)(lambda: "handed out")
    app.view_functions["auditor.bundle"], kept = forgotten, app.view_functions["auditor.bundle"]
    try:
        assert silent(calls, changing(app)) - set(SILENT_ROUTES) == {"auditor.bundle"}
        assert unrecorded_readings(calls, app) == {"auditor.bundle"}
    finally:
        app.view_functions["auditor.bundle"] = kept


def commands() -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield every command of the platform's own programs: name and function."""
    for name, place in sorted(COMMANDS.items()):
        module, _, attribute = place.partition(":")
        if module.startswith("trading."):
            yield from _commands(name, getattr(importlib.import_module(module), attribute))


def _commands(name: str, command: click.Command) -> Iterator[tuple[str, Callable[..., object]]]:
    if isinstance(command, click.Group):
        for each, inner in sorted(command.commands.items()):
            yield from _commands(f"{name} {each}", inner)
    elif command.callback is not None:
        yield name, command.callback
