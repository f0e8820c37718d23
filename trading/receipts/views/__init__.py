"""Receipts as downloads: the ``.tlog-proof`` file, or the page that people can print, with the file attached."""

from __future__ import annotations

from typing import Final

from flask import Response

from trading.audit.runtime import Runtime
from trading.audit.service import IssuedReceipt
from trading.kernel.ids import is_practice
from trading.receipts.service import read
from trading.receipts.typesetting import typeset
from trading.receipts.views.words import sheet
from trading.web.downloads import PROOF_TYPE, evidence_file

PROOF: Final = "tlog-proof"
PDF: Final = "pdf"
_MEDIA: Final = {PROOF: PROOF_TYPE, PDF: "application/pdf"}


def download(runtime: Runtime, issued: IssuedReceipt, form: str, of: str = "") -> Response:
    """Return a receipt as a file; whether its reader may have it was decided before.

    Args:
        runtime: Of this process.
        issued: The best receipt of the record.
        form: ``PROOF`` or ``PDF``.
        of: Reference of the procedure, where it is known; the file of a practice tender is named for it.
    """
    data = issued.text
    if form == PDF:
        told = read(runtime, issued)
        data = typeset(sheet(told, runtime.ledger.registry, runtime.public_url, demo=runtime.demo))
    return evidence_file(data, f"{of}-{issued.n}.{form}" if is_practice(of) else f"{issued.n}.{form}", _MEDIA[form])
