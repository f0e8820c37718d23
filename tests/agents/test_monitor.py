"""Whoever watches the public log notices that it was rewritten, and keeps the proof (AL1 L0)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.monitor import EVIDENCE, NEWEST, main
from tests.build.gallery import gallery
from tests.support.serving import serving
from trading.audit.rules.note import Checkpoint
from trading.audit.rules.tiles import GrowingTree
from trading.audit.sequencer.writer import LogSigner
from trading.kernel.clock import SystemClock
from trading.storage.tiles import CHECKPOINT, PUBLIC, RATE, TileStore

SIGNER = LogSigner("demo.log.example/audit", b"\1" * 32)
STRANGER = LogSigner("demo.log.example/audit", b"\2" * 32)


@dataclass
class Shown:
    """What the platform serves as its public log; ``mark`` tells one history from another."""

    store: TileStore
    signer: LogSigner = SIGNER
    tree: GrowingTree = field(default_factory=GrowingTree)

    def grow(self, count: int, mark: str = "a") -> bytes:
        self.tree.extend([f"{mark}{self.tree.size + number}".encode() for number in range(count)])
        for path, data in self.tree.take_files():
            self.store.write(path, data)
        checkpoint = Checkpoint(origin=self.signer.origin, size=self.tree.size, root=self.tree.root())
        note = self.signer.sign(checkpoint).note.encode()
        self.store.write(CHECKPOINT, note)
        return note


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    store = TileStore(tmp_path / "log" / PUBLIC)
    store.write(RATE, b'{"phases":[{"from":0,"quantum":8,"window_ms":60000}]}')
    return Shown(store)


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Callable[..., Result]]:
    with serving(gallery(tmp_path / "log", demo=False)) as base:

        def run(*options: str) -> Result:
            words = [f"{base}/log", "--key", SIGNER.key.vkey, "--state", str(tmp_path / "seen"), *options]
            return CliRunner().invoke(main, words, env={"LANG": "en_GB.UTF-8", "LC_ALL": ""})

        yield run


def evidence(tmp_path: Path) -> list[tuple[bytes, bytes]]:
    folders = sorted((tmp_path / "seen" / EVIDENCE).iterdir())
    return [((folder / "before").read_bytes(), (folder / "now").read_bytes()) for folder in folders]


def test_a_log_that_grows_is_accepted(shown: Shown, look: Callable[..., Result], tmp_path: Path) -> None:
    assert look().exit_code == 2  # nothing is published yet
    for count, said in ((8, "8 entries, 0"), (0, "8 entries, 8"), (8, "16 entries, 8"), (600, "616 entries, 16")):
        note = shown.grow(count)
        result = look()
        assert result.exit_code == 0, result.output
        assert f"the log only grew: {said} last time" in result.output
        assert (tmp_path / "seen" / NEWEST).read_bytes() == note


@pytest.mark.parametrize("size", [5, 16, 40])
def test_another_history_is_found_and_proved(
    shown: Shown, look: Callable[..., Result], tmp_path: Path, size: int
) -> None:
    """Shorter, as long, and longer than what was shown before."""
    before = shown.grow(16)
    assert look().exit_code == 0
    now = Shown(shown.store).grow(size, mark="b")
    result = look()
    assert result.exit_code == 1, result.output
    assert evidence(tmp_path) == [(before, now)]
    assert (tmp_path / "seen" / NEWEST).read_bytes() == before  # it remembers what it accepted
    Shown(shown.store).grow(24)
    assert look().exit_code == 0  # the honest log is accepted again


def test_two_heads_of_one_size_need_no_tile(shown: Shown, look: Callable[..., Result], tmp_path: Path) -> None:
    before = shown.grow(16)
    assert look().exit_code == 0
    elsewhere = Shown(TileStore(tmp_path / "elsewhere"))
    shown.store.write(CHECKPOINT, elsewhere.grow(16, mark="b"))  # over the tiles of the first history
    assert look().exit_code == 1
    assert evidence(tmp_path)[0][0] == before


def test_a_checkpoint_of_somebody_else_is_compared(shown: Shown, look: Callable[..., Result], tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(shown.grow(8))
    shown.grow(8)
    assert look("--against", str(kept)).exit_code == 0
    kept.write_bytes(Shown(TileStore(tmp_path / "elsewhere")).grow(8, mark="b"))
    assert look("--against", str(kept)).exit_code == 1


def test_what_cannot_be_seen_is_no_fraud(shown: Shown, look: Callable[..., Result], tmp_path: Path) -> None:
    shown.grow(16)
    assert look().exit_code == 0
    shown.grow(8)
    (shown.store.root / "tile" / "0" / "000.p" / "24").unlink()
    assert look().exit_code == 2  # a tile is withheld
    shown.store.write(CHECKPOINT, Shown(TileStore(tmp_path / "elsewhere"), STRANGER).grow(40))
    assert look().exit_code == 2  # signed by another key
    assert not (tmp_path / "seen" / EVIDENCE).exists()


def test_a_log_that_stands_still_is_reported(shown: Shown, look: Callable[..., Result], tmp_path: Path) -> None:
    shown.grow(8)
    assert look().exit_code == look().exit_code == 0
    long_ago = SystemClock().now_ms() / 1000 - 3_600
    os.utime(tmp_path / "seen" / NEWEST, (long_ago, long_ago))
    result = look()
    assert (result.exit_code, "stood still for" in result.output) == (2, True)
