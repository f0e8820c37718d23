"""``python -m trading.demo --real-bids FILE --json``: past tenders through the whole platform, winners compared."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.campaigns import LONG
from tests.support.watched import Watched, watched

HEAD = "Tender,Bid_value,Winner\n"
# Line 2 begins. Tender 8 is a tie whose second row the file marks; the winner of tender 9 was not the lowest.
PAST = (
    "7,1000.50,0.0\n"
    "7,999.99,1.0\n"
    "7,1200,0.0\n"
    "8,500,0.0\n"
    "9,300.10000000000002,0.0\n"
    "8,500,1.0\n"
    "8,about 700,0.0\n"
    "9,350,1.0\n"
    "8,700,0.0\n"
)


def replay(path: Path) -> tuple[Watched, list[str]]:
    with watched(sys.executable, "-m", "trading.demo", "--real-bids", str(path), "--json") as run:
        assert run.still_running() == []
        assert run.left_behind() == []
    return run, run.output.strip().splitlines()


@pytest.mark.skipif(not LONG, reason="a platform of its own: MINGBIAO_CAMPAIGN=long")
def test_every_tender_is_replayed_and_the_last_line_says_how(tmp_path: Path) -> None:
    path = tmp_path / "past.csv"
    path.write_text(HEAD + PAST, encoding="utf-8")
    run, lines = replay(path)
    assert run.code == 0, run.output
    assert any("postgres" in command for command in run.processes.values())
    found = json.loads(lines[-1])
    assert found.pop("seconds") > 0
    different = {"tender": "9", "chosen_line": 6, "chosen_amount": 30_010, "file_line": 9, "file_amount": 35_000}
    assert found == {
        "tenders": 3,
        "bids": 8,
        "winners_equal": 2,
        "different": [different],
        "rows_left_out": [{"line": 8, "reason": "'about 700' is not a decimal amount"}],
        "amounts_rounded": 1,
    }
    assert any("line 8" in line for line in lines)
    assert any("tender 9" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("Tender,Amount,Winner\n1,5,1\n", "no column Bid_value"), (HEAD, "no row"), (HEAD + "1,x,1\n", "no row")],
)
def test_another_file_is_refused_before_anything_starts(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "other.csv"
    path.write_text(text, encoding="utf-8")
    run, lines = replay(path)
    assert (run.code, run.processes, run.places) == (1, {}, set())
    assert any(reason in line for line in lines)
    assert any("Nothing was started" in line for line in lines)
