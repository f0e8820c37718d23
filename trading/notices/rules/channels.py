"""Where every notice is published, and what is published: NOT-31, NOT-32."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    """One way to the public. All show the same content (NOT-31)."""

    PAGE = "page"  # the page that people read
    ATOM = "atom"  # the feed that people subscribe to
    OCDS = "ocds"  # the release that programs read


# What is published of a procedure. Kinds of packages above this one are known by name alone (architecture 5).
PUBLISHED_KINDS: Final = frozenset(
    {
        "answer.published",
        "contract.published",
        "failure.published",
        "lot.failed",
        "opening.completed",
        "procedure.cancelled",
        "result.published",
        "tender.changed",
        "tender.published",
    }
)
