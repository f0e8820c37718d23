"""The play of the demonstration by people who repeat what got no answer, while servers are killed around them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from typing_extensions import override

from trading.demo import people
from trading.demo.play import Play
from trading.kernel.errors import Conflict

ATTEMPTS = 12  # of one command, while its server is killed again and again


class Stubborn(Play):
    """Everybody repeats a command that got no answer; "not yet" (exit 2) is an answer."""

    @override
    def run(self, *words: str) -> str:
        return self._repeat(words, polling=True)

    @override
    def run_together(self, commands: Sequence[Sequence[str]]) -> None:
        """Nobody polls here: "not yet" means that what a command waits for is being started again."""
        with ThreadPoolExecutor(max_workers=max(1, len(commands))) as pool:
            list(pool.map(lambda words: self._repeat(words, polling=False), commands))

    def _repeat(self, words: Sequence[str], *, polling: bool) -> str:
        for _ in range(ATTEMPTS - 1):
            try:
                return people.run(*words)
            except people.ProgramRefused as refusal:
                if polling and refusal.code == people.NOT_YET:
                    raise
                time.sleep(1.0)
        return people.run(*words)

    @override
    def _jumped(self, to_ms: int) -> bool:
        try:
            return super()._jumped(to_ms)
        except Conflict:
            return False  # the log was not witnessed in time: its writer is being started again
