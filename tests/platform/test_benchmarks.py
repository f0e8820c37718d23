"""Measurements that need no platform still measure: they are run by hand, and nobody else notices when they cannot."""

from __future__ import annotations

from pathlib import Path

from benchmarks import log, open, storm, verify  # noqa: A004 - the names are those of the measurements


def test_a_log_is_verified(tmp_path: Path) -> None:
    seconds, memory = verify.verify(*verify.bundle(300, tmp_path))
    assert seconds > 0
    assert memory > 1


def test_bids_are_opened() -> None:
    figures = open.measure(2, 0)
    assert (figures["bids"], figures["opened"]) == (2, 2)


def test_the_log_is_timed() -> None:
    assert log.main(["--size", "600", "--batch", "200", "--json"]) == 0


def test_the_closing_minute_is_as_told() -> None:
    instants = list(storm.instants(6_000))
    assert instants == sorted(instants)
    assert (len(instants), sum(each >= 50 for each in instants)) == (6_000, 1_500)
    assert instants[-1] < 60
