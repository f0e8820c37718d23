"""Bech32 (BIP 173, not bech32m) without the 90-character limit, as age uses it for identities (SB1 S4.4)."""

from __future__ import annotations

BECH32_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def bech32_encode(human: str, data: bytes) -> str:
    """Return the lowercase bech32 string of ``data`` with the human part ``human``."""
    values = _regroup(data, 8, 5, pad=True)
    check = _polymod(_expand(human) + values + [0] * 6) ^ 1
    values += [(check >> 5 * (5 - i)) & 31 for i in range(6)]
    return human + "1" + "".join(BECH32_ALPHABET[value] for value in values)


def bech32_decode(text: str) -> tuple[str, bytes]:
    """Return the human part (lowercase) and the data of a bech32 string.

    Raises:
        ValueError: Mixed case, a foreign character, a wrong checksum, or padding that is not zero.
    """
    if text not in (text.lower(), text.upper()):
        raise ValueError("bech32: mixed case")
    human, mark, tail = text.lower().rpartition("1")
    if not mark or not human or len(tail) < 6 or not all(33 <= ord(char) <= 126 for char in human):
        raise ValueError("bech32: no human part or no checksum")
    values = [BECH32_ALPHABET.find(char) for char in tail]
    if -1 in values or _polymod(_expand(human) + values) != 1:
        raise ValueError("bech32: foreign character or wrong checksum")
    return human, bytes(_regroup(bytes(values[:-6]), 5, 8, pad=False))


def _expand(human: str) -> list[int]:
    return [ord(char) >> 5 for char in human] + [0] + [ord(char) & 31 for char in human]


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(BECH32_GENERATOR):
            if top >> i & 1:
                check ^= generator
    return check


def _regroup(data: bytes, width: int, target: int, *, pad: bool) -> list[int]:
    buffer, bits, result = 0, 0, []
    for value in data:
        buffer = buffer << width | value
        bits += width
        while bits >= target:
            bits -= target
            result.append(buffer >> bits & (1 << target) - 1)
        buffer &= (1 << bits) - 1
    if pad and bits:
        result.append(buffer << (target - bits))
    elif not pad and (bits >= width or buffer):
        raise ValueError("bech32: padding is not zero")
    return result
