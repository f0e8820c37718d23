"""Errands of bids."""

from __future__ import annotations

from trading.audit import errands
from trading.audit.runtime import Runtime
from trading.bids import closing, extending, probing, uploads

ERRANDS = {"bids.close": closing.run, probing.RECOVER: extending.recover, uploads.SWEEP: uploads.sweep}


def arm(runtime: Runtime) -> int:
    """Give the sweep of uploads its round, unless it is there; return whether it was new, as 0 or 1."""
    return errands.arm(runtime, uploads.SWEEP, [{}])
