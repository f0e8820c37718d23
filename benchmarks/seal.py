"""Sealing in a real browser: bytes per second, the memory of the tab, and the look back, timed apart (SB1 S6, P15).

The file is made on disk and chosen in the page as a person does; the worker is that of the sealing page. Memory is what
the tab's process alone holds, watched all the while; ciphertexts go to the disk of a fresh profile. With ``--send`` the
bid goes on to a whole running platform: saved package, upload and commit are timed apart, and what arrived is opened.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from benchmarks.support.browser import MB, Watch, choose, fresh_page, random_file
from benchmarks.support.machine import finish
from benchmarks.support.sent_bid import sender
from tests.build.gallery import gallery
from tests.build.sealed_lot import Lot, signer
from tests.support.browser_sealing import SealingPage, given_of
from tests.support.serving import serving

_RATE: Final = 40.0  # MB/s
_MEMORY_MB: Final = 200.0
_SMALL_S: Final = 1.0
_CHOSEN: Final = """async ([given, policy]) => {
    const { worker, key, bytes } = window.sealing, began = performance.now();
    const file = document.querySelector("input").files[0], files = [{ path: file.name, file }];
    const shown = await worker.ask("seal", { ...given, key, policy: bytes(policy), files });
    const sealed = performance.now();
    await worker.ask("look");
    return { seal_s: (sealed - began) / 1000, look_s: (performance.now() - sealed) / 1000, parts: shown.parts };
}"""


def measure(size_mb: int) -> dict[str, Any]:
    """Seal a small bid, and one with a file of ``size_mb``."""
    with tempfile.TemporaryDirectory(prefix="mingbiao-") as folder, serving(gallery(Path(folder))) as address:
        source = random_file(Path(folder), size_mb)
        with fresh_page(Path(folder), address) as page:
            small = _small(page)
            with Watch(os.getpid()).watching() as watch:
                found = _large(page, source)
    return {"size_mb": size_mb, "small_bid_s": round(small, 3), **_sealed(found, size_mb, watch.most)}


def measure_sent(size_mb: int) -> dict[str, Any]:
    """Seal a bid with a file of ``size_mb``, send it to a whole platform, and look at what arrived."""
    with tempfile.TemporaryDirectory(prefix="mingbiao-") as folder, sender() as sending:
        source = random_file(Path(folder), size_mb)
        with fresh_page(Path(folder), sending.address) as page:
            sent = sending.send(page, source)
        problems = sending.problems(sent, source)
    times = {name: round(sent[name], 2) for name in ("keep_s", "send_s", "commit_s")}
    rate = {"send_mb_s": round(size_mb / sent["send_s"], 1)}
    return {"size_mb": size_mb, **_sealed(sent, size_mb, sent["tab_mb"]), **times, **rate, "problems": problems}


def _sealed(found: dict[str, Any], size_mb: int, tab_mb: float) -> dict[str, Any]:
    """Return the figures of sealing and looking back."""
    overhead = found["parts"][0]["size"] / (size_mb * MB) - 1
    return {
        "seal_s": round(found["seal_s"], 2),
        "seal_mb_s": round(size_mb / found["seal_s"], 1),
        "look_s": round(found["look_s"], 2),
        "look_mb_s": round(size_mb / found["look_s"], 1),
        "tab_mb": round(tab_mb, 1),
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
    choose(page, source)
    SealingPage(page, bidder, bidder.private_key).prepare()
    policy = b64encode(lot.policy.raw).decode()
    found: dict[str, Any] = page.evaluate(_CHOSEN, [given_of(lot.context(bidder)), policy])
    return found


def main(argv: list[str]) -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench seal", description=__doc__)
    parser.add_argument("--size", type=int, default=50, help="size of the file in MB (10^6 bytes)")
    parser.add_argument("--send", action="store_true", help="send it to a whole platform, too")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args(argv)
    figures = measure_sent(options.size) if options.send else measure(options.size)
    goals = {
        "rate": (figures["seal_mb_s"] >= _RATE, f"at least {_RATE:.0f} MB/s"),
        "memory": (figures["tab_mb"] <= _MEMORY_MB, f"at most {_MEMORY_MB:.0f} MB in the tab"),
    }
    if options.send:
        goals["arrived"] = (figures["problems"] == [], "the bid stands, has its receipt, and opens to the very file")
    else:
        goals["small bid"] = (figures["small_bid_s"] <= _SMALL_S, f"at most {_SMALL_S:g} s")
    return finish("seal", figures, goals, only_json=options.json)
