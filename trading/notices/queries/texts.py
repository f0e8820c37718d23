"""One published notice, and one document, as the exact bytes that were signed and hashed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from trading.documents.tables import document
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound
from trading.notices.queries import AnyRow
from trading.notices.queries.page import files_of
from trading.notices.queries.statements import AFTER_OPENING, FROM_PUBLICATION, PUBLIC_PHASES
from trading.notices.queries.values import File
from trading.notices.rules.changes import Change
from trading.notices.tables import notice
from trading.openings.tables import opening
from trading.procedures.tables import procedure


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeText:
    """One notice in full. ``supersedes`` is the digest of the version before; ``newest`` the number of the last one."""

    reference: str
    number: int
    newest: int
    kind: str
    sha256: str
    size: int
    published_at: int
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str
    changes: tuple[Change, ...]
    supersedes: str | None


def tender_file(conn: Connection, reference: str, digest: str) -> File:
    """Return a tender document that some notice of a published procedure names; replaced ones stay readable.

    Raises:
        NotFound: No notice names it.
    """
    query = (
        select(notice.c.bytes)
        .join(procedure, procedure.c.id == notice.c.procedure_id)
        .where(procedure.c.reference == reference, procedure.c.phase.in_(PUBLIC_PHASES))
        .order_by(notice.c.number.desc())
    )
    for raw in conn.execute(query).scalars():
        for each in files_of(loads_object(bytes(raw))):
            if each.sha256 == digest:
                return each
    raise NotFound(digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """Bytes to download under their own digest, and the canonical array of signature objects (empty if unsigned)."""

    sha256: str
    doc: bytes
    sigs: bytes


def notice_text(conn: Connection, reference: str, number: int) -> NoticeText:
    """Return one notice of a published procedure; ``NotFound`` otherwise."""
    query = (
        select(notice.c.number, notice.c.kind, notice.c.sha256, notice.c.bytes, notice.c.published_at)
        .join(procedure, procedure.c.id == notice.c.procedure_id)
        .where(procedure.c.reference == reference, procedure.c.phase.in_(PUBLIC_PHASES))
        .order_by(notice.c.number)
    )
    rows = {row.number: row for row in conn.execute(query)}
    if number not in rows:
        raise NotFound(f"notice {number} of {reference}")
    row = rows[number]
    body: dict[str, Any] = loads_object(bytes(row.bytes))
    return NoticeText(
        reference=reference,
        number=number,
        newest=max(rows),
        kind=row.kind,
        sha256=bytes(row.sha256).hex(),
        size=len(row.bytes),
        published_at=row.published_at,
        title_zh=body["title_zh"],
        title_en=body["title_en"],
        text_zh=body["text_zh"],
        text_en=body["text_en"],
        changes=tuple(Change(field=each["field"], old=each["old"], new=each["new"]) for each in body["changes"]),
        supersedes=body["supersedes"],
    )


def exact(conn: Connection, reference: str, digest: bytes) -> Exact:
    """Return a notice or a public document of the procedure by its SHA-256 (SB1 S11 says which are public when).

    Raises:
        NotFound: There is none, or it is not public yet: the two look the same.
    """
    row = (
        conn.execute(_notice_bytes(reference, digest)).one_or_none()
        or conn.execute(_document_bytes(reference, digest)).one_or_none()
    )
    if row is None or not _is_public_tier(row.typ, bytes(row.bytes)):
        raise NotFound(digest.hex())
    return Exact(sha256=digest.hex(), doc=bytes(row.bytes), sigs=bytes(row.sigs))


def _notice_bytes(reference: str, digest: bytes) -> Select[AnyRow]:
    return (
        select(notice.c.kind.label("typ"), notice.c.bytes, notice.c.sigs)
        .join(procedure, procedure.c.id == notice.c.procedure_id)
        .where(
            procedure.c.reference == reference,
            procedure.c.phase.in_(PUBLIC_PHASES),
            notice.c.sha256 == digest,
        )
    )


def _document_bytes(reference: str, digest: bytes) -> Select[AnyRow]:
    openings = select(opening.c.id).where(opening.c.procedure_id == procedure.c.id).correlate(procedure)
    # Documents do not name their lot in a column, so those of the ceremony wait for the last opening of the procedure.
    complete = openings.exists() & ~openings.where(opening.c.step != "completed").exists()
    may = or_(document.c.typ.in_(FROM_PUBLICATION), document.c.typ.in_(AFTER_OPENING) & complete)
    of_procedure = (document.c.procedure_id == procedure.c.id) & may
    return (
        select(document.c.typ, document.c.bytes, document.c.sigs)
        .select_from(document)
        .join(procedure, of_procedure)
        .where(
            procedure.c.reference == reference,
            procedure.c.phase.in_(PUBLIC_PHASES),
            document.c.sha256 == digest,
        )
    )


def _is_public_tier(typ: str, doc: bytes) -> bool:
    """Whether the public may have it: of two transcripts only the bidders' tier, which has no share and no secret."""
    return typ != "sb1.transcript" or loads_object(doc).get("tier") == "bidders"
