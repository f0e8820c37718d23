"""Turns of submissions: in the order of arrival, never more than there are places, nobody kept for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.polling import eventually
from trading.bids.turns import Turns

_LONG_S = 30.0  # longer than any test waits


class Crowd:
    """Threads that take a turn each and note the order in which they got it."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._threads: list[threading.Thread] = []
        self._here: set[int] = set()
        self._mutex = threading.Lock()
        self.order: list[int] = []
        self.most = 0

    def _run(self, number: int) -> None:
        with self._turns.turn():
            with self._mutex:
                self.order.append(number)
                self._here.add(number)
                self.most = max(self.most, len(self._here))
            with self._mutex:
                self._here.discard(number)

    def add(self, number: int) -> None:
        """Start one, and return when it waits."""
        before = self._turns.waiting
        thread = threading.Thread(target=self._run, args=(number,))
        self._threads.append(thread)
        thread.start()
        eventually(lambda: self._turns.waiting == before + 1)

    def join(self) -> None:
        """Wait for all."""
        for thread in self._threads:
            thread.join(_LONG_S)
            assert not thread.is_alive()


@contextmanager
def _taken(turns: Turns, places: int) -> Iterator[None]:
    """Keep every place of ``turns`` for the block."""
    held = [turns.turn() for _ in range(places)]
    for each in held:
        each.__enter__()
    try:
        yield
    finally:
        for each in held:
            each.__exit__(None, None, None)


@pytest.mark.parametrize("places", [1, 2, 4])
def test_whoever_waits_goes_in_the_order_of_arrival_and_never_more_than_there_are_places(places: int) -> None:
    turns = Turns(places, patience_s=_LONG_S)
    crowd = Crowd(turns)
    with _taken(turns, places):
        for number in range(20):
            crowd.add(number)
        assert crowd.order == []
    crowd.join()
    assert sorted(crowd.order) == list(range(20))
    assert crowd.most <= places
    if places == 1:
        assert crowd.order == list(range(20))
    with _taken(turns, places):  # every place came back
        assert turns.waiting == 0


def test_control_with_places_for_all_nobody_waits() -> None:
    turns = Turns(3, patience_s=_LONG_S)
    with _taken(turns, 2), turns.turn():
        assert turns.waiting == 0


def test_a_place_comes_back_after_an_error() -> None:
    turns = Turns(1, patience_s=_LONG_S)
    with pytest.raises(ZeroDivisionError), turns.turn():
        raise ZeroDivisionError
    with turns.turn():
        assert turns.waiting == 0


def test_whose_patience_ends_goes_on_and_gives_back_no_place_that_it_did_not_have() -> None:
    turns = Turns(1, patience_s=0.01)
    with turns.turn():
        with turns.turn():
            assert turns.waiting == 0
        assert not turns._take()  # still taken: the impatient one left nothing behind
    assert turns._take()
    assert not turns._take()
