"""What an answer may be: for everybody, by two people, never a change of the documents without a notice (DOC-18)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from trading.kernel.calendar import WorkCalendar, is_days_before, shifted_deadline
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import RuleBroken
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

LONGEST_ANSWER: Final = 4_000


class Effect(StrEnum):
    """What an answer does to the documents."""

    EXPLAINS = "explains"  # says what already stands in them
    AFFECTS = "affects"  # changes nothing, but bids may be prepared otherwise because of it
    AMENDS = "amends"  # they change: a correction notice says how


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """An answer as everybody will read it; English texts may be empty, the Chinese ones prevail.

    ``notice`` is the number of the correction notice that carries out an answer that amends.
    """

    question_zh: str
    question_en: str
    answer_zh: str
    answer_en: str
    effect: Effect
    notice: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the texts and their effect as they stand in the public record."""
        return {
            "answer_en": self.answer_en,
            "answer_zh": self.answer_zh,
            "effect": self.effect.value,
            "notice": self.notice,
            "question_en": self.question_en,
            "question_zh": self.question_zh,
        }

    @property
    def sha256(self) -> str:
        """Return the digest by which the record of a draft names it."""
        return sha256_hex(dumps(self.to_json()))


def require_content(content: Content) -> None:
    """Refuse an answer without its Chinese texts or beyond the length, ``answer.incomplete`` (DOC-18)."""
    missing = [name for name in ("question_zh", "answer_zh") if not getattr(content, name).strip()]
    texts = (content.question_zh, content.question_en, content.answer_zh, content.answer_en)
    if missing or any(len(text) > LONGEST_ANSWER for text in texts):
        raise RuleBroken("answer.incomplete", "DOC-18", most=LONGEST_ANSWER)
    if (content.notice is not None) != (content.effect is Effect.AMENDS):
        raise RuleBroken("answer.needs_amendment", "DOC-18")


def require_open(at: int, closes_at: int) -> None:
    """Refuse an answer at or after the deadline, ``answer.late``: nobody could use it any more (DOC-18)."""
    if at >= closes_at:
        raise RuleBroken("answer.late", "DOC-18", close=closes_at)


def require_amendment(content: Content, *, asked_at: int, corrections: dict[int, int]) -> None:
    """Refuse an answer that amends without a correction published after the question, ``answer.needs_amendment``.

    Args:
        content: The answer.
        asked_at: When the question was asked, ms.
        corrections: Number of each published correction notice to its instant of publication, ms.
    """
    if content.effect is not Effect.AMENDS:
        return
    published_at = corrections.get(content.notice or 0)
    if published_at is None or published_at < asked_at:
        raise RuleBroken("answer.needs_amendment", "DOC-18", notice=content.notice)


def require_lead(
    content: Content, *, at: int, closes_at: int, edition: Edition, regime: Regime, calendar: WorkCalendar, lead: Key
) -> None:
    """Refuse an answer that may affect bids too close to the deadline, ``answer.too_late`` (NOT-05, TIM-05).

    ``earliest`` is the deadline that would be lawful: a correction moves it there first. An answer that amends is
    judged with its correction, which passed the same test.
    ``lead``: where the time of the kind stands in the edition.
    """
    if content.effect is not Effect.AFFECTS:
        return
    days = edition.days(lead, regime)
    if not is_days_before(at, closes_at, days, calendar):
        earliest = shifted_deadline(at, closes_at, days, calendar)
        raise RuleBroken("answer.too_late", "NOT-05", close=closes_at, earliest=earliest, lead_days=days.count)
