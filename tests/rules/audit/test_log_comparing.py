"""A kept checkpoint against the newest: one history, another log, nothing signed, and the fork that proves fraud."""

from __future__ import annotations

import pytest

from tests.build.signed_log import LOG_SEED, ORIGIN, SignedLog, log_key, policy_text, sign_line
from trading.audit.rules.comparing import Comparison, Outcome, compare
from trading.audit.rules.note import Checkpoint, Note
from trading.audit.rules.policy import parse_policy
from trading.audit.rules.tree import consistency_proof, nodes_of
from trading.crypto.notes import verify_note_signature
from trading.kernel.errors import InvalidInput

LOG, OTHER = SignedLog().grow(40), SignedLog(salt=b"other").grow(40)
NEWEST = 33


def compared(kept: bytes, newest: bytes | None = None) -> Comparison:
    def proof(old: int, new: int) -> list[bytes]:
        return consistency_proof(old, new, nodes_of(LOG.hashes))

    return compare(
        kept,
        newest or LOG.note(NEWEST),
        origin=ORIGIN,
        policy=parse_policy(policy_text()),
        verify=verify_note_signature,
        proof=proof,
    )


@pytest.mark.parametrize("size", [0, 1, 2, 16, NEWEST - 1])
def test_the_beginning_of_the_log_is_proved(size: int) -> None:
    found = compared(LOG.note(size))
    assert found.outcome is Outcome.CONTINUED
    assert found.proof == tuple(consistency_proof(size, NEWEST, nodes_of(LOG.hashes)))


def test_the_same_checkpoint_is_the_same_with_any_cosignatures() -> None:
    found = compared(LOG.note(NEWEST, cosigners=((1, 1_700_000_500), (3, 1_700_000_501))))
    assert found.outcome is Outcome.SAME
    assert found.kept is not None
    assert sorted(found.kept.times.values()) == [1_700_000_500, 1_700_000_501]


def test_one_entry_more_than_the_public_head_waits() -> None:
    assert compared(LOG.note(NEWEST + 1)).outcome is Outcome.AHEAD


@pytest.mark.parametrize("size", [1, 16, NEWEST - 1, NEWEST])
def test_another_history_of_the_same_key_is_a_fork(size: int) -> None:
    found = compared(OTHER.note(size))
    assert found.outcome is Outcome.FORK
    assert found.kept is not None
    assert found.kept.checkpoint.root != LOG.checkpoint(size).root


def test_another_log_and_what_nobody_signed_prove_nothing() -> None:
    """Negative control: whoever makes up a note cannot make it look like a fork."""
    other = "other.example/audit"
    assert compared(SignedLog(origin=other).grow(5).note()).outcome is Outcome.OTHER_LOG
    made_up = Checkpoint(origin=ORIGIN, size=16, root=bytes(32))
    forged = Note(text=made_up.text, signatures=(sign_line(log_key(), b"\x09" * 32, made_up),)).encode()
    stranger = Note(text=made_up.text, signatures=(sign_line(log_key(seed=b"\x09" * 32), b"\x09" * 32, made_up),))
    assert compared(forged).outcome is Outcome.NOT_SIGNED
    assert compared(stranger.encode()).outcome is Outcome.NOT_SIGNED
    signed = Note(text=made_up.text, signatures=(sign_line(log_key(), LOG_SEED, made_up),)).encode()
    assert compared(signed).outcome is Outcome.FORK


@pytest.mark.parametrize("text", [b"", b"hello", b"\xff\xfe", LOG.note(16)[:-1], LOG.note(16) + b"\n", b"a\n" * 40_000])
def test_what_is_no_checkpoint(text: bytes) -> None:
    assert compared(text).outcome is Outcome.MALFORMED


def test_a_newest_note_that_is_not_ours_is_a_fault_of_ours() -> None:
    with pytest.raises(InvalidInput):
        compared(LOG.note(3), b"not a note")
