"""Files of opened bids: inspected before anybody sees them; a hostile one stops nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from tests.build.signed_log import policy_text
from tests.support.buckets import S3Server, Way
from tests.support.doorman import doorman
from tests.support.sitting import OFFER, PRICES
from tests.usecases.evaluation.conftest import Opened
from tests.usecases.evaluation.test_pages import Room, examine, room  # noqa: F401 - a fixture
from trading.assembly import opened_in
from trading.audit import errands, relay
from trading.audit.runtime import Runtime
from trading.audit.tables import audit_entry
from trading.audit.tables import errand as errand_table
from trading.bids import copying
from trading.commands import objects
from trading.commands.audits import fsck
from trading.evaluation import jobs
from trading.evaluation.queries import OpenedFile, drawn_page, files_of
from trading.evaluation.service import files
from trading.inspection.findings import MOST_PREVIEW, Found, Inspection, Verdict
from trading.inspection.limits import Limits
from trading.inspection.looking import look
from trading.inspection.sandbox import inspect
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.storage.local import LocalStore
from trading.storage.pair import PairedStore
from trading.storage.s3 import S3Store
from trading.web import downloads

HANGS = "while True: pass"
HANDLERS = {**relay.handlers(jobs.SUBSCRIPTIONS), **jobs.ERRANDS}


@dataclass
class Worker:
    """The worker of an evaluation, and the room whose pages read from the same stores."""

    room: Room
    runtime: Runtime

    def work(self) -> None:
        relay.relay(self.runtime, jobs.SUBSCRIPTIONS)
        while True:
            with self.runtime.ledger.read() as conn:
                due = [each for each in errands.due(conn, errands.platform_ms(conn)) if each.name in HANDLERS]
            if not due:
                return
            for each in due:
                errands.run(self.runtime, HANDLERS, each.id)

    def files(self, key: str) -> dict[str, OpenedFile]:
        with self.runtime.ledger.read() as conn:
            return {each.path: each for each in files_of(conn, self.room.sitting.bids[key]) or ()}

    def bodies(self) -> dict[str, dict[str, Any]]:
        query = select(audit_entry.c.record).where(audit_entry.c.kind == "bid.inspected")
        with self.runtime.ledger.read() as conn:
            found = [loads_object(bytes(raw))["body"] for raw in conn.execute(query).scalars()]
        assert len(found) == len({body["bid"] for body in found}), "once for each bid"
        return {body["bid"]: body for body in found}


@pytest.fixture
def worker(opened: Opened, room: Room, tmp_path: Path) -> Iterator[Worker]:  # noqa: F811 - the fixture
    app = next(iter(room.clients.values())).application
    runtime = replace(
        app.extensions["runtime"],
        objects=LocalStore(opened.objects),
        opened=LocalStore(tmp_path / "opened"),
        spool=tmp_path / "spool",
    )
    app.extensions["runtime"] = runtime
    yield Worker(room, runtime)
    assert list((tmp_path / "spool").iterdir()) == [], "nothing in clear is left behind"


def test_every_file_is_inspected_and_hostile_ones_are_kept_away(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inspected(file: BinaryIO, name: str) -> Inspection:
        if name == "letter.txt":  # every bid has one
            return look(file, name)
        if name != "offer/hang.bin":
            return inspect(file, name)
        confined = f"import sys; from trading.inspection.limits import *; confine(Limits(cpu_s=1))\n{HANGS}"
        return inspect(file, name, limits=Limits(cpu_s=1), program=("-c", confined))

    monkeypatch.setattr(files, "inspect", inspected)
    room = worker.room  # noqa: F811 - the one of the fixture
    examine(room)
    page = room.of("songtao", "bids")
    assert "still being looked into" in room.get("m-a1", page).text, "nothing is shown before"
    worker.work()
    found = worker.files("songtao")
    assert {path: (each.verdict.value, each.findings) for path, each in found.items()} == {
        "letter.txt": ("clean", ()),
        "offer/hang.bin": ("quarantined", (Found.LIMIT_TIME,)),
        "offer/macro.docx": ("quarantined", (Found.OFFICE_MACRO,)),
        "offer/offer.pdf": ("clean", ()),
        "offer/photo.png": ("clean", ()),
        "offer/plan.docx": ("warned", (Found.OFFICE_EMBEDDED,)),
        "offer/script.pdf": ("quarantined", (Found.PDF_SCRIPT,)),
    }
    for key in PRICES:
        others = worker.files(key)
        assert others["letter.txt"].preview == f"{key}: {PRICES[key]}"
        assert key == "songtao" or len(others) == 1
    body = worker.bodies()[room.sitting.bids["songtao"]]
    rows = [{"findings": list(e.findings), "path": e.path, "sha256": e.sha256} for e in found.values()]
    listed = sha256_hex(dumps(sorted(rows, key=lambda row: str(row["path"]))))
    assert body == {
        "bid": room.sitting.bids["songtao"], "clean": 3, "list_sha256": listed, "quarantined": 3, "warned": 1,
    }  # fmt: skip
    worker.work()
    assert len(worker.bodies()) == len(PRICES)
    _require_pages(worker, found, page)


def _require_pages(worker: Worker, found: dict[str, OpenedFile], page: str) -> None:
    """What members, the agency and strangers get of the files."""
    shown = worker.room.get("m-a1", page).text
    assert all(path in shown for path in found)
    assert [shown.count(word) for word in ("Kept away", "Read with care", "Nothing found")] == [3, 1, 3]
    for path, each in found.items():
        address = f"{page}/files/{each.sha256}"
        saved = worker.room.get("m-a1", address)
        if each.verdict is Verdict.QUARANTINED:
            assert (address in shown, saved.status_code) == (False, HTTPStatus.NOT_FOUND), path
            continue
        assert sha256_hex(saved.data) == each.sha256, path
        assert saved.headers["Content-Disposition"].startswith("attachment;"), path
        assert (saved.mimetype, saved.headers["Cache-Control"]) == ("application/octet-stream", "no-store")
        for who, status in (("drafter", 200), ("idle", 404), ("other", 404)):
            assert worker.room.get(who, address).status_code == status, who
        text = worker.room.get("m-a1", f"{address}/text")
        assert text.status_code == (200 if each.preview else 404), path
    letter = found["letter.txt"]
    assert f"songtao: {PRICES['songtao']}" in worker.room.get("m-a1", f"{page}/files/{letter.sha256}/text").text
    other = worker.room.of("bolin", "bids")
    assert worker.room.get("m-a1", f"{other}/files/{letter.sha256}").status_code == HTTPStatus.NOT_FOUND, (
        "another bid's"
    )


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look in this process: the sandbox has its tests."""
    monkeypatch.setattr(files, "inspect", look)


@pytest.mark.usefixtures("_at_once")
def test_a_part_that_cannot_be_read_waits_and_comes_back(worker: Worker, tmp_path: Path) -> None:
    whole = worker.runtime
    worker.runtime = replace(whole, objects=LocalStore(tmp_path / "empty"))
    worker.work()
    with whole.ledger.read() as conn:
        troubles = errands.backlog(conn, errands.platform_ms(conn)).troubles
    assert {each.name for each in troubles} == {files.INSPECT}
    with whole.ledger.upkeep() as conn:  # a minute later
        rows = errand_table.update().where(errand_table.c.name == files.INSPECT)
        conn.execute(rows.values(due_at=errands.platform_ms(conn)))
    worker.runtime = whole
    worker.work()
    assert len(worker.bodies()) == len(PRICES)


@pytest.mark.usefixtures("_at_once")
def test_nothing_in_clear_lies_among_the_sealed_objects(worker: Worker, tmp_path: Path) -> None:
    """What is copied to the second store is ciphertext alone (S7.4)."""
    before = set(worker.runtime.objects.walk())
    worker.work()
    assert set(worker.runtime.objects.walk()) == before
    letter = worker.files("bolin")["letter.txt"]
    assert (tmp_path / "opened" / letter.sha256[:2] / letter.sha256).is_file()
    store = LocalStore(tmp_path / "root")
    store.folder("opened").put(b"in clear")
    assert list(store.walk()) == []


def test_texts_of_one_bid_are_kept_up_to_a_bound() -> None:
    """Thousands of files with a long text each would fill the memory of whoever shows the list."""
    texts = ("a" * 4, "b" * 4, "c" * 3, "", "d" * 2)
    made = [OpenedFile(path=str(n), sha256="", size=9, kind="text", findings=(), preview=text)
            for n, text in enumerate(texts)]  # fmt: skip
    assert [each.preview for each in files.with_texts(iter(made), most=9)] == ["a" * 4, "b" * 4, "", "", ""]
    assert [each.preview for each in files.with_texts(iter(made), most=10)] == ["a" * 4, "b" * 4, "", "", "d" * 2]
    assert list(files.with_texts(iter(made), most=13)) == made
    assert files.MOST_TEXT >= 50 * MOST_PREVIEW, "no bid of usual size is touched"


@pytest.mark.usefixtures("_at_once")
def test_only_who_may_save_a_file_gets_an_address_and_only_of_what_is_shown(
    worker: Worker, s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where readers reach the bucket (ADR 0062): the same questions are asked first as for the bytes."""
    monkeypatch.setattr(downloads, "LEAST_BY_ADDRESS", 1)
    store, room = S3Store(s3.outside(), tmp_path / "spool"), worker.room  # noqa: F811 - the one of the fixture
    worker.runtime = replace(worker.runtime, opened=store)
    room.clients["m-a1"].application.extensions["runtime"] = worker.runtime
    examine(room)
    page = room.of("songtao", "bids")
    assert room.get("m-a1", f"{page}/files/{sha256_hex(b'songtao')}").status_code == HTTPStatus.NOT_FOUND
    worker.work()
    seen = set()
    with s3.on(Way(before=doorman())):
        for each in worker.files("songtao").values():
            address = f"{page}/files/{each.sha256}"
            for who in ("idle", "other"):
                answer = room.get(who, address)
                assert answer.status_code == HTTPStatus.NOT_FOUND, who
                assert "Location" not in answer.headers, who
            answer = room.get("m-a1", address)
            seen.add((each.verdict, answer.status_code))
            if each.verdict is Verdict.QUARANTINED:
                assert "Location" not in answer.headers
                continue
            assert answer.headers["Cache-Control"] == "no-store"
            with urlopen(answer.headers["Location"]) as found:  # noqa: S310 - the server of the tests
                assert found.headers["Content-Type"] == "application/octet-stream"
                assert found.headers["Content-Disposition"].startswith("attachment;")
                assert sha256_hex(found.read()) == each.sha256
    assert seen == {
        (Verdict.CLEAN, HTTPStatus.SEE_OTHER),
        (Verdict.WARNED, HTTPStatus.SEE_OTHER),
        (Verdict.QUARANTINED, HTTPStatus.NOT_FOUND),
    }


@pytest.mark.usefixtures("_at_once")
def test_what_was_opened_has_a_second_copy_and_fsck_reads_both(worker: Worker, tmp_path: Path, opened: Opened) -> None:
    """In folders of their own in both stores; what was kept away is in neither, and nothing asks for it."""
    sealed = PairedStore(first=LocalStore(opened.objects), second=LocalStore(tmp_path / "copies"))
    clear = opened_in(sealed)
    worker.runtime = replace(worker.runtime, objects=sealed, copies=sealed, opened=clear)
    worker.work()
    found = [each for key in PRICES for each in worker.files(key).values()]
    shown = {each.sha256 for each in found if each.verdict is not Verdict.QUARANTINED}
    with worker.runtime.ledger.read() as conn:
        drawn = [drawn_page(conn, worker.room.sitting.bids["songtao"], each, number + 1)
                 for each in shown for number in range(len(OFFER))]  # fmt: skip
    images = {image for page in drawn if page is not None for image in (page.large or "", page.small or "")}
    assert len(images) >= 2 * len(OFFER), "of a PDF and of a photo, the smallest of which is one in both sizes"
    shown |= images
    assert (set(clear.first.walk()), set(clear.second.walk())) == (shown, set())
    _require_told(opened, tmp_path, dict.fromkeys(shown, "second"), later=True)
    assert copying.compare(worker.runtime, {}) is not None
    assert set(clear.first.walk()) == set(clear.second.walk()) == shown
    assert not shown & set(sealed.second.walk()), "apart from what is sealed"
    _require_told(opened, tmp_path, {})
    lost = min(shown)
    clear.first.remove(lost)
    assert sha256_hex(clear.get(lost)) == lost, "read from the second one meanwhile"
    _require_told(opened, tmp_path, {lost: "first"})
    assert copying.compare(worker.runtime, {}) is not None
    _require_told(opened, tmp_path, {})
    for each in shown:
        clear.remove(each)


def _require_told(opened: Opened, folder: Path, wrong: dict[str, str], *, later: bool = False) -> None:
    """See that the auditor's command names exactly these objects of opened bids as missing, by their store."""
    environment = {
        "DATABASE_URL": opened.database.url("trading_auditor"),
        "LOG_DIR": str(folder / "log"),
        "LOG_ORIGIN": "log.test/audit",
        "OBJECT_STORE_URL": opened.objects.as_uri(),
        "OBJECT_COPY_URL": (folder / "copies").as_uri(),
        "WITNESS_POLICY": str(folder / "policy"),
    }
    (folder / "policy").write_text(policy_text())
    with pytest.MonkeyPatch.context() as patch:
        if later:
            patch.setattr(objects, "ON_ITS_WAY_MS", 0)
        told = json.loads(CliRunner().invoke(fsck, ["--json", "--objects"], env=environment).stdout)
    found = {each["place"] for each in told["findings"] if each["place"].startswith("opened ")}
    assert found == {f"opened {store} store {digest}" for digest, store in wrong.items()}


def test_what_an_inspection_that_was_killed_left_in_clear_is_removed(tmp_path: Path) -> None:
    """And what another one still uses is not: its lock says so."""
    left = tmp_path / "opened-left"
    left.mkdir()
    (left / "plain").write_text("in clear")
    (tmp_path / "other").mkdir()
    with files.opening(tmp_path) as one:
        (one / "plain").write_text("in use")
        with files.opening(tmp_path) as other:
            assert {each.name for each in tmp_path.iterdir()} == {one.name, other.name, "other"}
        assert (one / "plain").read_text() == "in use"
    assert [each.name for each in tmp_path.iterdir()] == ["other"]
