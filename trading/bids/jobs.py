"""Errands of bids."""

from __future__ import annotations

from trading.bids import closing

ERRANDS = {"bids.close": closing.run}
