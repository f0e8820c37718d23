"""The log's optional second signature, ML-DSA-44 (AL1 L1.3): platform and verifier judge it alike."""

from __future__ import annotations

import pytest

from tests.build.signed_log import ORIGIN, SignedLog, log_key
from trading.audit.rules.note import ML_DSA_44, VerifierKey, message_to_sign, signature_line
from trading.audit.rules.note import verify_checkpoint as platform_verifies
from trading.audit.rules.policy import parse_policy
from trading.crypto.notes import mldsa44_public, sign_mldsa44, verify_note_signature
from trading.kernel.errors import InvalidInput
from verifier.notes import NoteFault
from verifier.policy import parse_log_policy, verify_checkpoint

SEED = b"\x21" * 32
SECOND = VerifierKey(name=ORIGIN, kind=ML_DSA_44, public_key=mldsa44_public(SEED))
POLICY = f"log {log_key().vkey}\nlog {SECOND.vkey}\nquorum none\n"
TIME = 1_700_003_610


def second_line(log: SignedLog, *, time_s: int = TIME, signed_at: int = TIME) -> bytes:
    signature = sign_mldsa44(SEED, message_to_sign(SECOND, log.checkpoint(), signed_at))
    return signature_line(SECOND, signature, time_s).encode().encode()


def judged(note: bytes, policy: str = POLICY) -> tuple[bool, bool]:
    """Whether the platform and the verifier accept a note."""
    return _platform(note, policy), _verifier(note, policy)


def _platform(note: bytes, policy: str) -> bool:
    try:
        platform_verifies(note, ORIGIN, parse_policy(policy).log_keys(ORIGIN), (), verify_note_signature)
    except InvalidInput:
        return False
    return True


def _verifier(note: bytes, policy: str) -> bool:
    try:
        verify_checkpoint(note, parse_log_policy(policy), ORIGIN)
    except NoteFault:
        return False
    return True


def test_a_second_signature_is_verified_if_it_is_there() -> None:
    log = SignedLog().grow(5)
    assert judged(log.note()) == (True, True)
    assert judged(log.note() + second_line(log)) == (True, True)


@pytest.mark.parametrize("wrong", ["other log", "other time", "twice", "flipped"])
def test_a_wrong_second_signature_makes_the_note_worthless(wrong: str) -> None:
    log = SignedLog().grow(5)
    line = second_line(log)
    lines = {
        "other log": second_line(SignedLog(salt=b"fork").grow(5)),
        "other time": second_line(log, time_s=TIME + 1),
        "twice": line + line,
        "flipped": line[:-40] + bytes([line[-40] ^ 1]) + line[-39:],
    }
    assert judged(log.note() + lines[wrong]) == (False, False)
    # Whoever does not know the key does not miss it, and is not stopped by it.
    if wrong != "flipped":
        assert judged(log.note() + lines[wrong], f"log {log_key().vkey}\nquorum none\n") == (True, True)


def test_the_second_signature_alone_is_none_of_the_log() -> None:
    log = SignedLog().grow(5)
    text = log.note().partition(b"\n\n")[0] + b"\n\n"
    assert judged(text + second_line(log)) == (False, False)
