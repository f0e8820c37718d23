"""What every notice of a procedure says first: parties, edition, place in the chain."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from trading.notices.queries.chain import newest_notice
from trading.notices.queries.outcomes import party
from trading.parties.queries import organisations
from trading.procedures.queries import ProcedureRow
from trading.procedures.service import edition_of


def head(conn: Connection, row: ProcedureRow, *, at: int, kind: str) -> dict[str, Any]:
    """Return the fields that every notice of a procedure has, the next of its chain, for publication at ``at`` (ms)."""
    known = organisations(conn, (row.buyer_code, row.agency_code))
    before = newest_notice(conn, row.id)
    return {
        "agency": party(known, row.agency_code),
        "buyer": party(known, row.buyer_code),
        "edition_sha256": edition_of(conn, row, at).digest.hex(),
        "kind": kind,
        "number": 1 if before is None else before[0] + 1,
        "procedure_kind": row.kind,
        "published_at": at,
        "regime": row.regime,
        "supersedes": None if before is None else before[1],
        "supervisor": row.supervisor_code,
        "tender": row.reference,
        "title_en": row.title_en,
        "title_zh": row.title_zh,
    }
