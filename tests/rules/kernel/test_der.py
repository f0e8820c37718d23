"""DER as far as time stamps need it: what is written is read again, and other forms are refused."""

from __future__ import annotations

import pytest

from trading.kernel import der


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65_535, 65_536])
def test_lengths(length: int) -> None:
    data = der.encode(der.OCTETS, bytes(length))
    element = der.one(data)
    assert (element.tag, element.content, element.raw) == (der.OCTETS, bytes(length), data)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 2**63, 2**64 - 1, -1, -128, -129])
def test_integers(value: int) -> None:
    assert der.one(der.integer(value)).number == value


def test_object_identifiers() -> None:
    assert der.oid("1.2.840.113549.1.7.2").hex() == "06092a864886f70d010702"
    assert der.oid("2.16.840.1.101.3.4.2.1").hex() == "0609608648016503040201"


def test_a_set_is_written_in_order() -> None:
    assert der.sorted_set(der.SET, [b"\x02\x01\x02", b"\x02\x01\x01"]).hex() == "3106020101020102"


@pytest.mark.parametrize(
    "data", ["", "30", "3001", "0201", "1f0100", "300000", "3080", "308100", "30820001", "30850000000001", "3081"]
)
def test_other_forms_are_refused(data: str) -> None:
    """No element, two of them, cut off, a long tag, an open end, a length in too many bytes."""
    with pytest.raises(ValueError, match="DER"):
        der.one(bytes.fromhex(data))
