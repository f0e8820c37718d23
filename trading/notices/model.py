"""Published notices as events; a result, a failure and a contract are published by theirs."""

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
    EventKind(
        name="failure.published",
        fields=frozenset({"lot", "notice_sha256", "stage"}),
        public=True,
        title_zh="流标公告",
        title_en="Failure published",
    ),
    EventKind(
        name="contract.published",
        fields=frozenset({"contract_sha256", "lot", "notice_sha256", "stage"}),
        public=True,
        title_zh="合同公告",
        title_en="Contract published",
    ),
    EventKind(
        name="notice.publication",
        fields=frozenset({"channel", "entry_h", "number", "sha256", "url"}),
        public=True,
        title_zh="公告发布存证",
        title_en="Publication proved",
    ),
)
