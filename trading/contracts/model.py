"""What happens to a contract, as events: signed by both parties, filed. Its publication is an act of the notices."""

from __future__ import annotations

from trading.kernel.events import EventKind

EVENTS = (
    EventKind(
        name="contract.signed",
        fields=frozenset({"bid", "bidder", "contract_sha256", "lot", "price", "stage"}),
        public=True,
        title_zh="签订合同",
        title_en="Contract signed",
    ),
    EventKind(
        name="contract.filed",
        fields=frozenset({"contract_sha256", "filing", "lot", "stage"}),
        public=True,
        title_zh="合同备案",
        title_en="Contract filed",
    ),
)
