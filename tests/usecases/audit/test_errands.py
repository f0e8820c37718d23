"""Errands that are due, by the lane in which a worker runs them: what has its instant never waits behind a long one."""

from __future__ import annotations

from sqlalchemy import insert

from trading.audit import errands
from trading.audit.errands import LENGTHY, SWIFT
from trading.audit.ledger import Ledger
from trading.audit.tables import errand
from trading.audit.verifying import ERRAND as VERIFY
from trading.bids.copying import COMPARE, COPY
from trading.bids.uploads import SWEEP
from trading.evaluation.service.files import INSPECT
from trading.evaluation.service.pages import DRAW
from trading.kernel.ids import new_row_id

LONG = (COPY, COMPARE, SWEEP, INSPECT, DRAW, VERIFY)


def test_a_close_is_due_beside_any_number_of_long_ones(ledger: Ledger) -> None:
    with ledger.upkeep() as conn:
        now = errands.platform_ms(conn)
        rows = [{"name": name, "arg": {"number": number}, "due_at": now - 2} for number in range(50) for name in LONG]
        rows.append({"name": "bids.close", "arg": {}, "due_at": now - 1})
        conn.execute(insert(errand), [{"id": new_row_id(), **row} for row in rows])
    with ledger.read() as conn:
        assert [each.name for each in errands.due(conn, now, lane=SWIFT)] == ["bids.close"]
        assert "bids.close" not in {each.name for each in errands.due(conn, now)}, "the control: it waits behind them"
        found = {lane: {each.name for each in errands.due(conn, now, lane=lane)} for lane in LENGTHY}
    assert set().union(*found.values()) == set(LONG)
    assert all(name.startswith(lane) for lane, names in found.items() for name in names)
