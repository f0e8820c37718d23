from __future__ import annotations

import pytest

from trading.bids.rules.uploads import (
    LEAST_CHUNK,
    MOST_CHUNK,
    MOST_OF_ORGANISATION,
    OffsetConflict,
    Upload,
    require_next,
    require_part,
    require_room,
)
from trading.kernel.errors import InvalidInput, RuleBroken

LENGTH = 100 * LEAST_CHUNK
UPLOAD = Upload(id="u", bid="b", name="main", sha256="0" * 64, length=LENGTH, offset=LEAST_CHUNK)


@pytest.mark.parametrize(
    ("start", "size", "code"),
    [
        (LEAST_CHUNK - 1, LEAST_CHUNK, "upload.offset"),
        (LEAST_CHUNK, LEAST_CHUNK, None),
        (LEAST_CHUNK + 1, LEAST_CHUNK, "upload.offset"),
        (LEAST_CHUNK, LEAST_CHUNK - 1, "upload.chunk_size"),
        (LEAST_CHUNK, 0, "upload.chunk_size"),
        (LEAST_CHUNK, MOST_CHUNK, None),
        (LEAST_CHUNK, MOST_CHUNK + 1, "upload.chunk_size"),
        (LEAST_CHUNK, LENGTH, "bid.part_mismatch"),
    ],
)
def test_the_next_chunk(start: int, size: int, code: str | None) -> None:
    found = None
    try:
        require_next(UPLOAD, start, size)
    except (OffsetConflict, InvalidInput) as refusal:
        found = refusal.code
    assert found == code


@pytest.mark.parametrize(
    ("left", "size", "code"), [(9, 8, "upload.chunk_size"), (9, 9, None), (9, 10, "bid.part_mismatch"), (0, 0, None)]
)
def test_the_last_chunk_may_be_small_and_ends_with_the_part(left: int, size: int, code: str | None) -> None:
    upload = Upload(id="u", bid="b", name="main", sha256="0" * 64, length=LENGTH, offset=LENGTH - left)
    assert upload.is_whole == (left == 0)
    if code is None:
        require_next(upload, LENGTH - left, size)
        return
    with pytest.raises(InvalidInput) as caught:
        require_next(upload, LENGTH - left, size)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "length", "code"),
    [
        ("main", 0, "bid.part_shape"),
        ("main", 1, None),
        ("main", 10, None),
        ("main", 11, "bid.part_too_large"),
        ("price", 1, "policy.mismatch"),
    ],
)
def test_what_may_be_begun(name: str, length: int, code: str | None) -> None:
    if code is None:
        require_part(name, length, parts=("main",), most=10)
        return
    with pytest.raises(InvalidInput) as caught:
        require_part(name, length, parts=("main",), most=10)
    assert caught.value.code == code


def test_an_organisation_has_room_for_so_many() -> None:
    require_room(MOST_OF_ORGANISATION - 1)
    for count in (MOST_OF_ORGANISATION, MOST_OF_ORGANISATION + 1):
        with pytest.raises(RuleBroken, match=r"upload\.too_many"):
            require_room(count)
