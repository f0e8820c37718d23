"""What a release looks like, from ``shape.toml``: words of values, and which members must be there."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LANGUAGE: Final = re.compile(r"(?P<name>.+?)_[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a value is. ``base`` is a word of the file's head; ``codes`` those of a closed list."""

    base: str
    codes: frozenset[str] = frozenset()
    is_list: bool = False
    is_filled: bool = False
    may_be_null: bool = False
    is_required: bool = False


def _word(text: str) -> Word:
    required, text = text.endswith("!"), text.removesuffix("!")
    null, text = text.endswith("?"), text.removesuffix("?")
    filled, text = text.endswith("+"), text.removesuffix("+")
    inner = text[1:-1] if text.startswith("[") else text
    inner_word = inner.removesuffix("?")
    codes = frozenset(inner_word.split("|")) if "|" in inner_word or inner_word == "tender" else frozenset()
    return Word(
        base="code" if codes else inner_word,
        codes=codes,
        is_list=text.startswith("["),
        is_filled=filled,
        may_be_null=null,
        is_required=required,
    )


_FILE: Final = tomllib.loads((Path(__file__).parent / "shape.toml").read_text(encoding="utf-8"))
#: Object → member → word.
SHAPE: Final = {name: {member: _word(text) for member, text in members.items()} for name, members in _FILE.items()}
REQUIRED: Final = {
    name: tuple(member for member, word in members.items() if word.is_required) for name, members in SHAPE.items()
}


def word_of(name: str, member: str) -> Word | None:
    """Return the word of a member, also of a text in another language (``title_zh``); None if it is not known."""
    members = SHAPE[name]
    if member in members:
        return members[member]
    told = _LANGUAGE.match(member)
    word = members.get(told["name"]) if told else None
    return Word(base="text", may_be_null=True) if word is not None and word.base == "text" else None
