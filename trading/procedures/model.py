"""Acts on a procedure before and after bidding, and the events that record them. Phases move in ``rules/lifecycle``."""

from __future__ import annotations

from trading.kernel.events import EventKind

EVENTS = (
    EventKind(
        name="procedure.drafted",
        fields=frozenset({"edition_id", "edition_sha256", "regime", "spec_sha256"}),
        title_zh="编制项目",
        title_en="Procedure drafted",
    ),
    EventKind(
        name="procedure.submitted",
        fields=frozenset({"reason", "spec_sha256"}),
        title_zh="提交复核",
        title_en="Submitted for review",
    ),
    EventKind(
        name="procedure.returned",
        fields=frozenset({"reason", "spec_sha256"}),
        title_zh="退回修改",
        title_en="Returned to the drafter",
    ),
    EventKind(
        name="tender.published",
        fields=frozenset({"lot", "notice_sha256", "schedule_sha256", "stage"}),
        public=True,
        title_zh="发布招标公告",
        title_en="Tender notice published",
    ),
    EventKind(
        name="tender.changed",
        fields=frozenset({"cause", "evidence", "lot", "notice_sha256", "schedule_sha256", "stage"}),
        public=True,
        title_zh="发布更正公告",
        title_en="Correction published",
    ),
    EventKind(
        name="procedure.amended",
        fields=frozenset({"notice_sha256", "spec_sha256"}),
        title_zh="修改采购文件",
        title_en="Specification amended",
    ),
    EventKind(
        name="procedure.cancelled",
        fields=frozenset({"notice_sha256", "reason"}),
        public=True,
        title_zh="终止采购",
        title_en="Procedure cancelled",
    ),
    EventKind(
        name="lot.failed",
        fields=frozenset({"lot", "reason", "rule", "stage"}),
        public=True,
        title_zh="流标",
        title_en="Lot failed",
    ),
    EventKind(
        name="calendar.changed",
        fields=frozenset({"days", "source"}),
        title_zh="工作日历变更",
        title_en="Calendar changed",
    ),
)
