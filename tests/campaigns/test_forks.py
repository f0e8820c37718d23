"""Somebody who has the log's key shows another history: a witness or an old checkpoint shows it up (AL1 L0, L7.2, F32).

Every fork is flawless in itself, and the witnesses whose signatures it carries are accomplices: nothing but the memory
of others can find it. A normal run plays 4 forks, ``MINGBIAO_CAMPAIGN=long`` 100. The controls are a reader and a
witness without a memory; they must accept every fork, or the campaign proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from agents.witness_server import Reply, Witness
from agents.witness_state import WitnessState
from tests.build.standing_witness import KEY, NOW_MS, SEED
from tests.campaigns.test_tamper import Dice
from tests.support.campaigns import LONG
from tests.support.forks import FORKS, shown, signed
from tests.support.made_log import MadeLog, consistency_path, mth
from tests.support.make_bundle import Files, make_bundle
from tests.support.verifying import failures, state_of, told_once, verify
from trading.audit.rules.cosigning import add_checkpoint_body
from trading.audit.rules.note import parse_checkpoint_text, parse_note, parse_vkey
from trading.kernel.clock import FixedClock
from trading.kernel.encoding import b64
from verifier.report import STATE_GAP, Report
from verifier.verification import Options

ROUNDS = 100 if LONG else 4


@contextmanager
def standing(directory: Path, log: MadeLog) -> Iterator[tuple[Witness, WitnessState]]:
    """Yield a witness of this log that has seen nothing yet."""
    state = WitnessState.create(directory, KEY)
    yield Witness(SEED, state, [parse_vkey(log.signer.vkey)], FixedClock(NOW_MS)), state
    state.close()


def posted(witness: Witness, log: MadeLog, old: int, note: str) -> Reply:
    """Show a note with the proof that it continues the first ``old`` entries of the same log."""
    path = [] if old in (0, len(log.entries)) else consistency_path(old, log.hashes)
    return witness.add_checkpoint(add_checkpoint_body(old, path, note.encode()))


class Case:
    """One fork: the honest log, the other one, and what somebody kept of the honest one."""

    def __init__(self, seed: int) -> None:
        dice = Dice(seed)
        self.tender = told_once("clean")
        self.honest = self.tender.log
        self.fork = FORKS[seed % len(FORKS)]
        self.other, self.same = self.fork(self.honest, dice)
        sizes = [size for size in sorted(self.honest.notes) if size > self.same]
        self.size = dice.of(sizes)
        self.kept = self.honest.notes[self.size][-1]

    @property
    def files(self) -> Files:
        return make_bundle(shown(self.tender, self.other), "audit", "log")

    def judged(self, against: tuple[Path, ...] = ()) -> Report:
        return verify(self.files, self.tender, Options(against=against))

    @property
    def shrinks(self) -> bool:
        return self.size > len(self.other.entries)

    def named(self) -> tuple[str, str]:
        """How a message names the kept note and the other one."""
        roots = (mth(self.honest.hashes[: self.size]), mth(self.other.hashes))
        sizes = (self.size, len(self.other.entries))
        first, second = (f"size {size}, root {b64(root)}" for size, root in zip(sizes, roots, strict=True))
        return first, second


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_an_old_checkpoint_shows_a_fork_up(seed: int, tmp_path: Path) -> None:
    case, kept = Case(seed), tmp_path / "kept"
    kept.write_text(case.kept, "utf-8")
    report = case.judged((kept,))
    check = next(each for each in report.checks if each.id == "AL-06")
    (place, words), *others = check.failures or check.gaps
    assert (place, others) == ("kept", [])
    assert all(name in words for name in case.named()), words
    # A shorter log may be an older bundle: it is named and not passed, and the witness below knows better.
    assert (check.state == STATE_GAP) == case.shrinks, words
    assert report.exit_code == (2 if case.shrinks else 1)
    if not case.shrinks:
        assert "two histories, both signed" in words


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_witness_refuses_a_fork_and_keeps_both_notes(seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    with standing(tmp_path / "w", case.honest) as (witness, state):
        assert posted(witness, case.honest, 0, signed(case.honest)).status == HTTPStatus.OK
        seen, note = state.log(case.honest.origin), signed(case.other)
        for old in (seen.seen.size, min(seen.seen.size, len(case.other.entries))):
            assert posted_from(witness, case.other, old, note).status in {
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.CONFLICT,
                HTTPStatus.UNPROCESSABLE_ENTITY,
            }
        assert state.log(case.honest.origin) == seen
        kept = [(refused.known_note, refused.note) for refused in state.refused()]
        assert kept
        for known, refused in kept:
            assert known is not None
            pair = [parse_checkpoint_text(parse_note(each).text) for each in (known, refused)]
            assert [(each.size, each.root) for each in pair] == [
                (len(log.entries), mth(log.hashes)) for log in (case.honest, case.other)
            ]
        one_size = len(case.other.entries) == len(case.honest.entries)
        assert any(refused.fraud for refused in state.refused()) == one_size  # a proof by itself


def posted_from(witness: Witness, log: MadeLog, old: int, note: str) -> Reply:
    """The same, also where the witness's size lies beyond this log."""
    return (
        posted(witness, log, old, note)
        if old <= len(log.entries)
        else witness.add_checkpoint(add_checkpoint_body(old, [], note.encode()))
    )


@pytest.mark.parametrize("seed", range(len(FORKS)))
def test_control_without_a_memory_every_fork_is_accepted(seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    report = case.judged()
    log_checks = {name: found for name, found in failures(report).items() if name.startswith("AL-")}
    assert (log_checks, state_of(report, "AL-02"), state_of(report, "AL-09")) == ({}, "ok", "ok")
    if case.fork.__name__.startswith("rewritten"):
        assert report.exit_code == 0
    with standing(tmp_path / "w", case.honest) as (witness, state):
        assert posted(witness, case.other, 0, signed(case.other)).status == HTTPStatus.OK
        assert state.refused() == []


def test_the_honest_log_is_accepted_against_every_checkpoint_that_was_kept(tmp_path: Path) -> None:
    tender = told_once("clean")
    kept = [tmp_path / str(size) for size in tender.log.notes]
    for path in kept:
        path.write_text(tender.log.notes[int(path.name)][-1], "utf-8")
    report = verify(make_bundle(tender, "audit", "log"), tender, Options(against=tuple(kept)))
    assert (failures(report), report.exit_code, state_of(report, "AL-06")) == ({}, 0, "ok")
