"""Use cases that publish: tender, correction with extension, cancellation, result (NOT-04, NOT-05, NOT-09, NOT-10).

The agency has signed every document before it arrives here; the second person publishes. One transaction moves the
procedure and its lots, stores the notice and writes the entries.
"""

from __future__ import annotations

from trading.notices.service.amending import extend
from trading.notices.service.ending import cancel, publish_result
from trading.notices.service.publishing import LotDocuments, publish_tender

__all__ = ["LotDocuments", "cancel", "extend", "publish_result", "publish_tender"]
