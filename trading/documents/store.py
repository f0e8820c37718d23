"""Rows of documents. A document is written once, under the entry that names it."""

from __future__ import annotations

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.crypto.signatures import SignedDocument
from trading.documents.queries import is_kept
from trading.documents.tables import document
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256
from trading.kernel.ids import new_row_id


def add(uow: UnitOfWork, recorded: Recorded, procedure_id: int | None, signed: SignedDocument) -> str:
    """Insert the document that ``recorded`` names, and return its SHA-256 in hex.

    A document that is already stored stays as it is: the same bytes may be named by several records.
    """
    digest = sha256(signed.doc)
    if not is_kept(uow.connection, procedure_id, digest):
        uow.connection.execute(
            document.insert().values(
                id=new_row_id(),
                entry_id=recorded.entry_id,
                procedure_id=procedure_id,
                sha256=digest,
                typ=str(loads_object(signed.doc).get("typ")),
                bytes=signed.doc,
                sigs=dumps(list(signed.sigs)),
            )
        )
    return digest.hex()
