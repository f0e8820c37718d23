"""A Chromium with a disk of its own, a large file to choose in it, and the memory of its tabs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from benchmarks.support.processes import children, private_mb
from tests.support.browsers import FLAGS, program

MB: Final = 1_000_000
_LOOK_EVERY_S: Final = 0.05


@contextmanager
def fresh_page(folder: Path, address: str) -> Iterator[Page]:
    """Yield a page of the site without a script of its own, in a fresh profile on the disk below ``folder``."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder / "profile", executable_path=program(), args=list(FLAGS)
        )
        try:
            page = context.new_page()
            page.goto(f"{address}/static/seal/LICENCES.txt")
            yield page
        finally:
            context.close()


def random_file(folder: Path, size_mb: int) -> Path:
    """Write a file of random bytes, megabyte by megabyte, and return where it lies."""
    source = folder / "offer.bin"
    with source.open("wb") as file:
        for _ in range(size_mb):
            file.write(os.urandom(MB))
    return source


def choose(page: Page, source: Path) -> None:
    """Choose the file in the page, as a person does: the browser reads it from the disk, piece by piece."""
    page.evaluate("document.body.innerHTML = '<input type=file>'")
    page.set_input_files("input", source)


@dataclass
class Watch:
    """The largest private memory of the tabs below a process, in MB."""

    pid: int
    most: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """Watch from a thread until the end of the block."""
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            tabs = [pid for pid in descendants(self.pid) if is_tab(pid)]
            self.most = max([self.most, *(private_mb(pid) for pid in tabs)])


def descendants(pid: int) -> Iterator[int]:
    """Yield every process below one."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def is_tab(pid: int) -> bool:
    """Whether a process draws a page; the browser has others for the screen, the disk and the network."""
    try:
        return b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
