"""Warnings before sealing: the command gives the answers of the sealing page to the same files (ux C15 to C17)."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.bid.filetypes import Doubt, doubts_of
from tests.build.doubtful_files import FILES


@pytest.mark.parametrize("name", FILES)
def test_what_is_doubtful(tmp_path: Path, name: str) -> None:
    content, expected = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    assert [doubt.value for doubt in doubts_of(path)] == expected


def test_every_doubt_has_an_example() -> None:
    assert {doubt for _, doubts in FILES.values() for doubt in doubts} == set(Doubt)
