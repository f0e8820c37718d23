"""Objections on the spot (OPN-11): the window just before, at and after both ends, and what a text must be."""

from __future__ import annotations

import pytest

from trading.kernel.errors import RuleBroken
from trading.openings.rules.on_the_spot import LONGEST, Window, require_open, require_text

READ_OUT = 1_700_000_000_000
LENGTH = 300_000
WINDOW = Window(begins_at=READ_OUT, length_ms=LENGTH)


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (READ_OUT, None),
        (READ_OUT + 1, None),
        (READ_OUT + LENGTH - 1, None),
        (READ_OUT + LENGTH, "opening.objection_late"),
        (READ_OUT + LENGTH + 1, "opening.objection_late"),
    ],
)
def test_the_window_is_half_open(at: int, code: str | None) -> None:
    assert WINDOW.is_open(at) is (code is None)
    if code is None:
        require_open(WINDOW, at)
        return
    with pytest.raises(RuleBroken) as refused:
        require_open(WINDOW, at)
    assert (refused.value.code, refused.value.facts) == (code, {"ended_at": READ_OUT + LENGTH})


def test_nobody_objects_before_everything_is_read_out() -> None:
    sealed = Window(begins_at=None, length_ms=LENGTH)
    assert sealed.ends_at is None
    assert not sealed.is_open(READ_OUT)
    assert not WINDOW.is_open(READ_OUT - 1)
    with pytest.raises(RuleBroken, match=r"opening\.objection_early"):
        require_open(sealed, READ_OUT)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" 1 2 3 4 ", None),
        (" 1 2 3 4 5 \n", "1 2 3 4 5"),
        ("x" * LONGEST, "x" * LONGEST),
        ("x" * (LONGEST + 1), None),
        (f" {'x' * LONGEST} ", "x" * LONGEST),
    ],
)
def test_a_text_says_something_and_ends(text: str, kept: str | None) -> None:
    if kept is not None:
        assert require_text(text) == kept
        return
    with pytest.raises(RuleBroken, match=r"opening\.text_length"):
        require_text(text)
