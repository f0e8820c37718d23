"""Draws in numbers: recomputed equal by the offline verifier, and uniform over who is drawn (ED1 D16).

A normal run takes a sample; ``run.py test long draws`` plays 1,000 draws and the whole statistics. A failure prints the
story's number, from which the same story is told again.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable

from tests.campaigns.test_tamper import Dice, flip, paths, relisted
from tests.support.made_draw import PARTIES, STRATA, DrawStory, make_draw_bundle, tell_draw, trust_of, verify_draw
from tests.support.made_log import sha256
from tests.support.verifying import failures, memory_bundle
from trading.experts.rules.tickets import calls, order
from verifier.progress import Progress
from verifier.report import Report
from verifier.trust import read_trust
from verifier.verification import Options, verify_bundle

INDICES, DRAWS = 20, 20_000
#: χ² with 3 · 19 = 57 degrees of freedom: one in a thousand lies above it.
CRITICAL = 95.8


def story_of(number: int) -> DrawStory:
    """A story drawn from its number: who hides, deals badly, stays away, refuses."""
    dice = sha256(f"draws/{number}".encode())
    hiding = frozenset(party for party, roll in zip(PARTIES, dice, strict=False) if roll % 3 == 0)
    away = frozenset({PARTIES[dice[3] % 3]}) if dice[4] % 7 == 0 else frozenset[str]()
    void = frozenset({PARTIES[dice[5] % 3]}) if dice[6] % 7 == 0 and not away else frozenset[str]()
    return DrawStory(
        name=f"story {number}",
        experts=12 + dice[7] % 60,
        units=5 + dice[8] % 20,
        absent=away,
        withheld=hiding - away,
        void=void,
        suspended=dice[9] % 4,
        silent=frozenset({1 + dice[10] % 4}) if dice[11] % 5 == 0 else frozenset(),
        no_recovery=frozenset({1 + dice[12] % 4}) if not void and dice[13] % 3 == 0 else frozenset(),
        refusing=frozenset(1 + roll % 8 for roll in dice[14:18]),
        unreachable=frozenset({9 + dice[18] % 3}),
        replaced=dice[19] % 2 == 0,
        cancelled="operator_error" if dice[20] % 9 == 0 else None,
    )


def test_draws_are_recomputed_equal(amount: Callable[[int, int], int]) -> None:
    for number in range(amount(40, 1000)):
        made = tell_draw(story_of(number))
        tier = "public" if number % 2 else "audit"
        report = verify_draw(made, tier)
        assert (failures(report), report.exit_code) == ({}, 0), story_of(number)
        assert made.result is not None


def chi_squared(counts: Counter[int], draws: int) -> float:
    expected = draws / INDICES
    return sum((counts[index] - expected) ** 2 / expected for index in range(INDICES))


def test_everybody_is_as_likely_to_be_called_first() -> None:
    """One of twenty, 20,000 times, in three runs: no index is called first more often than chance allows."""
    runs = []
    for _ in range(3):
        firsts = Counter(next(calls(secrets.token_bytes(32), min(STRATA), 0, INDICES)) for _ in range(DRAWS))
        runs.append(chi_squared(firsts, DRAWS))
    assert sum(runs) < CRITICAL, runs


def test_the_statistics_see_a_loaded_draw() -> None:
    """The control: indices by a byte modulo 25 and again modulo 20 are found at once."""
    loaded = Counter(secrets.randbelow(256) % 25 % INDICES for _ in range(DRAWS))
    assert chi_squared(loaded, DRAWS) > CRITICAL


def test_an_order_is_a_permutation(amount: Callable[[int, int], int]) -> None:
    for number in range(amount(50, 1000)):
        size = 1 + number % 97
        assert sorted(order(sha256(number.to_bytes(4, "big")), "S07", 5, 5 + size)) == list(range(5, 5 + size))


def test_tampered_bundles_are_found(amount: Callable[[int, int], int]) -> None:
    """One bit of any evidence, the list of files adapted to it: the result is a failure that names a place."""
    made = tell_draw(DrawStory(withheld=frozenset({"agency"})))
    files = {tier: make_draw_bundle(made, tier) for tier in ("public", "audit")}
    trust = read_trust(*trust_of(made))
    for number in range(amount(40, 1000)):
        dice = Dice(number)
        whole = files[dice.of(sorted(files))]
        # Not the notes themselves: lines of unknown witnesses are ignored, and two of three are a quorum still.
        path = dice.of(paths(whole, "docs/", "log/", "consistency/"))
        changed = relisted({**whole, path: flip(whole[path], dice)})
        report = Report("Trust: given by the test", trusted=True)
        verify_bundle(memory_bundle(changed), trust, report, Options(), Progress())
        assert report.exit_code == 1, (number, path)
