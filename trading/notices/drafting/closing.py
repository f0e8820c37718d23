"""Unsigned last notices: result, failure, cancellation, and the contract (NOT-09, NOT-10, NOT-12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from trading.contracts import queries as contracts
from trading.contracts.rules.documents import parse_contract
from trading.documents import queries as documents
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure, NotFound
from trading.notices.drafting.head import head
from trading.notices.drafting.tender import said
from trading.notices.queries.outcomes import outcome
from trading.notices.rules.documents import build_notice
from trading.procedures import queries as procedures
from trading.procedures.rules.spec import parse_spec


def closing_draft(
    conn: Connection,
    reference: str,
    *,
    at: int,
    kind: str,
    texts: Mapping[str, str],
    experts: Sequence[str] = (),
) -> bytes:
    """Return a result, failure or cancellation notice.

    A result names every lot whose award waits for its notice, a failure every failed lot; a cancellation names all,
    each with its award or the reason why there is none.

    Args:
        conn: Where to read.
        reference: The procedure.
        at: Instant of publication (ms).
        kind: ``result``, ``failed`` or ``cancellation``.
        texts: ``text_zh`` and ``text_en``.
        experts: Names of the committee, for a result (NOT-09).
    """
    row = procedures.find(conn, reference)
    lots = [
        outcome(conn, row, lot)
        for lot in procedures.lots_of(conn, row.id)
        if kind == "cancellation" or lot.phase == {"result": "determined", "failed": "failed"}[kind]
    ]
    fields: dict[str, Any] = {**head(conn, row, at=at, kind=kind), **texts, "changes": [], "lots": lots}
    if kind == "result":
        # NOT-09: the tender documents stand with the result, and who evaluated.
        fields |= {"documents": said(parse_spec(loads_object(row.spec)))["documents"], "experts": list(experts)}
    return build_notice(fields)


def contract_notice_draft(
    conn: Connection, reference: str, place: tuple[str, str], *, at: int, texts: Mapping[str, str]
) -> bytes:
    """Return the notice of the signed contract of one lot (CON-02, NOT-12).

    Raises:
        NotFound: No contract is signed.
    """
    row = procedures.find(conn, reference)
    signed = contracts.contract_of(conn, row.id, *place)
    if signed is None:
        raise NotFound(f"contract of lot {place[0]}")
    stored = documents.get(conn, bytes.fromhex(signed.sha256))
    if stored is None:
        raise IntegrityFailure(f"contract {signed.sha256} is missing")
    document = parse_contract(stored.doc)
    lot = {
        "contract_sha256": signed.sha256,
        "currency": document.currency,
        "lot": signed.lot,
        "price": signed.price,
        "signed_at": signed.signed_at,
        "stage": signed.stage,
        "supplier": dict(document.supplier),
    }
    return build_notice({**head(conn, row, at=at, kind="contract"), **texts, "changes": [], "lots": [lot]})
