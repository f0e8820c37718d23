"""The unsigned documents that the agency signs: policy and schedule of each lot, and notices (S3.3, T2, NOT-04).

The platform proposes the bytes; whoever signs them reads them first (``mingbiao sign`` says in words what they are).
"""

from __future__ import annotations

from trading.notices.drafting.closing import closing_draft, contract_notice_draft
from trading.notices.drafting.correction import AmendmentDraft, ExtensionDraft, amendment_draft, extension_draft
from trading.notices.drafting.tender import LotDraft, TenderDraft, tender_draft

__all__ = [
    "AmendmentDraft",
    "ExtensionDraft",
    "LotDraft",
    "TenderDraft",
    "amendment_draft",
    "closing_draft",
    "contract_notice_draft",
    "extension_draft",
    "tender_draft",
]
