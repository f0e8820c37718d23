"""Deadlines that count whatever is refused around them: for storms, which always refuse what waited across one."""

from __future__ import annotations

from tests.build.market import Market, OpenLot
from trading.bids.rules.closing import CLOSING_CONFIRMATION
from trading.crypto.signatures import sign_document
from trading.documents import store as documents
from trading.kernel.events import Event
from trading.kernel.roles import Actor


def confirm_in_advance(market: Market, lot: OpenLot) -> None:
    """Record that refusals by the platform's own fault do not move the deadline of a lot (TE1 T5)."""
    said = {"lot": lot.lot, "reason": "refusal", "stage": lot.stage}
    paper = {**said, "close": lot.close, "created": market.now_ms(), "tender": lot.tender}
    signed = sign_document(CLOSING_CONFIRMATION.write(paper), market.drafter.signer)
    event = Event(
        kind="closing.confirmed",
        subject=f"lot:{lot.lot}",
        body={**said, "doc_sha256": signed.sha256},
        procedure=lot.tender,
        procedure_id=lot.procedure_id,
    )
    with market.ledger.begin(Actor.system("worker")) as uow:
        documents.add(uow, uow.record(event), lot.procedure_id, signed)
