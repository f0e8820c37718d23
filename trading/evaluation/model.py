"""The ranking of a lot as an event; the arithmetic is in ``rules/ranking.py``."""

from __future__ import annotations

from trading.kernel.events import EventKind

EVENTS = (
    EventKind(
        name="bids.ranked",
        fields=frozenset({"currency", "edition_sha256", "items", "lot", "members", "method", "stage", "tie"}),
        public=True,
        title_zh="评审排序",
        title_en="Bids ranked",
    ),
)
