"""The bar of ``mingbiao verify``: on a terminal while the work is long, and nowhere else."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from typing_extensions import override

from tests.support.make_bundle import make_bundle, trust_file, write_zip
from tests.support.verifying import told_once
from verifier.progress import LINE_WIDTH, Progress


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


class Hands:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bar_on_a_terminal() -> None:
    terminal, clock = Terminal(), Hands()
    progress = Progress(terminal, clock)
    for seconds, shown in ((0.05, ""), (0.1, "\rlog      ███████████████                 50% 500,000/1,000,000")):
        clock.now = 100.0 + seconds + 1e-9
        progress.tick("log", 500_000, 1_000_000)
        assert terminal.getvalue().rstrip() == shown.rstrip()
    clock.now += 0.05
    progress.tick("log", 600_000, 1_000_000)  # too soon after the last one
    assert terminal.getvalue().count("\r") == 1
    clock.now += 1
    progress.tick("log", 1_000_000, 1_000_000)
    assert "100% 1,000,000/1,000,000" in terminal.getvalue()
    progress.close()
    assert terminal.getvalue().endswith("\r" + " " * LINE_WIDTH + "\r")
    longest = max(len(line) for line in terminal.getvalue().split("\r"))
    assert longest == LINE_WIDTH  # a line that wraps would leave its rest behind


def test_nothing_where_nobody_watches() -> None:
    pipe, clock = io.StringIO(), Hands()
    progress = Progress(pipe, clock)
    for _ in range(5):
        clock.now += 60
        progress.tick("log", 1, 2)
    progress.close()
    assert pipe.getvalue() == ""


def test_a_bar_that_was_never_shown_leaves_nothing() -> None:
    terminal = Terminal()
    progress = Progress(terminal, Hands())
    progress.tick("log", 1, 2)
    progress.close()
    assert terminal.getvalue() == ""


def test_the_command_shows_it_beside_the_report(tmp_path: Path) -> None:
    """Standard output is the report alone, whatever the terminal shows."""
    tender = told_once("clean")
    bundle = write_zip(make_bundle(tender, "audit", "log"), tmp_path / "bundle.zip")
    (tmp_path / "trust.json").write_bytes(trust_file(tender)[0])
    waiting = "import verifier.progress as p; p.PAUSE_SECONDS = 0.0; from verifier.cli import main; import sys; "
    words = [sys.executable, "-c", f"{waiting}sys.exit(main(sys.argv[1:]))", str(bundle)]
    words += ["--trust", str(tmp_path / "trust.json"), "--json"]
    master, slave = pty.openpty()
    with (tmp_path / "report").open("wb") as report, subprocess.Popen(words, stdout=report, stderr=slave) as running:
        os.close(slave)
        shown = all_of(master)
    data = (tmp_path / "report").read_bytes()
    assert (running.returncode, data[:1], data[-2:]) == (0, b"{", b"}\n")
    assert "log      " in shown
    assert shown.endswith("\r" + " " * LINE_WIDTH + "\r")


def all_of(master: int) -> str:
    """Read a terminal until the last program has closed it."""
    shown = b""
    with suppress(OSError):  # how Linux says that nobody has it open any more
        while data := os.read(master, 4096):
            shown += data
    os.close(master)
    return shown.decode()
