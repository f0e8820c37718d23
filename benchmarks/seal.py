"""Sealing in a real browser: bytes per second, the memory of the tab, and the look back, timed apart (SB1 S6, P15).

The file is made on disk and chosen in the page as a person does; the worker is that of the sealing page. Memory is what
the tab's process alone holds, watched all the while; ciphertexts go to the disk of a fresh profile.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright

from benchmarks.support.machine import finish
from benchmarks.support.processes import children, private_mb
from tests.build.gallery import gallery
from tests.build.sealed_lot import Lot, signer
from tests.support.browser_sealing import SealingPage, given_of
from tests.support.browsers import FLAGS, program
from tests.support.serving import serving

_MB: Final = 1_000_000
_RATE: Final = 40.0  # MB/s
_MEMORY_MB: Final = 200.0
_SMALL_S: Final = 1.0
_LOOK_EVERY_S: Final = 0.05
_CHOSEN: Final = """async ([given, policy]) => {
    const { worker, key, bytes } = window.sealing, began = performance.now();
    const file = document.querySelector("input").files[0], files = [{ path: file.name, file }];
    const shown = await worker.ask("seal", { ...given, key, policy: bytes(policy), files });
    const sealed = performance.now();
    await worker.ask("look");
    return { seal_s: (sealed - began) / 1000, look_s: (performance.now() - sealed) / 1000, parts: shown.parts };
}"""


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


def measure(size_mb: int) -> dict[str, Any]:
    """Seal a small bid, and one with a file of ``size_mb``."""
    with tempfile.TemporaryDirectory(prefix="mingbiao-") as folder, serving(gallery(Path(folder))) as address:
        source = Path(folder) / "offer.bin"
        with source.open("wb") as file:
            for _ in range(size_mb):
                file.write(os.urandom(_MB))
        with sync_playwright() as playwright:
            context = playwright.chromium.launch_persistent_context(
                Path(folder) / "profile", executable_path=program(), args=list(FLAGS)
            )
            page = context.new_page()
            page.goto(f"{address}/static/seal/LICENCES.txt")
            small = _small(page)
            with Watch(os.getpid()).watching() as watch:
                found = _large(page, source)
            context.close()
    overhead = found["parts"][0]["size"] / (size_mb * _MB) - 1
    return {
        "size_mb": size_mb,
        "small_bid_s": round(small, 3),
        "seal_s": round(found["seal_s"], 2),
        "seal_mb_s": round(size_mb / found["seal_s"], 1),
        "look_s": round(found["look_s"], 2),
        "look_mb_s": round(size_mb / found["look_s"], 1),
        "tab_mb": round(watch.most, 1),
        "overhead_percent": round(100 * overhead, 4),
    }


def _small(page: Page) -> float:
    """Return the seconds of a bid of a few bytes, the second of its kind: the first one also loads and compiles."""
    lot, bidder = Lot(), signer(7)
    sealing = SealingPage(page, bidder, bidder.private_key).prepare()
    sealing.seal(lot.context(bidder), lot.policy)
    began = time.perf_counter()
    sealing.seal(lot.context(bidder), lot.policy)
    return time.perf_counter() - began


def _large(page: Page, source: Path) -> dict[str, Any]:
    lot, bidder = Lot(), signer(7)
    page.evaluate("document.body.innerHTML = '<input type=file>'")
    page.set_input_files("input", source)
    SealingPage(page, bidder, bidder.private_key).prepare()
    policy = b64encode(lot.policy.raw).decode()
    found: dict[str, Any] = page.evaluate(_CHOSEN, [given_of(lot.context(bidder)), policy])
    return found


def main(argv: list[str]) -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench seal", description=__doc__)
    parser.add_argument("--size", type=int, default=50, help="size of the file in MB (10^6 bytes)")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args(argv)
    figures = measure(options.size)
    goals = {
        "rate": (figures["seal_mb_s"] >= _RATE, f"at least {_RATE:.0f} MB/s"),
        "memory": (figures["tab_mb"] <= _MEMORY_MB, f"at most {_MEMORY_MB:.0f} MB in the tab"),
        "small bid": (figures["small_bid_s"] <= _SMALL_S, f"at most {_SMALL_S:g} s"),
    }
    return finish("seal", figures, goals, only_json=options.json)
