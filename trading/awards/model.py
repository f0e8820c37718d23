"""The award decision as an event (AWD-09: in the order of the ranking)."""

from __future__ import annotations

from trading.kernel.events import EventKind

EVENTS = (
    EventKind(
        name="award.determined",
        fields=frozenset({"bid", "bidder", "lot", "price", "ranked_h", "stage"}),
        public=True,
        title_zh="确定中标人",
        title_en="Award determined",
    ),
)
