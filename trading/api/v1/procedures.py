"""Published procedures for programs: list, one, lots with their policy package, notices; nothing of bids (SUB-07)."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import Blueprint, Response, request, url_for
from sqlalchemy import Connection

from trading.api.bodies import answer, runtime
from trading.custody import queries as custody
from trading.kernel.errors import InvalidInput, NotFound
from trading.notices.queries.chain import PublishedNotice, notices_of
from trading.procedures import queries
from trading.procedures.queries import LotRow, ProcedureRow
from trading.web.permissions import public

blueprint = Blueprint("procedures", __name__, url_prefix="/api/v1/procedures")

PAGE: Final = 50
_CURSOR: Final = re.compile(r"([0-9]{1,15})-(T-[0-9a-z-]{1,40})")


@blueprint.get("")
@public
def listed() -> Response:
    """Return published procedures, newest first; the header ``Link`` names the next page (RFC 8288)."""
    text = request.args.get("before")
    match = None if text is None else _CURSOR.fullmatch(text)
    if text is not None and match is None:
        raise InvalidInput("body.malformed", "before is not a cursor of this list")
    before = None if match is None else (int(match[1]), match[2])
    with runtime().ledger.read() as conn:
        rows = queries.published(conn, before=before, limit=PAGE + 1)
        shown = [_procedure(row) for row in rows[:PAGE]]
    response = answer({"procedures": shown})
    if len(rows) > PAGE:
        last = rows[PAGE - 1]
        url = url_for("procedures.listed", before=f"{last.published_at}-{last.reference}")
        response.headers["Link"] = f'<{url}>; rel="next"'
    return response


@blueprint.get("/<tender>")
@public
def one(tender: str) -> Response:
    """Return one procedure with its lots."""
    with runtime().ledger.read() as conn:
        row = _published(conn, tender)
        lots = [_lot(lot) for lot in queries.lots_of(conn, row.id)]
    return answer({**_procedure(row), "lots": lots})


@blueprint.get("/<tender>/lots/<lot>")
@public
def lot(tender: str, lot: str) -> Response:
    """Return one lot and stage with its opening policy, custodian keys and schedule as signed documents."""
    with runtime().ledger.read() as conn:
        row = queries.find_lot(conn, _published(conn, tender).id, lot, request.args.get("stage", "all"))
        package = custody.package(conn, row).wire()
    return answer({**_lot(row), **package, "tender": tender})


@blueprint.get("/<tender>/notices")
@public
def notices(tender: str) -> Response:
    """Return the notices of a procedure as signed documents, oldest first."""
    with runtime().ledger.read() as conn:
        found = notices_of(conn, _published(conn, tender).id)
    return answer({"notices": [_notice(notice) for notice in found]})


def _published(conn: Connection, tender: str) -> ProcedureRow:
    """Return a procedure that is public; a draft is answered as one that does not exist."""
    row = queries.find(conn, tender)
    if row.published_at is None:
        raise NotFound(tender)
    return row


def _procedure(row: ProcedureRow) -> dict[str, Any]:
    return {
        "agency": row.agency_code,
        "buyer": row.buyer_code,
        "edition": row.edition_id,
        "edition_sha256": row.edition_sha256,
        "jurisdiction": row.jurisdiction,
        "kind": row.kind,
        "phase": row.phase,
        "published_at": row.published_at,
        "regime": row.regime,
        "supervisor": row.supervisor_code,
        "tender": row.reference,
        "title_en": row.title_en,
        "title_zh": row.title_zh,
    }


def _lot(row: LotRow) -> dict[str, Any]:
    return {
        "ceiling": row.ceiling,
        "close": row.close_at,
        "currency": row.currency,
        "lot": row.number,
        "phase": row.phase,
        "policy_sha256": row.policy_sha256,
        "schedule_sha256": row.schedule_sha256,
        "stage": row.stage,
        "title_en": row.title_en,
        "title_zh": row.title_zh,
    }


def _notice(notice: PublishedNotice) -> dict[str, Any]:
    return {
        **notice.signed.wire(),
        "kind": notice.kind,
        "number": notice.number,
        "published_at": notice.published_at,
        "sha256": notice.signed.sha256,
    }
