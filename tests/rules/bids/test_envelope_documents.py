from __future__ import annotations

from typing import Any

import pytest

from tests.build.bid_documents import CONTEXT, ENVELOPE, POLICY, VECTORS, raw, without
from trading.bids.rules.envelope import (
    parse_envelope,
    parse_rehearsal,
    parse_withdrawal,
    require_policy,
    require_withdrawal_policy,
)
from trading.bids.rules.policy import parse_policy
from trading.kernel.errors import InvalidInput

SHARES: list[dict[str, Any]] = ENVELOPE["shares"]
PART: dict[str, Any] = ENVELOPE["parts"][0]
MAIN = {**PART, "name": "main"}
REHEARSAL = {
    **{name: value for name, value in ENVELOPE.items() if name != "parts"},
    "stage": "rehearsal",
    "typ": "sb1.rehearsal",
}
WITHDRAWAL = {
    **{name: ENVELOPE[name] for name in ("bid", "bidder", "bidder_kid", "lot", "policy_sha256", "stage", "tender")},
    "created": 1,
    "seq": 2,
    "supersedes": "ab" * 32,
    "typ": "sb1.withdrawal",
    "v": 1,
}


def test_the_vector_parses_and_fits_its_policy() -> None:
    vector = VECTORS["sb1_open"]
    envelope, policy = parse_envelope(vector["envelope"].encode()), parse_policy(vector["policy"].encode())
    assert envelope.sha256 == vector["envelope_sha256"]
    assert envelope.fingerprint == vector["fingerprint"]
    assert policy.sha256 == vector["policy_sha256"]
    assert (policy.n, policy.place) == (5, ("T-1", "1", "price"))
    require_policy(envelope, policy)


def test_the_context_is_the_eight_fields_of_the_vector() -> None:
    assert CONTEXT.bytes() == VECTORS["sb1_derive"]["ctx"].encode()
    assert parse_envelope(raw(ENVELOPE)).context.bytes().startswith(b'{"bid":"b-7f3a","bidder":"91310000XXXX"')


@pytest.mark.parametrize("name", sorted(set(ENVELOPE)))
def test_every_field_of_an_envelope_is_required(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        parse_envelope(without(ENVELOPE, name))


@pytest.mark.parametrize(
    "changes",
    [
        {"bid": "B-1"},
        {"bid": "b" * 41},
        {"bid": ""},
        {"bidder": "91310000"[:7]},
        {"bidder": "9131000x"},
        {"bidder": "9" * 33},
        {"bidder_kid": "0" * 63},
        {"seq": 0},
        {"seq": 2},
        {"supersedes": "ab" * 32},
        {"stage": "rehearsal"},
        {"created": -1},
        {"factor_commit": ""},
        {"factor_commit": "ab" * 31},
        {"seed_commit": None},
        {"shares": SHARES[::-1]},
        {"shares": SHARES[:2]},
        {"shares": [*SHARES[:4], {**SHARES[4], "i": 6}]},
        {"shares": [*SHARES[:4], SHARES[3]]},
        {"shares": [{**share, "ct": share["ct"][:-4]} for share in SHARES]},
        {"shares": [{**share, "c": share["c"].upper()} for share in SHARES]},
        {"parts": []},
        {"parts": [PART, PART]},
        {"parts": [PART, MAIN]},
        {"parts": [{**PART, "name": "extra"}]},
        {"parts": [{**PART, "alg": "zip"}]},
        {"parts": [{**PART, "size": 20 * 1024**3 + 1}]},
        {"parts": [{**PART, "size": -1}]},
        {"typ": "sb1.rehearsal"},
        {"v": 2},
    ],
)
def test_malformed_envelopes(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        parse_envelope(raw(ENVELOPE, **changes))


def test_unknown_fields_and_oversize() -> None:
    for changes in (
        {"extra": 1},
        {"parts": [{**PART, "recipient": "age1"}]},
        {"shares": [{**SHARES[0], "x": 1}, *SHARES[1:]]},
    ):
        with pytest.raises(InvalidInput, match=r"doc\.unknown_field"):
            parse_envelope(raw(ENVELOPE, **changes))
    with pytest.raises(InvalidInput, match=r"doc\.too_large"):
        parse_envelope(raw(ENVELOPE, tender="x" * 65536))
    with pytest.raises(InvalidInput, match=r"doc\.not_canonical"):
        parse_envelope(raw(ENVELOPE) + b"\n")


def test_a_second_version_names_the_first() -> None:
    assert parse_envelope(raw(ENVELOPE, seq=2, supersedes="ab" * 32)).supersedes == "ab" * 32


@pytest.mark.parametrize(
    "changes",
    [
        {"policy_sha256": "0" * 64},
        {"tender": "T-2"},
        {"lot": "2"},
        {"stage": "tech"},
        {"parts": [MAIN]},
        {"parts": [MAIN, PART]},
        {"shares": SHARES[:4]},
        {"factor_commit": None},
    ],
)
def test_an_envelope_that_does_not_fit_its_policy(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"policy\.mismatch"):
        require_policy(parse_envelope(raw(ENVELOPE, **changes)), parse_policy(raw(POLICY)))


def test_the_mode_decides_about_the_factor() -> None:
    off = parse_policy(raw(POLICY, bidder_factor=False))
    with pytest.raises(InvalidInput, match=r"policy\.mismatch"):
        require_policy(parse_envelope(raw(ENVELOPE, policy_sha256=off.sha256)), off)
    require_policy(parse_envelope(raw(ENVELOPE, policy_sha256=off.sha256, factor_commit=None)), off)


def test_a_rehearsal_is_an_envelope_without_parts_under_its_own_stage() -> None:
    rehearsal = parse_rehearsal(raw(REHEARSAL))
    require_policy(rehearsal, parse_policy(raw(POLICY)))
    assert rehearsal.context.stage == "rehearsal"
    for changes in ({"stage": "price"}, {"seq": 2, "supersedes": "ab" * 32}, {"supersedes": "ab" * 32}):
        with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
            parse_rehearsal(raw(REHEARSAL, **changes))
    with pytest.raises(InvalidInput, match=r"doc\.unknown_field"):
        parse_rehearsal(raw(REHEARSAL, parts=[]))


def test_withdrawals() -> None:
    policy = parse_policy(raw(POLICY))
    require_withdrawal_policy(parse_withdrawal(raw(WITHDRAWAL)), policy)
    for changes in ({"seq": 1}, {"supersedes": None}, {"stage": "rehearsal"}):
        with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
            parse_withdrawal(raw(WITHDRAWAL, **changes))
    for other in ({"lot": "2"}, {"stage": "tech"}, {"tender": "T-2"}, {"policy_sha256": "0" * 64}):
        with pytest.raises(InvalidInput, match=r"policy\.mismatch"):
            require_withdrawal_policy(parse_withdrawal(raw(WITHDRAWAL, **other)), policy)
