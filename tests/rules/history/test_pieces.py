"""A file taken apart is the file again, whatever is in it and however it comes; its rows are found in every layout."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.history.rules import pieces as reading
from trading.history.rules.pieces import Piece, pieces
from trading.kernel.errors import InvalidInput

ROWS = [{"ocid": "a", "t": 'x"]}\\'}, {"ocid": "b", "deep": [{"releases": [1]}]}, {"ocid": "c"}]
LAYOUTS = {
    "release package": json.dumps({"uri": "u", "releases": ROWS, "license": "l"}, indent=2),
    "record package": json.dumps({"records": ROWS, "uri": "releases"}),
    "array": json.dumps(ROWS),
    "documents": "\n".join(map(json.dumps, ROWS)),
}


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def taken(data: bytes, size: int = 7, *, lines: bool = False) -> list[Piece]:
    found = list(pieces(cut(data, size), lines=lines))
    assert b"".join(each.lead + (each.raw or b"") for each in found) == data
    assert [each.raw is None for each in found] == [False] * (len(found) - 1) + [True]
    return found


def raws(found: list[Piece]) -> list[bytes]:
    return [each.raw for each in found if each.raw is not None]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [1, 2, 7, 100_000])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_rows_are_found_in_every_layout_at_every_cut(layout: str, size: int, mark: bytes) -> None:
    found = taken(mark + LAYOUTS[layout].encode(), size)
    assert [json.loads(raw) for raw in raws(found)] == ROWS


@pytest.mark.parametrize("size", [1, 5, 100_000])
def test_lines_stand_for_themselves(size: int) -> None:
    lines = [json.dumps(ROWS[0]), '{"broken": [1, 2', "", json.dumps({"releases": ROWS[1:]}), "garbage", "  "]
    data = "\r\n".join(lines).encode()
    found = raws(taken(data, size, lines=True))
    assert found[0] == lines[0].encode()
    assert found[1].strip() == lines[1].encode()
    assert [json.loads(raw) for raw in found[2:4]] == ROWS[1:]
    assert found[4].strip() == b"garbage"
    assert len(found) == 5


def test_one_release_alone_is_a_row_and_an_empty_package_has_none() -> None:
    assert raws(taken(json.dumps(ROWS[1]).encode())) == [json.dumps(ROWS[1]).encode()]
    assert raws(taken(b'{"releases": [], "uri": "x"}')) == []
    assert raws(taken(b"")) == raws(taken(b" \n")) == []


@pytest.mark.parametrize("at", range(1, 60))
def test_a_file_that_was_cut_off_keeps_its_last_bytes_as_a_row(at: int) -> None:
    data = json.dumps({"releases": ROWS}).encode()
    found = raws(taken(data[:-at]))
    assert any(not _is_json(raw) for raw in found)


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except ValueError:
        return False
    return True


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"x", b" ", b"\n", b'"releases":['])),
    st.booleans(),
)
def test_nothing_is_lost_whatever_the_bytes_are(parts: list[bytes], lines: bool) -> None:  # noqa: FBT001 - hypothesis
    data = b"".join(parts)
    for size in (1, 3, 1_000):
        assert raws(taken(data, size, lines=lines)) == raws(taken(data, 1_000, lines=lines))


def test_a_row_that_does_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST", 100)
    assert len(raws(taken(json.dumps([["x" * 50]] * 20).encode()))) == 20  # control: many small rows are not
    for data in (b'["' + b"x" * 200 + b'"]', b'{"a":"' + b"x" * 200):
        for lines in (False, True):
            with pytest.raises(InvalidInput, match="too_large"):
                list(pieces(cut(data, 7), lines=lines))
