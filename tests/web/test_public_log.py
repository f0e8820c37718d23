"""What the public may read of the log: the public head and the tiles below it; the rest a month later (AL1 L6, L9)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.build.gallery import gallery
from trading.audit.rules.note import Checkpoint
from trading.audit.rules.tiles import GrowingTree
from trading.audit.sequencer.writer import LogSigner
from trading.kernel.clock import SystemClock
from trading.storage.tiles import CHECKPOINT, PUBLIC, RATE, TileStore
from trading.storage.tokens import TokenName, TokenStore

QUANTUM, WORKING = 8, 19
MONTH_S = 30 * 24 * 3600


def note(tree: GrowingTree) -> bytes:
    signer = LogSigner("demo.log.example/audit", b"\1" * 32)
    return signer.sign(Checkpoint(origin=signer.origin, size=tree.size, root=tree.root())).note.encode()


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    """A log of 19 entries whose public head stands at 16; notes of 15, 16 and 19 entries are kept."""
    working, public, tree = TileStore(tmp_path), TileStore(tmp_path / PUBLIC), GrowingTree()
    for size in range(1, WORKING + 1):
        tree.extend([b"entry %d" % size])
        for path, data in tree.take_files():
            working.write(path, data)
            if size == 2 * QUANTUM and "entries" not in path:
                public.write(path, data)
        if size in {15, 16, WORKING}:
            working.keep_witnessed(size, note(tree))
        if size == 2 * QUANTUM:
            public.write(CHECKPOINT, note(tree))
    working.write(CHECKPOINT, note(tree))
    public.write(RATE, b'{"phases":[{"from":0,"quantum":8,"window_ms":60000}]}')
    return tmp_path


def client(log_dir: Path) -> FlaskClient:
    return gallery(log_dir, demo=False).test_client()


def age(path: Path, seconds: int) -> None:
    then = SystemClock().now_ms() / 1000 - seconds
    os.utime(path, (then, then))


def test_the_public_head_is_served_and_not_the_working_one(log_dir: Path) -> None:
    visitor = client(log_dir)
    served = visitor.get("/log/checkpoint")
    assert served.data == (log_dir / PUBLIC / CHECKPOINT).read_bytes()
    assert served.data != (log_dir / CHECKPOINT).read_bytes()
    assert visitor.get("/log/tile/0/000.p/16").status_code == 200
    for width in (15, 17, 19):  # each of them would tell where the log stood at some moment
        assert visitor.get(f"/log/tile/0/000.p/{width}").status_code == 404
    page = visitor.get("/log?lang=en").text
    assert "grows at a fixed rate" in page
    assert ">16<" in page
    assert "19" not in page.partition("<main")[2].partition("</dl>")[0]


def test_cosigned_boundaries_and_full_bundles_follow_after_a_month(log_dir: Path) -> None:
    visitor, boundary = client(log_dir), log_dir / "checkpoints" / "16-first"
    assert visitor.get("/log/checkpoints/16-first").status_code == 404
    age(boundary, MONTH_S - 60)
    assert visitor.get("/log/checkpoints/16-first").status_code == 404
    age(boundary, MONTH_S + 60)
    assert visitor.get("/log/checkpoints/16-first").data == boundary.read_bytes()
    for name in ("checkpoints/15-first", "checkpoints/19-first", "tile/entries/000.p/16", "tile/entries/000.p/19"):
        age(log_dir / name, MONTH_S + 60)
        assert visitor.get(f"/log/{name}").status_code == 404, name


def test_without_a_public_head_nothing_is_served_but_in_a_demonstration(log_dir: Path) -> None:
    (log_dir / PUBLIC).rename(log_dir / "elsewhere")
    assert client(log_dir).get("/log/checkpoint").status_code == 404
    shown = gallery(log_dir, demo=True).test_client().get("/log/checkpoint")
    assert shown.data == (log_dir / CHECKPOINT).read_bytes()


def test_tokens_over_boundaries_follow_after_a_month(log_dir: Path) -> None:
    visitor, store = client(log_dir), TokenStore(log_dir)
    for size in (15, 16, 19):  # of them 16 is where the public head stood
        store.keep(TokenName(size=size, tsa="tsa.test", gen_time=7), b"token")
    boundary = log_dir / "tst" / "16" / "tsa.test-7.tsr"
    for seconds in (0, MONTH_S - 60):
        age(boundary, seconds)
        assert visitor.get("/log/tst/16/tsa.test-7.tsr").status_code == 404
    age(boundary, MONTH_S + 60)
    served = visitor.get("/log/tst/16/tsa.test-7.tsr")
    assert (served.data, served.mimetype) == (b"token", "application/timestamp-reply")
    for name in ("tst/15/tsa.test-7.tsr", "tst/19/tsa.test-7.tsr"):
        age(log_dir / name, MONTH_S + 60)
        assert visitor.get(f"/log/{name}").status_code == 404, name
    for name in ("tst/16/tsa.test-8.tsr", "tst/016/tsa.test-7.tsr", "tst/16/../16/tsa.test-7.tsr", "tst/16/x.tsr"):
        assert visitor.get(f"/log/{name}").status_code == 404, name
