"""Use cases that publish: tender, correction, cancellation, result, failure, contract (NOT-04, 05, 09, 10, 12).

The agency has signed every document before it arrives here; the second person publishes. One transaction moves the
procedure and its lots, stores the notice and writes the entries.
"""

from __future__ import annotations

from trading.notices.service.amending import Correction, amend, extend
from trading.notices.service.ending import cancel, publish_contract, publish_failure, publish_result
from trading.notices.service.publishing import LotDocuments, publish_tender

__all__ = [
    "Correction",
    "LotDocuments",
    "amend",
    "cancel",
    "extend",
    "publish_contract",
    "publish_failure",
    "publish_result",
    "publish_tender",
]
