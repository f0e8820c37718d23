"""An intake that dies at any step of an entry: what was answered stands, the rest is taken again (SB1 S7.6, AL1 L5)."""

from __future__ import annotations

import secrets
from contextlib import closing
from pathlib import Path

import pytest

from agents.intake.log import IntakeLog
from agents.intake.state import IntakeState, Row
from tests.support.logs import Killed, kill_at
from trading.audit.rules.chain import record_commitment
from trading.audit.rules.policy import parse_policy
from trading.audit.rules.proof import parse_receipt
from trading.audit.sequencer.writer import LogSigner
from trading.kernel.canonical import dumps
from trading.kernel.clock import SystemClock
from trading.kernel.errors import IntegrityFailure

SIGNER = LogSigner("intake.test/log", bytes([5]) * 32)
POLICY = parse_policy(f"log {SIGNER.key.vkey}\nquorum none\n")
CLOCK = SystemClock()


def row(number: int) -> Row:
    record = dumps(
        {
            "actor": "party:1",
            "article": None,
            "at": 1,
            "body": {"number": number},
            "kind": "bid.received",
            "on_behalf_of": None,
            "procedure": "T-1",
            "request": None,
            "subject": "bid:b-1",
            "v": 1,
        }
    )
    nonce = secrets.token_bytes(32)
    return Row(
        sha256=f"{number:064x}",
        h=record_commitment(nonce, record),
        n=None,
        nonce=nonce,
        record=record,
        envelope=b"{}",
        policy_sha256="ab" * 32,
        received_at=number,
    )


def opened(folder: Path, state: IntakeState, step: str = "") -> IntakeLog:
    return IntakeLog(folder, SIGNER, state, POLICY, CLOCK, kill_at(step))


@pytest.mark.parametrize("step", ["B3", "B4", "B5", "B6", "B7", "B8"])
def test_a_kill_at_any_step_loses_nothing_that_was_answered(tmp_path: Path, step: str) -> None:
    IntakeState.create(tmp_path, SIGNER.key.vkey)
    with closing(IntakeState(tmp_path)) as state:
        with closing(opened(tmp_path, state)) as log:
            assert log.append(row(1)) == 0
        with closing(opened(tmp_path, state, step)) as log:
            second = row(2)
            with pytest.raises(Killed):
                log.append(second)
            with pytest.raises(IntegrityFailure):  # half an entry: nothing more before the next start
                log.append(row(3))
        with closing(opened(tmp_path, state)) as log:
            found = state.find(second.sha256)
            if found is None:
                assert step == "B3"
                assert log.append(row(2)) == 1
            assert log.append(row(3)) == 2
            for number in (1, 2, 3):
                stored = state.find(f"{number:064x}")
                assert stored is not None
                assert parse_receipt(log.receipt(stored)[0]).entry.n == number - 1


def test_a_memory_that_was_set_back_is_noticed(tmp_path: Path) -> None:
    """Negative control of the start: the log has an entry that nobody remembers."""
    IntakeState.create(tmp_path, SIGNER.key.vkey)
    with closing(IntakeState(tmp_path)) as state, closing(opened(tmp_path, state)) as log:
        log.append(row(1))
    for path in tmp_path.glob("intake.sqlite3*"):
        path.unlink()
    IntakeState.create(tmp_path, SIGNER.key.vkey)
    with closing(IntakeState(tmp_path)) as state, pytest.raises(IntegrityFailure, match="set back"):
        opened(tmp_path, state)


def test_what_was_received_is_never_forgotten(tmp_path: Path) -> None:
    IntakeState.create(tmp_path, SIGNER.key.vkey)
    with closing(IntakeState(tmp_path)) as state, closing(opened(tmp_path, state)) as log:
        log.append(row(1))
        state.forget_unplaced()
        assert state.find(row(1).sha256) is not None
        assert (state.of_policy("ab" * 32, 1), len(state.of_policy("ab" * 32, 2))) == ([], 1)
        state.know_deadline("ab" * 32, 5)
        state.know_deadline("ab" * 32, 4)
        assert (state.deadline("ab" * 32), state.deadline("cd" * 32)) == (5, 0)
