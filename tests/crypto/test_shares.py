from __future__ import annotations

from itertools import combinations, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.crypto import shares

SECRET = st.binary(min_size=32, max_size=32)


def test_multiplication_vector(vectors: dict[str, Any]) -> None:
    assert shares.multiply(0x57, 0x83) == int(vectors["shamir"]["mul_57_83"], 16)


def test_every_element_but_zero_has_an_inverse() -> None:
    for element in range(1, 256):
        assert shares.multiply(element, shares.inverse(element)) == 1


def test_split_vector_and_every_three_combine(vectors: dict[str, Any]) -> None:
    vector = vectors["shamir"]
    secret = bytes.fromhex(vector["secret"])
    made = shares.split(secret, [bytes.fromhex(c) for c in vector["coef"]], vector["n"])
    assert [share.hex() for share in made] == vector["shares"]
    for chosen in permutations(made, 3):
        assert shares.combine(chosen) == secret
    assert shares.combine(made) == secret


def test_dealing_vector(vectors: dict[str, Any]) -> None:
    vector = vectors["sb1_derive"]
    ctx = vector["ctx"].encode()
    s_c, s_b = bytes.fromhex(vector["s_c"]), bytes.fromhex(vector["s_b"])
    assert [c.hex() for c in shares.polynomial(s_c, ctx, vector["k"])] == vector["coef"]
    dealing = shares.deal(s_c, ctx, vector["k"], vector["n"])
    assert [share.hex() for share in dealing.shares] == vector["shares"]
    assert [c.hex() for c in dealing.commitments] == vector["C"]
    assert shares.commit_factor(s_b, ctx).hex() == vector["factor_commit"]
    assert shares.commit_seed(s_c, s_b, ctx).hex() == vector["seed_commit"]
    assert shares.commit_seed(s_c, b"", ctx).hex() == vector["no_factor"]["seed_commit"]


@settings(max_examples=40)
@given(SECRET, st.binary(max_size=40), st.integers(2, 7), st.integers(0, 4))
def test_any_k_shares_give_the_secret_and_fewer_do_not(secret: bytes, ctx: bytes, k: int, spare: int) -> None:
    dealing = shares.deal(secret, ctx, k, k + spare)
    for chosen in list(combinations(dealing.shares, k))[:8]:
        assert shares.combine(chosen) == secret
    if k > 2:
        assert shares.combine(dealing.shares[: k - 1]) != secret


@given(SECRET, st.integers(0, 2), st.integers(0, 32), st.integers(1, 255))
def test_a_changed_share_gives_another_secret_or_is_refused(secret: bytes, which: int, at: int, flip: int) -> None:
    made = list(shares.deal(secret, b"ctx", 3, 5).shares[:3])
    changed = bytearray(made[which])
    changed[at] ^= flip
    made[which] = bytes(changed)
    try:
        assert shares.combine(made) != secret
    except ValueError:
        assert at == 32  # another x may collide with a present one, or be zero


@pytest.mark.parametrize(
    "bad",
    [
        [],
        [b"\x00" * 32 + b"\x01"],
        [b"\x00" * 32 + b"\x01", b"\x01" * 32 + b"\x01"],
        [b"\x00" * 32 + b"\x00", b"\x01" * 32 + b"\x01"],
        [b"\x00" * 32 + b"\x01", b"\x01" * 31 + b"\x02"],
        [b"", b"\x01" * 32 + b"\x01"],
    ],
)
def test_combine_refuses(bad: list[bytes]) -> None:
    with pytest.raises(ValueError, match="combine"):
        shares.combine(bad)


@pytest.mark.parametrize(("size", "k", "n"), [(31, 3, 5), (32, 1, 5), (32, 6, 5), (32, 3, 17)])
def test_deal_refuses(size: int, k: int, n: int) -> None:
    with pytest.raises(ValueError, match="deal"):
        shares.deal(bytes(size), b"", k, n)


def test_context_separates_everything() -> None:
    one, two = shares.deal(b"s" * 32, b"a", 3, 5), shares.deal(b"s" * 32, b"b", 3, 5)
    assert not set(one.shares) & set(two.shares)
    assert not set(one.commitments) & set(two.commitments)


def test_a_dealing_prints_no_share() -> None:
    dealing = shares.deal(b"s" * 32, b"a", 3, 5)
    assert dealing.shares[0].hex() not in repr(dealing)
    assert repr(dealing.shares[0]) not in repr(dealing)
