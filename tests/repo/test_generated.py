"""Generated pages are fresh, and every kind of record and process is written down."""

from __future__ import annotations

import re

import pytest

from tests.repo.tree import ROOT, text_of
from trading.assembly import REGISTRY
from trading.commands.docs import pages
from trading.up.programs import platform_programs


@pytest.mark.parametrize(("name", "text"), pages().items())
def test_generated_pages_are_fresh(name: str, text: str) -> None:
    assert text_of(ROOT / "docs" / name) == text, "run.py docs"


def test_every_kind_of_record_has_a_title_in_both_languages() -> None:
    assert [kind.name for kind in REGISTRY if not kind.title_zh or not kind.title_en] == []


def test_every_route_says_who_may_call_it() -> None:
    assert "| nobody |" not in pages()["permissions.md"]


def test_procfile_and_process_manager_run_the_same_programs() -> None:
    lines = dict(re.findall(r"^(\w+): (.+)$", text_of(ROOT / "Procfile"), re.MULTILINE))
    assert lines.pop("probe").startswith("python -m trading.cli probe run --state ")  # wherever a vantage point is
    assert set(lines) - {"release"} == {program.name for program in platform_programs(ROOT, "127.0.0.1:1")}
    for program in platform_programs(ROOT, "127.0.0.1:1"):
        words = " ".join(program.command[1:]).replace("-m gunicorn", "gunicorn")
        assert lines[program.name].removeprefix("python ") == words
