"""The bulletin of a month as an event: the log fixes its SHA-256."""

from __future__ import annotations

from trading.kernel.events import EventKind

PUBLISHED = "statistics.published"
EVENTS = (
    EventKind(
        name=PUBLISHED,
        fields=frozenset({"bulletin_sha256", "month"}),
        public=True,
        title_zh="月报发布存证",
        title_en="Monthly bulletin proved",
    ),
)
