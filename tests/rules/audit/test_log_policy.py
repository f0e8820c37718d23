from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.signed_log import ORIGIN, VECTORS, log_key, policy_text, witness_key
from trading.audit.rules.note import COSIGNATURE_V1, ML_DSA_44, VerifierKey
from trading.audit.rules.policy import parse_policy
from trading.kernel.errors import InvalidInput

LOG_LINE = f"log {log_key().vkey}\n"
W = {number: witness_key(number) for number in range(1, 7)}
LINES = "".join(f"witness w{number} {key.vkey}\n" for number, key in W.items())


def test_the_policy_of_the_vectors() -> None:
    policy = parse_policy(VECTORS["al1_log"]["policy"])
    assert policy == parse_policy(policy_text())
    assert policy.log_keys(ORIGIN) == (log_key(),)
    assert policy.log_keys("other.example") == ()
    assert policy.witness_keys == (W[1], W[2], W[3])
    assert not policy.is_met([W[1]])
    assert policy.is_met([W[1], W[3]])
    assert not policy.is_met([W[1], W[4]])


def test_nested_groups() -> None:
    text = LOG_LINE + LINES + "group x 2 w1 w2 w3\ngroup y any w4 w5 w6\ngroup both all x y\nquorum both\n"
    policy = parse_policy(text)
    assert policy.is_met([W[1], W[2], W[5]])
    assert not policy.is_met([W[1], W[2], W[3]])
    assert not policy.is_met([W[1], W[5], W[6]])


def test_a_witness_with_two_keys_counts_once() -> None:
    second = VerifierKey(name="witness1.example", kind=ML_DSA_44, public_key=b"m" * 1312)
    text = LOG_LINE + LINES + f"witness w1pq {second.vkey}\ngroup one any w1 w1pq\ngroup q 2 one w2 w3\nquorum q\n"
    policy = parse_policy(text)
    assert not policy.is_met([W[1], second])
    assert policy.is_met([second, W[2]])


def test_spaces_comments_and_urls() -> None:
    text = (
        "# 见证策略\n\n \t\n"
        f" \tlog\t{log_key().vkey}   https://log.example/\n"
        f"witness w1 {W[1].vkey} https://w1.example/\n  # more\nquorum w1"
    )
    policy = parse_policy(text)
    assert (policy.logs[0].url, policy.witnesses[0].url) == ("https://log.example/", "https://w1.example/")
    assert policy.is_met([W[1]])


def test_quorum_none_witnesses_nothing() -> None:
    policy = parse_policy("quorum none\n")
    assert not policy.is_met([])
    assert policy.t_up({}) is None


def test_many_lines_are_supported() -> None:
    keys = [VerifierKey(name=f"w{n}", kind=COSIGNATURE_V1, public_key=bytes([n]) * 32) for n in range(64)]
    logs = [VerifierKey(name=f"l{n}", kind=1, public_key=bytes([n, 200]) * 16) for n in range(64)]
    text = "".join(f"log {key.vkey}\n" for key in logs) + "".join(f"witness {key.name} {key.vkey}\n" for key in keys)
    text += "group g0 any w0\n" + "".join(f"group g{n} all g{n - 1} w{n}\n" for n in range(1, 64)) + "quorum g63\n"
    policy = parse_policy(text)
    assert policy.is_met(keys)
    assert not policy.is_met(keys[1:])


@pytest.mark.parametrize(
    "text",
    [
        "",
        LOG_LINE + LINES,
        LOG_LINE + LINES + "quorum w1\nquorum w1\n",
        LINES + "quorum w9\n",
        "quorum w1\n" + LINES,
        LINES + "quorum\n",
        LINES + "quorum w1 w2\n",
        LINES + "group g 2 w1\nquorum g\n",
        LINES + "group g 0 w1\nquorum g\n",
        LINES + "group g 02 w1 w2\nquorum g\n",
        LINES + "group g two w1 w2\nquorum g\n",
        LINES + "group g any\nquorum g\n",
        LINES + "group g any none\nquorum g\n",
        LINES + "group g any g\nquorum g\n",
        LINES + "group g any w1 w1\nquorum g\n",
        LINES + "group g any w1\ngroup f any w1 w2\nquorum g\n",
        LINES + "group w1 any w2\nquorum w1\n",
        LINES + "group none any w2\nquorum none\n",
        LINES + f"witness w7 {W[1].vkey}\nquorum w1\n",
        LINES + f"witness w1 {witness_key(9).vkey}\nquorum w1\n",
        LOG_LINE + LOG_LINE + "quorum none\n",
        f"log {W[1].vkey}\nquorum none\n",
        f"witness w {log_key().vkey}\nquorum w\n",
        f"log {log_key().vkey} url more\nquorum none\n",
        f"witness w {W[1].vkey} url more\nquorum w\n",
        LOG_LINE.replace("5f469888", "5f469889") + "quorum none\n",
        "quorum none\r\n",
        "quorum none\x7f\n",
        "quorum\u00a0none\n",
        "Quorum none\n",
        "unknown line\nquorum none\n",
        "\n" * 2000 + "quorum none\n",
        # One key in two roles: the log's own key as a witness (P6.1).
        LOG_LINE
        + f"witness w {VerifierKey(name='w', kind=COSIGNATURE_V1, public_key=log_key().public_key).vkey}\nquorum w\n",
    ],
)
def test_other_texts_are_no_policy(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"policy\.malformed"):
        parse_policy(text)


@given(st.dictionaries(st.sampled_from([1, 2, 3]), st.integers(0, 50)))
def test_times_against_every_subset(times: dict[int, int]) -> None:
    policy = parse_policy(policy_text())
    found = {W[number]: time_s for number, time_s in times.items()}
    ordered = sorted(times.values())
    enough = len(ordered) >= 2
    assert policy.t_up(found) == (ordered[1] if enough else None)
    assert policy.t_low(found) == (ordered[-2] if enough else None)


@given(st.permutations([1, 2, 3]), st.integers(-10_000, 10_000))
def test_one_dishonest_time_does_not_move_a_bound_past_the_honest(order: list[int], shift: int) -> None:
    policy = parse_policy(policy_text())
    liar, *honest = order
    times = {W[liar]: 100_000 + shift} | {W[number]: 100_000 for number in honest}
    t_up, t_low = policy.t_up(times), policy.t_low(times)
    assert t_up is not None
    assert t_low is not None
    assert t_up >= 100_000 >= t_low or (t_up, t_low) == (100_000, 100_000)
