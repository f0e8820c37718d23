"""The platform and the verifier share no code, and must admit and serialise exactly the same documents (P3)."""

from __future__ import annotations

import os

import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.kernel import canonical
from trading.kernel.errors import InvalidInput
from verifier.canonical import NotCanonical, admit, canonical_bytes

MANY = 20_000 if os.environ.get("MINGBIAO_CAMPAIGN") == "long" else 200
KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


def platform_admits(data: bytes) -> bool:
    try:
        canonical.loads(data)
    except InvalidInput:
        return False
    return True


def verifier_admits(data: bytes) -> bool:
    try:
        admit(data)
    except NotCanonical:
        return False
    return True


@settings(max_examples=MANY, deadline=None)
@given(VALUES)
def test_both_serialise_alike(value: object) -> None:
    data = rfc8785.dumps(value)  # type: ignore[arg-type]  # the strategy builds JSON only
    assert canonical_bytes(value) == data
    assert platform_admits(data) == verifier_admits(data)
    if platform_admits(data):
        assert canonical.dumps(value) == data


@settings(max_examples=MANY, deadline=None)
@given(VALUES, st.integers(0, 2**16), st.integers(0, 255))
def test_both_refuse_the_same_damage(value: object, position: int, byte: int) -> None:
    data = bytearray(canonical_bytes(value))
    data[position % len(data)] = byte
    assert platform_admits(bytes(data)) == verifier_admits(bytes(data))
