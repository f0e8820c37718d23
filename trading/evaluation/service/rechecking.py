"""What a member says about an unusual score after the scores are open (B10.6, 87-64)."""

from __future__ import annotations

from typing import Final

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.evaluation import store
from trading.evaluation.model import of_lot
from trading.evaluation.service.holding import scored_lot
from trading.evaluation.service.members import require_seat, require_unreported
from trading.evaluation.service.reporting import draft_if_ready
from trading.evaluation.service.state import open_sheets
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.procedures import store as rows

_REASON_LIMIT: Final = 1_000


def explain_score(
    ledger: Ledger, actor: Actor, reference: str, lot: str, stage: str, place: tuple[str, str], words: str
) -> Recorded:
    """Record why a member stands by an unusual score: ``place`` is (bid, criterion) (B10.6 item 4).

    Raises:
        NotFound: No member who sits, or no such doubt about an own score.
        RuleBroken: ``explanation.empty``, ``evaluation.reported``.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        sitting, seat = require_seat(uow.connection, row.id, actor)
        require_unreported(sitting)
        state = scored_lot(uow, row, lot, stage)
        found = state.doubts(open_sheets(uow.connection, state.place))
        bid, criterion = place
        if (bid, criterion, seat) not in {(each.bid, each.criterion, each.seat) for each in found}:
            raise NotFound(bid)
        text = words.strip()
        if not text or len(text) > _REASON_LIMIT:
            raise RuleBroken("explanation.empty", "B10.6", limit=_REASON_LIMIT)
        body = {"bid": bid, "criterion": criterion, "reason": text, "seat": seat}
        recorded = uow.record(of_lot("recheck.explained", state.place, **body))
        store.add_recheck_explanation(uow, recorded, state.place, (bid, criterion, seat), text)
        draft_if_ready(uow, row)
    return recorded
