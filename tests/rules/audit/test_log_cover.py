"""The public head moves by the same number of entries in every window, whatever happens (AL1 L6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.kills import Draws
from trading.audit.rules.cover import SETTLE_S, Chance, Cover, Growth, Rate

RATE = Rate(quantum=8, window_s=10.0)


def chance_of(seed: int) -> Chance:
    """Return numbers that follow from a seed."""
    draws = Draws(str(seed))
    return lambda: draws.below(2**32) / 2**32


CASES = ((0, 0, 40), (0, 7, 8), (8, 8, 9), (16, 15, 33), (3, 0, 20), (0, 5, 5))
TRAFFIC = st.lists(st.tuples(st.floats(0.01, 4.0), st.integers(0, 40)), max_size=60)


class Log:
    """A log that takes in every pad at once, and how its public head stood."""

    def __init__(self, size: int = 0, public: int = 0, seed: int = 0) -> None:
        self.size, self.now = size, 100.0
        self.cover = Cover(RATE, size=size, public=public, now=self.now, chance=chance_of(seed))
        self.moves: list[tuple[float, int]] = []

    def step(self, seconds: float, entries: int = 0) -> None:
        self.now += seconds
        noise = self.cover.noise(self.now)
        self.cover.logged(entries + noise)
        self.size += entries + noise + self.cover.pads(self.now)
        while (boundary := self.cover.boundary(self.now, self.size)) is not None:
            self.moves.append((self.now, boundary))


@given(TRAFFIC, st.integers(0, 2**32), st.integers(0, 300))
def test_the_public_head_moves_by_the_quantum_at_the_end_of_every_window(
    traffic: list[tuple[float, int]], seed: int, size: int
) -> None:
    log = Log(size=size, seed=seed)
    for seconds, entries in traffic:
        log.step(seconds, entries)
    windows = int((log.now - 100.0 - SETTLE_S) // RATE.window_s)
    assert [boundary for _, boundary in log.moves] == [RATE.quantum * (number + 1) for number in range(windows)]
    assert log.size >= log.cover.public


@given(TRAFFIC, st.integers(0, 2**32))
def test_the_size_less_the_credit_is_the_number_of_slots(traffic: list[tuple[float, int]], seed: int) -> None:
    log, slots = Log(seed=seed), 0
    for seconds, entries in traffic:
        before = log.size - log.cover.credit
        log.step(seconds, entries)
        passed = log.size - log.cover.credit - before
        assert 0 <= passed <= RATE.quantum * (2 + int(seconds // RATE.window_s))
        slots += passed
    assert slots == log.size - log.cover.credit


def test_a_window_with_nothing_to_do_is_filled_and_a_busy_one_gets_no_pads() -> None:
    log = Log()
    log.step(RATE.window_s + SETTLE_S)
    assert log.moves == [(log.now, 8)]
    busy = Log(size=1_000)
    busy.step(RATE.window_s + SETTLE_S)
    assert busy.moves == [(busy.now, 8)]
    assert busy.size - 1_000 <= 4  # noise alone


def test_the_head_waits_for_pads_that_are_not_in_the_log_yet() -> None:
    cover = Cover(RATE, size=0, public=0, now=0.0, chance=chance_of(1))
    end = RATE.window_s + SETTLE_S
    assert cover.pads(end) >= RATE.quantum
    assert cover.boundary(end, 7) is None
    assert cover.boundary(end, 8) == 8
    assert cover.boundary(end, 99) is None  # until the next window is over


@pytest.mark.parametrize(
    ("public", "old", "new"), [(0, 0, 40), (0, 7, 8), (8, 8, 9), (16, 15, 33), (3, 0, 20), (0, 5, 5)]
)
def test_boundaries_are_the_sizes_at_which_the_head_will_stand(public: int, old: int, new: int) -> None:
    cover = Cover(RATE, size=public, public=public, now=0.0, chance=chance_of(1))
    wanted = [size for size in range(old + 1, new + 1) if size % 8 == public % 8]
    assert list(cover.boundaries(old, new)) == wanted


def test_a_restart_goes_on_from_the_public_head() -> None:
    log = Log(size=50, public=24)
    assert log.cover.credit == 26
    log.step(RATE.window_s + SETTLE_S)
    assert log.moves == [(log.now, 32)]


def test_the_boundaries_around_an_entry_are_of_the_rate_of_its_time() -> None:
    growth = Growth().changed(Rate(quantum=100), 0).changed(Rate(quantum=30), 200)
    assert growth.changed(Rate(quantum=30), 260) == growth
    assert [growth.around(n) for n in (0, 99, 100, 199, 200, 229, 230)] == [
        *((0, 100), (0, 100), (100, 200), (100, 200)),
        *((200, 230), (200, 230), (230, 260)),
    ]
    for n in range(300):
        lower, upper = growth.around(n)
        assert lower <= n < upper
        assert growth.stood_at(upper)
        assert lower == 0 or growth.stood_at(lower)
    assert Growth.of(growth.document()) == growth
    assert Growth().around(5) == (0, 0)
