"""Pages, files and monitors of a log that continues a closed one: each record with the log it stands in (AL1 L13)."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from agents.monitor import main as monitor
from tests.support.continued import REASON, ContinuedWorld, close, prepared, resume, witness_all
from tests.support.logs import LogWorld, foreign_growth
from tests.support.serving import serving
from tests.web.conftest import NOW
from trading.app import create_app
from trading.audit.ledger import Ledger
from trading.audit.rules.cover import Rate
from trading.audit.rules.note import parse_note, parse_vkey
from trading.audit.rules.policy import parse_policy
from trading.audit.rules.proof import verify_receipt
from trading.audit.runtime import Runtime
from trading.audit.sequencer.publishing import PublicHead
from trading.config import Process, Settings
from trading.crypto.notes import verify_note_signature
from trading.kernel.clock import FixedClock
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.storage.local import LocalStore
from trading.storage.tiles import CHECKPOINT, PUBLIC

EVENT = Event(kind="config.changed", subject="setting:x", body={"what": "x"})


def log_all(world: LogWorld, ledger: Ledger, count: int) -> None:
    """Write records, have them witnessed, and move the public head to the end."""
    with ledger.begin(Actor.system("test")) as uow:
        for _ in range(count):
            uow.record(EVENT)
    witness_all(world)
    head, size = PublicHead(world.tiles, world.signer), _size(world)
    head.say(Rate(), 0)
    head.move(0, size, size)


def _size(world: LogWorld) -> int:
    return int(parse_note(world.tiles.read(CHECKPOINT) or b"").text.split("\n")[1])


def app_of(world: LogWorld, ledger: Ledger, folder: Path) -> Flask:
    runtime = Runtime(
        ledger=ledger,
        objects=LocalStore(folder / "objects"),
        log_dir=world.log_dir / "tiles",
        origin=world.origin,
        demo=False,
        clock=FixedClock(NOW),
        witness_policy=world.policy_text,
    )
    settings = Settings(
        process=Process.WEB,
        demo=False,
        data_dir=folder,
        database_url=world.database.url("trading_web"),
        log_origin=world.origin,
        jurisdiction="CN",
    )
    app = create_app(settings, runtime)
    app.config["WTF_CSRF_ENABLED"] = False
    return app


@pytest.fixture
def continued(world: LogWorld, ledger: Ledger, tmp_path: Path) -> tuple[ContinuedWorld, Flask]:
    """A log of 300 entries, closed, and 20 entries after it."""
    log_all(world, ledger, 300)
    close(world)
    after = resume(prepared(world, tmp_path / "next"))
    log_all(after, ledger, 19)
    return after, app_of(after, ledger, tmp_path)


def page(visitor: FlaskClient, path: str, status: int = 200) -> str:
    answer = visitor.get(path, query_string={"lang": "en"})
    assert answer.status_code == status, path
    return unescape(answer.text)


def test_pages_say_which_log_a_record_stands_in(continued: tuple[ContinuedWorld, Flask]) -> None:
    after, app = continued
    before, visitor = after.earlier, app.test_client()
    size = _size(before)
    end = size + _size(after)
    told = page(visitor, "/log")
    assert before.origin in told
    assert REASON in told
    assert f"0 to {size - 1}" in told
    assert f"This log continues {before.origin}" in page(visitor, "/verify")
    assert f"entry 7 of the closed log {before.origin}" in page(visitor, "/log/explorer/7")
    first = page(visitor, f"/log/explorer/{size}")
    assert f"Entry 0 of the log {after.origin}" in first
    assert f"← Entry {size - 1}" in first
    assert "It holds" in first
    assert 'href="/log/continued"' in first
    assert f"{end} entries now" in page(visitor, "/log/explorer")
    page(visitor, f"/log/explorer/{end - 1}")
    page(visitor, f"/log/explorer/{end}", 404)


def test_files_of_the_closed_log_lead_to_the_new_one(continued: tuple[ContinuedWorld, Flask]) -> None:
    after, app = continued
    before, visitor = after.earlier, app.test_client()
    final = visitor.get("/log/before/checkpoint").data
    proof = verify_receipt(
        visitor.get("/log/continued").data,
        origin=after.origin,
        policy=parse_policy(after.policy_text),
        verify=verify_note_signature,
    )
    assert proof.receipt.entry.n == 0
    assert proof.record["body"]["old_checkpoint"].encode() == final
    assert visitor.get("/log/before/tile/0/000").data == before.tiles.read("tile/0/000")
    width = _size(before) - 256
    assert len(visitor.get(f"/log/before/tile/0/001.p/{width}").data) == width * 32
    for name in (
        f"tile/0/001.p/{width - 1}",
        "tile/0/002",
        "tile/entries/000",
        f"checkpoints/{_size(before)}-first",
        "before/checkpoint",
    ):
        assert visitor.get(f"/log/before/{name}").status_code == 404, name
    kept = {"note": final.decode()}
    assert "The same checkpoint" in unescape(visitor.post("/log/compare?lang=en", data=kept).text)


def test_a_holder_of_more_of_the_closed_log_is_told(continued: tuple[ContinuedWorld, Flask], tmp_path: Path) -> None:
    after, app = continued
    after.earlier.copy_log(tmp_path / "thief")
    (tmp_path / "thief" / "head" / "closed").unlink()
    kept = {"note": foreign_growth(after.earlier, tmp_path / "thief", entries=2).decode()}
    told = unescape(app.test_client().post("/log/compare?lang=en", data=kept).text)
    assert "Larger than the final checkpoint of a closed log" in told


def test_a_log_without_a_past_has_no_such_files(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    log_all(world, ledger, 3)
    visitor = app_of(world, ledger, tmp_path).test_client()
    page(visitor, "/log/continued", 404)
    page(visitor, "/log/before/checkpoint", 404)
    assert "Closed logs" not in page(visitor, "/log")


def watch(base: str, world: LogWorld, state: Path, *options: str) -> tuple[int, str]:
    words = [f"{base}/log", "--key", world.log_key.vkey, "--state", str(state), *options]
    done = CliRunner().invoke(monitor, words, env={"LANG": "en_GB.UTF-8", "LC_ALL": ""})
    return done.exit_code, done.output


def test_a_monitor_follows_a_log_into_the_next_one(continued: tuple[ContinuedWorld, Flask], tmp_path: Path) -> None:
    after, app = continued
    before, size = after.earlier, _size(after.earlier)
    old, new = tmp_path / "watched", tmp_path / "watching"
    old.mkdir()
    (old / CHECKPOINT).write_bytes((before.tiles.root / PUBLIC / CHECKPOINT).read_bytes())
    assert parse_vkey(before.log_key.vkey).name == before.origin
    with serving(app) as base:
        assert watch(base, before, old)[0] == 2  # its own log is not served under this address any more
        back = ("--before", before.log_key.vkey, str(old))
        code, said = watch(base, after, new, *back)
        assert (code, f"it continues the {size} entries of {before.origin}" in said) == (0, True)
        before.copy_log(tmp_path / "thief")
        (tmp_path / "thief" / "head" / "closed").unlink()
        (old / CHECKPOINT).write_bytes(foreign_growth(before, tmp_path / "thief", entries=2))
        code, said = watch(base, after, new, *back)
        assert (code, f"had {size + 2} entries and is shown with {size}" in said) == (1, True)
        code, said = watch(base, after, new, "--before", after.log_key.vkey, str(old))
        assert (code, "does not begin as the continuation" in said) == (2, True)
