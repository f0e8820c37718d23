"""The operator's view of what waits, and trying again what was parked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from click.testing import CliRunner, Result

from tests.support.publishing import Publisher
from trading.assembly import ERRANDS
from trading.audit.runtime import Runtime
from trading.commands import outbox as commands

Run = Callable[..., Result]


@pytest.fixture
def run(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``mingbiao outbox`` on the market's machine."""

    @contextmanager
    def runtime() -> Iterator[Runtime]:
        yield publisher.market.runtime

    monkeypatch.setattr(commands, "runtime", runtime)
    return lambda *words: CliRunner().invoke(commands.outbox, words)


def fail(publisher: Publisher, how: str) -> int:
    """Let one errand of a fresh notice fail; return its id."""
    publisher.market.publish()
    publisher.relay()
    with publisher.market.ledger.upkeep() as conn:
        change = f"UPDATE desk.errand SET last_error = 'KeyError()', attempts = 3, {how} WHERE id = %s"  # noqa: S608
        errand = next(each.id for each in publisher.due() if each.name == "notices.atom")
        conn.exec_driver_sql(change, (errand,))
    return errand


def test_an_empty_outbox_and_one_that_waits(publisher: Publisher, run: Run) -> None:
    publisher.work()
    empty = json.loads(run("show", "--json").stdout)
    assert (empty["due"], empty["troubles"]) == (0, [])
    publisher.market.publish()
    publisher.wait_for_log()
    assert json.loads(run("show", "--json").stdout)["entries_behind"]["notices.page"] > 0
    publisher.relay()
    waiting = json.loads(run("show", "--json").stdout)
    assert waiting["due"] == 3
    assert waiting["later"] >= 1  # the close of the lot
    assert set(waiting["entries_behind"].values()) == {0}


def test_drain_publishes(publisher: Publisher, run: Run) -> None:
    publisher.market.publish()
    publisher.wait_for_log()
    assert "done: 3" in run("drain").stdout
    assert publisher.count("SELECT count(*) FROM record.publication") == 3
    assert "done: 0" in run("drain").stdout


def test_a_failing_errand_is_shown(publisher: Publisher, run: Run) -> None:
    errand = fail(publisher, "due_at = due_at")
    shown = run("show")
    assert shown.exit_code == 1
    assert f"FAIL {errand} notices.atom" in shown.stdout
    assert "trying again, 3 × KeyError()" in shown.stdout


def test_a_parked_errand_is_done_after_retry(publisher: Publisher, run: Run) -> None:
    errand = fail(publisher, "parked_at = due_at")
    publisher.work()
    assert "parked" in run("show").stdout
    assert publisher.count("SELECT count(*) FROM record.publication") == 2
    assert run("retry").exit_code == run("retry", "7", "--all").exit_code == 2
    assert "due again: 0" in run("retry", "7").stdout
    assert "due again: 1" in run("retry", str(errand)).stdout
    publisher.work()
    assert publisher.count("SELECT count(*) FROM record.publication") == 3
    assert run("show").exit_code == 0


def test_drain_goes_on_after_a_failure(publisher: Publisher, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise LookupError("no feed today")

    publisher.market.publish()
    publisher.wait_for_log()
    monkeypatch.setitem(cast("dict[str, object]", ERRANDS), "notices.atom", broken)
    drained = run("drain")
    assert "done: 2" in drained.stdout
    assert "no feed today" in drained.stderr
