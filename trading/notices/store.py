"""Rows of notices, one a version, and of publications, one an entry and channel."""

from __future__ import annotations

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.audit.queries import EntryRow
from trading.kernel.ids import new_row_id
from trading.kernel.signed import SignedDocument
from trading.notices.rules.documents import Notice
from trading.notices.tables import notice, publication


def add(uow: UnitOfWork, recorded: Recorded, procedure_id: int, document: Notice, signed: SignedDocument) -> None:
    """Insert the notice that ``recorded`` publishes."""
    uow.connection.execute(
        notice.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=procedure_id,
            number=document.number,
            kind=document.kind,
            sha256=bytes.fromhex(signed.sha256),
            bytes=signed.doc,
            sigs=signed.sigs_bytes,
            published_at=recorded.at,
        )
    )


def add_publication(uow: UnitOfWork, recorded: Recorded, entry: EntryRow, content: bytes | None) -> None:
    """Insert the publication of ``entry`` that ``recorded`` proves, with what the channel shows."""
    uow.connection.execute(
        publication.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=entry.procedure_id,
            channel=recorded.body["channel"],
            number=recorded.body["number"],
            entry_h=entry.h,
            sha256=bytes.fromhex(recorded.body["sha256"]),
            url=recorded.body["url"],
            content=content,
            published_at=recorded.at,
        )
    )
