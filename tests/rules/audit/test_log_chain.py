from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.signed_log import VECTORS, SignedLog
from trading.audit.rules.chain import (
    check_chain,
    entry_bytes,
    genesis,
    link,
    parse_entry,
    record_commitment,
)
from trading.audit.rules.record import parse_record
from trading.audit.rules.tree import leaf_hash, tree_root
from trading.kernel.canonical import dumps, loads
from trading.kernel.encoding import b64
from trading.kernel.errors import InvalidInput

ABC, LOG = VECTORS["al1_abc"], VECTORS["al1_log"]
HASH = st.binary(min_size=32, max_size=32)
COUNT = st.integers(0, 2**53 - 1)


def test_three_entries_of_the_vectors() -> None:
    commitments = [hashlib.sha256(text.encode()).digest() for text in ABC["h_of"]]
    assert genesis(ABC["origin"]).hex() == ABC["genesis_p0"]
    entries = link(commitments, first=0, previous=genesis(ABC["origin"]), t=ABC["t"])
    assert [entry.decode() for entry in entries] == ABC["entries"]
    assert b64(tree_root(entries)) == ABC["root_b64"]


def test_records_of_the_vectors() -> None:
    for record, nonce, h in zip(LOG["records"], LOG["nonces"], LOG["h"], strict=True):
        assert record_commitment(bytes.fromhex(nonce), record.encode()).hex() == h
        assert parse_record(record.encode())["v"] == 1
    entries = [entry.encode() for entry in LOG["entries"]]
    assert [leaf_hash(entry).hex() for entry in entries] == LOG["leaf_hashes"]
    assert tree_root(entries).hex() == LOG["root"]
    last = check_chain(entries, first=0, previous=genesis(LOG["origin"]))
    assert last.hex() == LOG["leaf_hashes"][-1]


def test_entries_with_q_are_read_and_written_back() -> None:
    entries = [entry.encode() for entry in ABC["with_q"]["entries"]]
    assert [parse_entry(entry).encode() for entry in entries] == entries
    check_chain(entries, first=0, previous=genesis(ABC["origin"]))
    assert b64(tree_root(entries)) == ABC["with_q"]["root_b64"]


@given(h=HASH, n=COUNT, p=HASH, t=COUNT, q=st.none() | HASH)
def test_an_entry_is_canonical_and_reads_back(h: bytes, n: int, p: bytes, t: int, q: bytes | None) -> None:
    data = entry_bytes(h, n, p, t, q)
    assert dumps(loads(data)) == data
    entry = parse_entry(data)
    assert (entry.h, entry.n, entry.p, entry.t, entry.q) == (h, n, p, t, q)


ENTRY = ABC["entries"][1]


@pytest.mark.parametrize(
    "data",
    [
        "",
        ENTRY + "\n",
        " " + ENTRY,
        ENTRY.replace('"n":1', '"n":01'),
        ENTRY.replace('"n":1', '"n":-1'),
        ENTRY.replace('"n":1', '"n":1.0'),
        ENTRY.replace('"n":1', '"n":9007199254740992'),
        ENTRY.replace('"t":1700000000000', '"t":9007199254740992'),
        ENTRY.replace('"t":1700000000000', '"t":01700000000000'),
        ENTRY.replace('"v":1', '"v":2'),
        ENTRY.replace('"n":1,', ""),
        ENTRY.replace("{", '{"a":1,'),
        ENTRY.replace('"h":"3e', '"h":"3E'),
        ENTRY.replace('"h":"3e', '"h":"'),
        ENTRY.replace('"h":"3e', '"h":"3e00'),
        ENTRY.replace(",", ", "),
        '{"n":1,"h":' + ENTRY[5:71] + ENTRY[77:],
        ENTRY.replace('"n":1', '"n":１'),
    ],
)
def test_other_bytes_are_no_entry(data: str) -> None:
    with pytest.raises(InvalidInput, match=r"entry\.malformed"):
        parse_entry(data.encode())


def test_every_flipped_bit_breaks_the_chain() -> None:
    entries = SignedLog().grow(3).entries
    start = genesis("log.example/audit")
    root = tree_root(entries)
    for bit in range(len(entries[1]) * 8):
        data = bytearray(entries[1])
        data[bit // 8] ^= 1 << bit % 8
        changed = [entries[0], bytes(data), entries[2]]
        assert tree_root(changed) != root
        with pytest.raises(InvalidInput):
            check_chain(changed, first=0, previous=start)


def test_index_link_and_clock_of_a_chain() -> None:
    log = SignedLog().grow(4)
    start = genesis(log.origin)
    assert check_chain(log.entries, first=0, previous=start) == log.hashes[3]
    assert check_chain(log.entries[2:], first=2, previous=log.hashes[1]) == log.hashes[3]
    assert check_chain([], first=4, previous=log.hashes[3]) == log.hashes[3]
    for entries, code in (
        ([log.entries[0], log.entries[0]], "entry.index"),  # n repeated
        ([log.entries[0], log.entries[2]], "entry.index"),  # n left out
        ([log.entries[0], entry_bytes(b"h" * 32, 1, b"p" * 32, 2**40)], "entry.link"),
        ([log.entries[0], entry_bytes(b"h" * 32, 1, log.hashes[0], 5)], "entry.clock"),
    ):
        with pytest.raises(InvalidInput) as caught:
            check_chain(entries, first=0, previous=start)
        assert caught.value.code == code
    with pytest.raises(InvalidInput, match=r"entry\.link"):
        check_chain(log.entries, first=0, previous=genesis("other.example"))


def test_wrong_lengths_are_bugs() -> None:
    good = b"x" * 32
    for h, n, p, t, q in (
        (b"x" * 31, 0, good, 0, None),
        (good, 0, b"x" * 33, 0, None),
        (good, 0, good, 0, b""),
        (good, -1, good, 0, None),
        (good, 2**53, good, 0, None),
        (good, 0, good, 2**53, None),
    ):
        with pytest.raises(ValueError, match="of an entry"):
            entry_bytes(h, n, p, t, q)
    with pytest.raises(ValueError, match="nonce"):
        record_commitment(b"x" * 31, b"{}")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"extra": 1}, "doc.unknown_field"),
        ({"v": 2}, "doc.bad_field"),
        ({"v": True}, "doc.bad_field"),
        ({"at": "1"}, "doc.bad_field"),
        ({"at": -1}, "doc.bad_field"),
        ({"kind": "bid"}, "doc.bad_field"),
        ({"kind": "Bid.received"}, "doc.bad_field"),
        ({"body": []}, "doc.bad_field"),
        ({"subject": ""}, "doc.bad_field"),
        ({"actor": None}, "doc.bad_field"),
    ],
)
def test_a_record_has_exactly_its_fields(change: dict[str, object], code: str) -> None:
    record = loads(LOG["records"][1].encode())
    assert isinstance(record, dict)
    with pytest.raises(InvalidInput) as caught:
        parse_record(dumps(record | change))
    assert caught.value.code == code
    for name in record:
        with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
            parse_record(dumps({key: value for key, value in record.items() if key != name}))
