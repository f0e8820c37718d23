"""Bech32 (BIP 173, not bech32m) without its 90-character limit: the spelling of age identities (SB1 S4.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUE: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM: Final = 6
_PRINTABLE: Final = range(33, 127)


def encode(human: str, data: bytes) -> str:
    """Return the lower-case spelling of ``data`` with the human part ``human``."""
    values = _regroup(data, 8, 5)
    if len(data) * 8 % 5:
        rest = (int.from_bytes(data) << (-len(data) * 8 % 5)) & 31
        values.append(rest)
    residue = _checksum([*_expand(human), *values, *([0] * _CHECKSUM)]) ^ 1
    check = [residue >> 5 * (_CHECKSUM - 1 - i) & 31 for i in range(_CHECKSUM)]
    return f"{human}1{''.join(_ALPHABET[value] for value in (*values, *check))}"


def decode(text: str) -> tuple[str, bytes]:
    """Return the human part in lower case and the data.

    Raises:
        ValueError: Mixed case, a foreign character, a wrong checksum, or left-over bits that are not zero.
    """
    if text not in (text.lower(), text.upper()):
        raise ValueError("bech32: mixed case")
    human, mark, tail = text.lower().rpartition("1")
    if not (mark and human and len(tail) >= _CHECKSUM) or any(ord(letter) not in _PRINTABLE for letter in human):
        raise ValueError("bech32: no human part or no checksum")
    if any(letter not in _VALUE for letter in tail):
        raise ValueError("bech32: foreign character")
    values = [_VALUE[letter] for letter in tail]
    if _checksum([*_expand(human), *values]) != 1:
        raise ValueError("bech32: wrong checksum")
    payload = values[:-_CHECKSUM]
    spare = len(payload) * 5 % 8
    if spare >= 5 or (payload and payload[-1] & ((1 << spare) - 1)):  # noqa: PLR2004 - five bits are one letter
        raise ValueError("bech32: left-over bits are not zero")
    return human, bytes(_regroup(payload, 5, 8))


def _expand(human: str) -> list[int]:
    return [*(ord(letter) >> 5 for letter in human), 0, *(ord(letter) & 31 for letter in human)]


def _checksum(values: Iterable[int]) -> int:
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, constant in enumerate(_GENERATOR):
            if top >> bit & 1:
                state ^= constant
    return state


def _regroup(values: Iterable[int], width: int, target: int) -> list[int]:
    """Cut the bit string of ``values`` (``width`` bits each) into whole groups of ``target`` bits."""
    result: list[int] = []
    buffer = bits = 0
    for value in values:
        buffer = (buffer << width | value) & 0xFFFF
        bits += width
        while bits >= target:
            bits -= target
            result.append(buffer >> bits & (1 << target) - 1)
    return result
