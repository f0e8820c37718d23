"""A bid of 500 MB sealed and sent from Chromium to a whole platform, in a tab of at most 200 MB (SB1 S6, S7, P15).

The rate of sealing is told here and judged by ``bench seal`` on an idle machine. Controls: a file with one byte more
and an answer about another record are found.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.support.browser import fresh_page, random_file
from benchmarks.support.sent_bid import sender
from tests.support.campaigns import LONG

SIZE_MB = 500
MEMORY_MB = 200.0

pytestmark = pytest.mark.skipif(not LONG, reason="minutes of a whole platform: `python3 run.py test long large_bid`")


def test_a_large_bid_is_sealed_and_sent_in_a_small_tab(record_property: Callable[[str, object], None]) -> None:
    # On the disk, as the platform's own: the memory that holds the other tests' files is smaller than all this.
    with tempfile.TemporaryDirectory(prefix="mb-", dir="/tmp") as folder, sender() as sending:
        source = random_file(Path(folder), SIZE_MB)
        with fresh_page(Path(folder), sending.address) as page:
            sent = sending.send(page, source)
        rates = {name: f"{SIZE_MB / sent[f'{name}_s']:.1f} MB/s" for name in ("seal", "look", "send")}
        record_property("large bid", f"{rates}, commit {sent['commit_s']:.2f} s, tab {sent['tab_mb']:.0f} MB")
        assert sending.problems(sent, source) == []
        assert sent["tab_mb"] <= MEMORY_MB
        other = {**sent, "content": {**sent["content"], "h": "0" * 64}}
        assert sending.problems(other, source) == ["the version that was sent does not stand"]
        with source.open("ab") as file:
            file.write(b"\0")
        assert sending.problems(sent, source) == ["the opened file is not the one that was chosen"]
