"""Until when questions are taken, and what a question must not say: who asks stays unknown (DOC-17, NOT-36)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from trading.kernel.errors import RuleBroken

SHORTEST_QUESTION: Final = 5  # characters, blank ones not counted: less is no question
LONGEST_QUESTION: Final = 2_000
_SHORTEST_NAME: Final = 2  # a name of one character would be found in any text
_CREDIT_CODE: Final = re.compile(r"(?<![0-9A-Z])[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}(?![0-9A-Z])")


def cutoff(questions_until: int | None, closes: Iterable[int | None]) -> int | None:
    """Return the instant (ms) from which no question is taken any more; None while no deadline is fixed.

    It is what the notice says, whose publication found that it leaves the legal time to answer (OBJ-09); a notice that
    says nothing takes questions until the first deadline of its lots. A question is in time iff ``at < cutoff``.
    """
    fixed = [close for close in closes if close is not None]
    if not fixed:
        return None
    return min(fixed) if questions_until is None else min(questions_until, *fixed)


def require_open(at: int, cutoff_at: int | None) -> None:
    """Refuse a question at or after the cut-off, ``question.late`` (DOC-17)."""
    if cutoff_at is None or at >= cutoff_at:
        raise RuleBroken("question.late", "DOC-17", asked=at, ends_at=cutoff_at)


def require_question(text: str) -> str:
    """Return the question without blank ends.

    Raises:
        RuleBroken: ``question.length``: shorter than 5 characters without blanks, or longer than 2,000.
    """
    kept = text.strip()
    if len("".join(kept.split())) < SHORTEST_QUESTION or len(kept) > LONGEST_QUESTION:
        raise RuleBroken("question.length", "DOC-17", least=SHORTEST_QUESTION, most=LONGEST_QUESTION, count=len(kept))
    return kept


def require_nameless(text: str, own_names: Iterable[str]) -> None:
    """Refuse a question that names its asker or any organisation code, ``question.names_asker`` (NOT-36).

    Args:
        text: The question.
        own_names: Names and code of the asking organisation.
    """
    plain = _plain(text)
    named = any(len(name) >= _SHORTEST_NAME and name in plain for name in map(_plain, own_names))
    if named or _CREDIT_CODE.search(unicodedata.normalize("NFKC", text).upper()):
        raise RuleBroken("question.names_asker", "NOT-36")


def _plain(text: str) -> str:
    """Return the text without blanks, punctuation, width and case, so that a name cannot hide behind them."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())
