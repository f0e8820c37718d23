"""Published notices as events; a result is published by its notice."""

from __future__ import annotations

from trading.kernel.events import EventKind

EVENTS = (
    EventKind(
        name="result.published",
        fields=frozenset({"lot", "notice_sha256", "stage"}),
        public=True,
        title_zh="结果公告",
        title_en="Result published",
    ),
)
