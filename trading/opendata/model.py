"""Bulk files as an event: the log fixes the manifest of each day and year that has ended."""

from __future__ import annotations

from trading.kernel.events import EventKind

PUBLISHED = "opendata.published"
EVENTS = (
    EventKind(
        name=PUBLISHED,
        fields=frozenset({"manifest_sha256", "period"}),
        public=True,
        title_zh="开放数据发布存证",
        title_en="Open data in bulk proved",
    ),
)
