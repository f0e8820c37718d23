"""Errands of bids."""

from __future__ import annotations

from trading.audit import errands
from trading.audit.runtime import Runtime
from trading.bids import closing, copying, extending, probing, uploads

ERRANDS = {
    "bids.close": closing.run,
    probing.RECOVER: extending.recover,
    uploads.SWEEP: uploads.sweep,
    copying.COPY: copying.copy,
    copying.COMPARE: copying.compare,
}


def arm(runtime: Runtime) -> int:
    """Give the rounds for all bids their errands, unless they are there; return how many were new."""
    rounds = [uploads.SWEEP] if runtime.copies is None else [uploads.SWEEP, copying.COPY, copying.COMPARE]
    return sum(errands.arm(runtime, name, [{}]) for name in rounds)
