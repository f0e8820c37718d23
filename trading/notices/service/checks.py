"""What every publication checks of its documents, and the events and errands they share."""

from __future__ import annotations

from typing import Any, Final

from trading.audit.ledger import UnitOfWork
from trading.crypto.signatures import verify_es256
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.events import Event
from trading.kernel.signed import SignedDocument
from trading.notices.queries.chain import newest_notice
from trading.notices.rules.documents import Notice
from trading.parties import store as keys
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.grounds import ground
from trading.procedures.rules.spec import ProcedureSpec

# A notice is signed shortly before it is published; the entry's instant is the legal one (NOT-32).
PUBLICATION_TOLERANCE_MS: Final = 3_600_000


def require_notice(uow: UnitOfWork, row: ProcedureRow, notice: Notice, signed: SignedDocument, *, kind: str) -> None:
    """A notice of this kind and procedure, the next of its chain, signed by the agency, made just now."""
    require_agency(uow, row, signed)
    before = newest_notice(uow.connection, row.id)
    number, supersedes = (1, None) if before is None else (before[0] + 1, before[1])
    if (notice.kind, notice.tender, notice.number, notice.supersedes) != (kind, row.reference, number, supersedes):
        raise InvalidInput("doc.bad_field", "kind, tender, number or supersedes of the notice")
    if abs(notice.published_at - uow.at) > PUBLICATION_TOLERANCE_MS:
        raise InvalidInput("doc.bad_field", "published_at is more than an hour away")


def require_files(notice: Notice, spec: ProcedureSpec) -> None:
    """Refuse a notice that names other files than the specification that was reviewed (DOC-02).

    Raises:
        InvalidInput: ``doc.bad_field``.
    """
    told = [(each["name"], each["sha256"], each["size"], each["media"]) for each in notice.documents]
    if told != sorted((each.name, each.sha256, each.size, each.media) for each in spec.documents):
        raise InvalidInput("doc.bad_field", "the notice names other files than the specification")


def require_agency(uow: UnitOfWork, row: ProcedureRow, signed: SignedDocument) -> None:
    """Exactly one signature, by an active key of the procedure's agency."""
    if len(signed.sigs) != 1:
        raise RuleBroken("sig.missing", "P7")
    key = keys.lock_key(uow, signed.sigs[0]["kid"])
    if key is None or (key.role, key.org_code) != ("agency", row.agency_code):
        raise RuleBroken("sig.key_unknown", "P7", kid=signed.sigs[0]["kid"])
    if not key.active:
        raise RuleBroken("sig.key_revoked", "P6.2", kid=key.kid)
    verify_es256(key.spki, signed.doc, signed.sigs[0])


def tender_event(
    kind: str,
    row: ProcedureRow,
    lot: LotRow,
    notice: SignedDocument,
    schedule: SignedDocument,
    **more: Any,  # noqa: ANN401 - JSON values
) -> Event:
    """Return ``tender.published`` or ``tender.changed`` of one lot."""
    body = {
        "lot": lot.number,
        "notice_sha256": notice.sha256,
        "schedule_sha256": schedule.sha256,
        "stage": lot.stage,
        **more,
    }
    return Event(
        kind=kind,
        subject=f"lot:{lot.number}",
        body=body,
        procedure=row.reference,
        procedure_id=row.id,
        article=ground(kind, row.regime),
    )


def errand_arg(row: ProcedureRow, lot: LotRow) -> dict[str, str]:
    """Return what the closer is woken with."""
    return {"tender": row.reference, "lot": lot.number, "stage": lot.stage}
