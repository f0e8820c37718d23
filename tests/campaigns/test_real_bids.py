"""Two files of real tenders through the whole platform: every winner but one is the file's own (only in long runs).

The files are other people's data and lie beside the repository; where they do not, nothing is replayed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.watched import watched
from trading.up.programs import ROOT

DATA = ROOT.parent / "shared" / "data" / "real-bids"
MOST_SECONDS = 180


@pytest.mark.skipif(os.environ.get("MINGBIAO_CAMPAIGN") != "long", reason="325 tenders take minutes: long runs only")
@pytest.mark.parametrize(
    ("name", "tenders", "equal", "different"),
    [("brazil-oil-infrastructure", 101, 101, []), ("switzerland-ticino-roads", 224, 223, ["287"])],
)
def test_the_winners_are_those_of_the_file(
    name: str,
    tenders: int,
    equal: int,
    different: list[str],
    record_property: Callable[[str, object], None],
) -> None:
    path: Path = DATA / f"{name}.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in ../shared/data/real-bids")
    began = time.monotonic()
    with watched(sys.executable, "-m", "trading.demo", "--real-bids", str(path), "--json") as run:
        seconds = time.monotonic() - began
        assert run.code == 0, run.output
        assert (run.still_running(), run.left_behind()) == ([], [])
    found = json.loads(run.output.strip().splitlines()[-1])
    record_property(f"{name}: seconds", round(seconds, 1))
    assert (found["tenders"], found["winners_equal"]) == (tenders, equal)
    assert [row["tender"] for row in found["different"]] == different
    assert seconds <= MOST_SECONDS
