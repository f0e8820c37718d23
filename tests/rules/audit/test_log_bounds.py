from __future__ import annotations

from typing import Any

import pytest

from tests.build.signed_log import ORIGIN, VECTORS, SignedLog, log_key, policy_text, witness_key
from trading.audit.rules.bounds import (
    Bounds,
    ClosingVerdict,
    WitnessedTime,
    bid_verdict,
    bounds,
    closing_verdict,
    witnessed_time,
)
from trading.audit.rules.note import verify_checkpoint
from trading.audit.rules.policy import parse_policy
from trading.crypto.notes import verify_note_signature

TE1 = VECTORS["te1"]
CLOSE = 1_700_003_600_000


@pytest.mark.parametrize("case", TE1["bounds"])
def test_bounds_of_the_vectors(case: dict[str, Any]) -> None:
    policy = parse_policy(policy_text(needed=case["quorum"]))
    times = list(enumerate(case["cosignature_times"], 1))
    note = SignedLog().grow(3).note(cosigners=times)
    keys = [witness_key(number) for number in (1, 2, 3)]
    verified = verify_checkpoint(note, ORIGIN, [log_key()], keys, verify_note_signature)
    found = witnessed_time(verified, policy)
    assert found == WitnessedTime(size=3, t_up=case["T_up"], t_low=case["T_low"])
    for n in (0, 1, 2):
        assert bounds(n, [found]) == Bounds(lower_ms=0, upper_ms=case["upper_ms"])
    for n in (3, 4):
        assert bounds(n, [found]) == Bounds(lower_ms=case["lower_ms"], upper_ms=None)


def test_without_a_quorum_there_is_no_time() -> None:
    note = SignedLog().grow(3).note(cosigners=[(1, 5)])
    verified = verify_checkpoint(note, ORIGIN, [log_key()], [witness_key(1)], verify_note_signature)
    assert witnessed_time(verified, parse_policy(policy_text())) is None


def test_the_tightest_of_many_checkpoints() -> None:
    seen = [
        WitnessedTime(size=size, t_up=time_s + 1, t_low=time_s) for size, time_s in ((3, 10), (3, 20), (5, 30), (9, 40))
    ]
    assert bounds(4, seen) == Bounds(lower_ms=20_000, upper_ms=31_999)
    assert bounds(2, seen) == Bounds(lower_ms=0, upper_ms=11_999)
    assert bounds(9, seen) == Bounds(lower_ms=40_000, upper_ms=None)
    assert bounds(0, []) == Bounds(lower_ms=0, upper_ms=None)


@pytest.mark.parametrize("case", TE1["verdicts"])
def test_verdicts_of_the_vectors(case: dict[str, Any]) -> None:
    verdict = bid_verdict(
        case["n"],
        Bounds(lower_ms=case["lower_ms"], upper_ms=case["upper_ms"]),
        n_close=case["n_close"],
        close=case["close"],
        drain_ms=case["drain_ms"],
        intake_upper_ms=case["intake_upper_ms"],
    )
    assert verdict == case["verdict"]


@pytest.mark.parametrize(
    ("lower_ms", "upper_ms", "verdict"),
    [
        (CLOSE - 1000, CLOSE - 1, ClosingVerdict.EARLY),
        (CLOSE - 1, CLOSE, ClosingVerdict.UNCONFIRMED),
        (CLOSE, CLOSE + 999, ClosingVerdict.CONFIRMED),
        (CLOSE, None, ClosingVerdict.CONFIRMED),
        (0, None, ClosingVerdict.UNCONFIRMED),
    ],
)
def test_the_close_entry(lower_ms: int, upper_ms: int | None, verdict: ClosingVerdict) -> None:
    assert closing_verdict(Bounds(lower_ms=lower_ms, upper_ms=upper_ms), close=CLOSE) == verdict
