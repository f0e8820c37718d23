"""The catalogue of refusal texts: what happened, what still stands, what to do next, in both languages (ux 5.1).

The texts are data (``refusals.toml``); this module finds the right one and puts the facts of an error into it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from trading.web.instants import clock_text, moment_text

LANGUAGES: Final = ("zh", "en")
# Facts that are instants: of one day, told to the millisecond; of another day, with their date.
CLOCKS: Final = frozenset({"close", "received_at"})
MOMENTS: Final = frozenset({"asked", "earliest", "ends_at", "latest", "new_close"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Three sentences for a person."""

    happened: str
    stands: str
    next: str

    def joined(self, separator: str = "") -> str:
        """Return the three as one paragraph."""
        return separator.join((self.happened, self.stands, self.next))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The texts of one code; ``facts`` are the values without which ``detailed`` cannot be said."""

    code: str
    texts: Mapping[str, Text]
    facts: tuple[str, ...]
    detailed: Mapping[str, str]

    def say(self, language: str, facts: Mapping[str, object]) -> Text:
        """Return the text in ``language`` with the facts that the error carries."""
        text = self.texts[language]
        if not self.facts or not all(isinstance(facts.get(name), int | str) for name in self.facts):
            return text
        values = {name: _shown(name, facts[name]) for name in self.facts}
        return Text(happened=self.detailed[language].format_map(values), stands=text.stands, next=text.next)


def _shown(name: str, value: object) -> str:
    if isinstance(value, int) and name in CLOCKS:
        return clock_text(value)
    return moment_text(value) if isinstance(value, int) and name in MOMENTS else str(value)


@cache
def catalogue() -> Mapping[str, Refusal]:
    """Return every refusal by code; read once."""
    data = tomllib.loads(resources.files("trading.web").joinpath("refusals.toml").read_text(encoding="utf-8"))
    return {code: _refusal(code, row) for code, row in data.items()}


def _refusal(code: str, row: Mapping[str, Any]) -> Refusal:
    texts = {}
    for language in LANGUAGES:
        happened, stands, following = row[language]
        texts[language] = Text(happened=happened, stands=stands, next=following)
    detailed = {language: row[f"{language}_facts"] for language in LANGUAGES if "facts" in row}
    return Refusal(code=code, texts=texts, facts=tuple(row.get("facts", ())), detailed=detailed)


def find(code: str, fallback: str) -> Refusal:
    """Return the refusal of ``code``, else of its family ``<noun>.*``, else of ``fallback``."""
    refusals = catalogue()
    family = f"{code.partition('.')[0]}.*"
    return refusals.get(code) or refusals.get(family) or refusals[fallback]


def is_covered(code: str) -> bool:
    """Whether ``code`` has a text of its own or of its family; a test asks this for every code in the source."""
    return code in catalogue() or f"{code.partition('.')[0]}.*" in catalogue()
