"""Publishing by hand: what a worker does, in the thread of a test, over a market of ``tests.build.market``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.build.market import Market, OpenLot
from tests.support.polling import eventually
from trading.assembly import ERRANDS, SUBSCRIPTIONS
from trading.audit import errands
from trading.audit.model import Recorded
from trading.audit.queries import unlogged
from trading.audit.relay import Subscription, relay
from trading.audit.service import platform_ms
from trading.crypto.signatures import sign_document
from trading.notices import service as notices
from trading.notices.drafting import closing_draft, extension_draft
from trading.procedures.queries import lots_of

TEXTS = {"text_en": "Moved.", "text_zh": "延期。"}
LATER_MS = 60_000


@dataclass(kw_only=True)
class Publisher:
    """One market with acts that are published."""

    market: Market

    def count(self, query: str, *values: object) -> int:
        with self.market.ledger.read() as conn:
            number: int = conn.exec_driver_sql(query, values).scalar_one()
        return number

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.market.ledger.read() as conn:
            return [tuple(row) for row in conn.exec_driver_sql(query, values)]

    def wait_for_log(self) -> None:
        """Wait until every entry has its position."""

        def logged() -> bool:
            with self.market.ledger.read() as conn:
                return unlogged(conn, limit=1) == []

        eventually(logged)

    def relay(self, subscriptions: Sequence[Subscription] = SUBSCRIPTIONS) -> int:
        """Wait for the log, then make the errands of what is new in it."""
        self.wait_for_log()
        return relay(self.market.runtime, subscriptions)

    def due(self) -> list[errands.Errand]:
        with self.market.ledger.read() as conn:
            return errands.due(conn, platform_ms(conn))

    def work(self) -> None:
        """Relay and run everything that is due, until nothing is."""
        while self.relay() or self.due():
            for each in self.due():
                errands.run(self.market.runtime, ERRANDS, each.id)

    def extend(self, lot: OpenLot) -> Recorded:
        """Publish a correction that moves the deadline of a procedure by a minute."""
        market = self.market
        with market.ledger.read() as conn:
            close = (lots_of(conn, lot.procedure_id)[0].close_at or 0) + LATER_MS
            draft = extension_draft(conn, lot.tender, at=market.now_ms(), new_close=close, texts=TEXTS)
        schedules = {place: sign_document(raw, market.drafter.signer) for place, raw in draft.schedules.items()}
        signed = sign_document(draft.notice, market.drafter.signer)
        return notices.extend(
            market.ledger, market.reviewer, lot.tender, signed, schedules, cause=None, affects_bids=False
        )

    def cancel(self, lot: OpenLot) -> None:
        """Cancel the procedure by its notice."""
        market = self.market
        with market.ledger.read() as conn:
            draft = closing_draft(conn, lot.tender, at=market.now_ms(), kind="cancellation", texts=TEXTS)
        signed = sign_document(draft, market.drafter.signer)
        notices.cancel(market.ledger, market.reviewer, lot.tender, signed, "采购任务取消")
