from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from trading.kernel import canonical
from trading.kernel.digests import tuple_hash
from trading.kernel.errors import InvalidInput

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "protocols.json").read_text())


def test_the_vector() -> None:
    vector = VECTORS["jcs"]
    raw = vector["text"].encode()
    assert raw.hex() == vector["bytes_hex"]
    assert hashlib.sha256(raw).hexdigest() == vector["sha256"]
    assert canonical.dumps(canonical.loads(raw)) == raw == rfc8785.dumps(json.loads(raw))


def test_tuple_hash_vectors() -> None:
    for vector in VECTORS["tuple_hash"]:
        parts = [bytes.fromhex(part) for part in vector["parts_hex"]]
        assert tuple_hash(vector["label"], *parts).hex() == vector["out"]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":9007199254740992}',
        b'{"a":-9007199254740992}',
        b'{"a":-0}',
        b'{"S07":1}',
        '{"键":1}'.encode(),
        b'{"":1}',
        b'{"' + b"a" * 65 + b'":1}',
        b'{"a":1}\n',
        b'{"a": 1}',
        b' {"a":1}',
        b'{"a":"\\u660e"}',
        b'{"a":"\\/"}',
        b'{"a":"\\u000A"}',
        '{"a":"e\u0301"}'.encode(),
        b'{"a":"\\ud800"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\u0000"}',
        b'{"b":1,"a":1}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":01}',
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"",
        b"{",
        b'{"a":1}{}',
        b"'a'",
        b"[" * 17 + b"]" * 17,
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_what_must_be_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"doc\.not_canonical"):
        canonical.loads(raw)


@pytest.mark.parametrize(
    "raw", [b"[" * 16 + b"]" * 16, b'{"a":9007199254740991}', b'{"' + b"a" * 64 + b'":1}', '{"a":"明"}'.encode()]
)
def test_the_last_that_is_accepted(raw: bytes) -> None:
    assert canonical.dumps(canonical.loads(raw)) == raw


def test_size_and_shape() -> None:
    with pytest.raises(InvalidInput, match=r"doc\.too_large"):
        canonical.loads(b'{"a":1}', limit=6)
    assert canonical.loads(b'{"a":1}', limit=7) == {"a": 1}
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        canonical.loads_object(b"[]")


@pytest.mark.parametrize("value", [1.0, float("nan"), {1: 2}, {"A": 1}, b"x", "\0", "e\u0301", "\ud800", 2**53, (1,)])
def test_what_this_program_may_not_write(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        canonical.dumps(value)


# RFC 8785 appendix B and section 3.2.3: the examples inside the profile are kept, the others refused.
@pytest.mark.parametrize(
    ("raw", "inside"),
    [
        (b'[56,{"d":true,"10":null,"1":[]}]', False),
        (b"[333333333.3333333,1e+30,4.5,0.002,1e-27]", False),
        ('{"literals":[null,true,false],"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode(), True),
    ],
)
def test_examples_of_rfc_8785(raw: bytes, inside: bool) -> None:  # noqa: FBT001 - table
    if inside:
        assert canonical.dumps(canonical.loads(raw)) == raw
    else:
        with pytest.raises(InvalidInput, match=r"doc\.not_canonical"):
            canonical.loads(raw)
