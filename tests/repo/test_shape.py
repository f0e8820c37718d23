"""Sizes (style 3). A number that is exceeded asks for a noun, not for a cut by line count."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.repo.shape import FOLDERS, functions, module_lines
from tests.repo.tree import files, name_of, text_of

# Builders of test data and long tables of cases are read from top to bottom; `run.py shape` shows them too.
UNBOUNDED = ("tests/", "migrations/versions/")
# Words of other languages and trades for ideas that have one name here (style 2), and transliterations.
BANNED = {"tenderer", "vendor", "blacklist", "whitelist", "jury", "unsealing", "cronjob"}
PINYIN = re.compile(r"(zhao|tou|kai|ping|zhong|ding|fei|liu|biao)biao|caigou|gonggao|zhaotoubiao|mujian")


# Only files with one of them, even within a text or a longer word, are read name by name.
ANYWHERE = re.compile("|".join((*BANNED, PINYIN.pattern)), re.IGNORECASE)


def test_no_module_is_longer_than_400_lines() -> None:
    assert {n: lines for n, lines in module_lines().items() if lines > 400 and not n.startswith(UNBOUNDED)} == {}


def test_no_function_is_longer_than_50_lines() -> None:
    assert [each for each in functions() if each.lines > 50 and not each.where.startswith(UNBOUNDED)] == []


def test_identifiers_use_the_words_of_the_glossary() -> None:
    suspects = [path for path in files(".py", *FOLDERS) if ANYWHERE.search(text_of(path))]
    found = [f"{name_of(path)}: {name}" for path in suspects for name in names_in(path) if is_banned(name)]
    assert found == []


def names_in(path: Path) -> set[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text_of(path)).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def is_banned(name: str) -> bool:
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)}
    return bool(words & BANNED) or PINYIN.search(name.lower()) is not None


@pytest.mark.parametrize("name", ["tenderer_id", "VendorName", "zhaobiao_at"])
def test_banned_words_are_found(name: str) -> None:
    assert is_banned(name)
