"""Flipped bits of tokens: our reader finds every one; openssl and the platform's library are asked as well (TE1 T12).

A normal run flips one bit of every byte of one token, ``MINGBIAO_CAMPAIGN=long`` every bit of three.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.authorities import OpensslAuthority, openssl_accepts
from tests.support.campaigns import LONG
from tests.support.forgeries import MESSAGE, ROOT, stamped
from trading.crypto.stamps import make_request, verify_stamp
from trading.kernel.errors import InvalidInput
from verifier.tokens import TokenFault, TokenUnreadable, verify_token

FOUND = (TokenFault, TokenUnreadable)


def check(data: bytes, root: bytes) -> int:
    return verify_token(data, MESSAGE, [root])


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, bytes]]:
    """Answers of real authorities, each with its root."""
    folder = tmp_path_factory.mktemp("authorities")
    kinds = [
        OpensslAuthority(folder / "ec", "ec"),
        *([OpensslAuthority(folder / "rsa", "rsa", rsa=True)] if LONG else []),
    ]
    return {each.name: (each.reply(make_request(MESSAGE).data), each.root) for each in kinds}


def flips(data: bytes) -> Iterator[bytes]:
    """Every bit in the long campaign, else one bit of every byte."""
    for at in range(len(data)):
        for bit in range(8) if LONG else (at % 8,):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            yield bytes(changed)


@pytest.mark.parametrize("kind", ["own", "ec", "rsa"] if LONG else ["own"])
def test_every_flipped_bit_is_found(real: dict[str, tuple[bytes, bytes]], kind: str) -> None:
    data, root = (stamped(), ROOT.der) if kind == "own" else real[kind]
    assert check(data, root) > 0
    for changed in flips(data):
        with pytest.raises(FOUND):
            check(changed, root)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_the_platform_misses_only_flips_that_no_signature_covers() -> None:
    """Versions and the name of the signature's algorithm; the anchored hash of the token covers them."""
    data, missed = stamped(), set()
    for at, changed in enumerate(flips(data)):
        try:
            verify_stamp(changed, MESSAGE, [ROOT.der])
        except InvalidInput:
            continue
        missed.add(at // (8 if LONG else 1))
    assert len(missed) < 12
    assert missed


def test_tampered_tokens_are_refused_by_openssl_too(real: dict[str, tuple[bytes, bytes]], tmp_path: Path) -> None:
    data, root = real["ec"]
    gen_time = check(data, root)
    assert openssl_accepts(data, MESSAGE, root, tmp_path, at_ms=gen_time)
    for at in range(60, len(data), 16 if LONG else 160):
        changed = bytearray(data)
        changed[at] ^= 0x10
        accepted = openssl_accepts(bytes(changed), MESSAGE, root, tmp_path, at_ms=gen_time)
        assert not accepted, at
        with pytest.raises(FOUND):
            check(bytes(changed), root)
