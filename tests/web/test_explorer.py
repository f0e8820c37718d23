"""The explorer of the log and the comparison of checkpoints, over a log whose public head a test moves on."""

from __future__ import annotations

import os
import re
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.build.signed_log import SignedLog
from tests.support.covered import QUANTUM, CoveredLog
from tests.support.polling import eventually
from trading.audit.rules.proof import ReceiptState, verify_receipt
from trading.crypto.notes import verify_note_signature
from trading.kernel.clock import SystemClock
from trading.notices.queries import records
from trading.web.headers import PUBLIC_CACHE

EXPLORER = "/log/explorer"
MONTH_S = 30 * 24 * 3600


@pytest.fixture
def visitor(covered: CoveredLog) -> FlaskClient:
    covered.app.config["WTF_CSRF_ENABLED"] = False
    return covered.app.test_client()


def text_of(visitor: FlaskClient, path: str) -> str:
    answer = visitor.get(path, query_string={"lang": "en"})
    assert answer.status_code == 200, path
    return unescape(answer.text)


def age(path: Path, seconds: int) -> None:
    then = SystemClock().now_ms() / 1000 - seconds
    os.utime(path, (then, then))


def test_a_public_entry_shows_its_bytes_and_the_way_to_the_root(covered: CoveredLog, visitor: FlaskClient) -> None:
    h = covered.write("tender.published")
    covered.logged()
    covered.window()
    page = text_of(visitor, f"{EXPLORER}/0")
    assert f'{{"h":"{h}","n":0,"p":"' in page
    assert "It holds" in page
    assert page.count('<span class="way-what">') == 2 + 3  # leaf, three hashes up to eight entries, root
    assert "published 30 days after the entry" in page
    assert "Entry 1 →" in page
    answer = visitor.get(f"{EXPLORER}/0.tlog-proof")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="0.tlog-proof"'
    assert answer.headers["Cache-Control"] == PUBLIC_CACHE, "the same for everybody, and cosignatures follow"
    verified = verify_receipt(
        answer.data, origin=covered.log.database.origin, policy=covered.log.policy, verify=verify_note_signature
    )
    assert verified.state is ReceiptState.LOGGED
    assert (verified.receipt.entry.h.hex(), verified.verified.checkpoint.size) == (h, QUANTUM)


def test_of_a_sealed_entry_only_the_hash_in_the_public_tiles_is_shown(
    covered: CoveredLog, visitor: FlaskClient
) -> None:
    h = covered.write("bid.received")
    covered.logged()
    covered.window()
    page = text_of(visitor, f"{EXPLORER}/0")
    leaf = (covered.log.tiles.root / "public" / f"tile/0/000.p/{QUANTUM}").read_bytes()[:32].hex()
    assert leaf in re.sub(r"</?wbr>", "", page)
    assert "It holds" in page
    assert h not in re.sub(r"</?wbr>", "", page)
    assert "bid.received" not in page
    assert "Logged" not in page
    assert visitor.get(f"{EXPLORER}/0.tlog-proof").status_code == 404


def test_nothing_at_or_above_the_public_head_is_shown(covered: CoveredLog, visitor: FlaskClient) -> None:
    covered.logged()
    covered.window()
    h = covered.write("tender.published")
    covered.logged()
    assert visitor.get(f"{EXPLORER}/{QUANTUM - 1}").status_code == 200
    assert visitor.get(f"{EXPLORER}/{QUANTUM}").status_code == 404
    assert visitor.get(f"{EXPLORER}/commitment/{h}").headers["Location"] == f"/log/entries/{h}"
    covered.passed(h)
    place = visitor.get(f"{EXPLORER}/commitment/{h}").headers["Location"]
    assert int(place.removeprefix(f"{EXPLORER}/")) >= QUANTUM
    assert "Tender notice published" in text_of(visitor, place)


def test_cosignatures_and_times_follow_after_a_month(covered: CoveredLog, visitor: FlaskClient) -> None:
    covered.logged()
    covered.window()
    covered.write("tender.published")
    covered.logged()
    covered.window()
    folder = covered.log.tiles.root / "checkpoints"
    before, after = folder / f"{QUANTUM}-first", folder / f"{2 * QUANTUM}-first"
    eventually(lambda: before.exists() and after.exists())
    last = folder / f"{QUANTUM}-last"
    if not last.exists():
        last.write_bytes(before.read_bytes())
    path = f"{EXPLORER}/{QUANTUM}"
    age(after, MONTH_S - 60)
    assert "Not after" not in text_of(visitor, path)
    age(after, MONTH_S + 60)
    page = text_of(visitor, path)
    assert "witness1.test" in page
    assert "no earlier witnessed checkpoint is at hand" in page
    age(last, MONTH_S + 60)
    assert "no earlier witnessed checkpoint is at hand" not in text_of(visitor, path)


def test_the_search_leads_to_positions_and_commitments(
    covered: CoveredLog, visitor: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = covered.write("tender.published")
    covered.write("lot.failed", 2)
    covered.logged()
    covered.window()
    for sought, place in (("0", "0"), (first, f"commitment/{first}"), (" 1 ", "1")):
        answer = visitor.get(EXPLORER, query_string={"sought": sought})
        assert answer.headers["Location"] == f"{EXPLORER}/{place}"
    for wrong in ("x", "01", "-1", first[:-1], first.upper() if first.upper() != first else "A" * 64):
        page = visitor.get(EXPLORER, query_string={"sought": wrong, "lang": "en"})
        assert (page.status_code, "There is a problem" in page.text) == (200, True)
    text = text_of(visitor, EXPLORER)
    assert text.index(f'"{EXPLORER}/1"') < text.index(f'"{EXPLORER}/0"'), "the newest first"
    only = visitor.get(EXPLORER, query_string={"kind": "lot.failed"}).text
    assert f"{EXPLORER}/1" in only
    assert f'href="{EXPLORER}/0"' not in only
    monkeypatch.setattr(records, "SPAN", 4)
    older = visitor.get(EXPLORER).text
    assert f'href="{EXPLORER}/1"' not in older
    assert f'href="{EXPLORER}?before={QUANTUM - 4}"' in older
    assert f'href="{EXPLORER}/1"' in visitor.get(EXPLORER, query_string={"before": QUANTUM - 4}).text


def compared(visitor: FlaskClient, note: bytes) -> str:
    answer = visitor.post("/log/compare?lang=en", data={"note": note.decode("utf-8", "replace")})
    assert answer.status_code == 200
    return unescape(answer.text)


def test_kept_checkpoints_are_compared(covered: CoveredLog, visitor: FlaskClient) -> None:
    covered.logged()
    covered.window()
    kept = visitor.get("/log/checkpoint").data
    assert "The same checkpoint" in compared(visitor, kept)
    covered.window()
    page = compared(visitor, kept)
    assert "One history" in page
    assert f"The first {QUANTUM} entries are unchanged; {QUANTUM} came after them" in page
    assert 'download="kept-checkpoint" href="data:text/plain;base64,' in page
    assert "One history" in compared(visitor, kept.replace(b"\n", b"\r\n").rstrip())
    covered.write("tender.published")
    covered.logged()
    working = covered.log.tiles.read("checkpoint")
    assert working is not None
    assert "Larger than the public head" in compared(visitor, working)


def test_a_fork_is_named_and_what_proves_nothing_is_not(covered: CoveredLog, visitor: FlaskClient) -> None:
    covered.logged()
    covered.window()
    origin = covered.log.database.origin
    fork = SignedLog(origin=origin, salt=b"rewritten").grow(QUANTUM)  # signed with the log's own key
    assert "FORK: two histories, both signed" in compared(visitor, fork.note(QUANTUM - 3))
    assert "FORK: two histories, both signed" in compared(visitor, fork.note(QUANTUM))
    for note, said in (
        (SignedLog(origin="other.test/audit").grow(3).note(), "A checkpoint of another log"),
        (fork.note(3).replace(b"\n3\n", b"\n4\n"), "Not signed by this log"),
        (b"a checkpoint, surely", "Not a checkpoint"),
    ):
        page = compared(visitor, note)
        assert said in page
        assert "FORK" not in page
    for wrong in ("", "x" * 70_000):
        answer = visitor.post("/log/compare?lang=en", data={"note": wrong})
        assert (answer.status_code, "There is a problem" in answer.text) == (422, True)
