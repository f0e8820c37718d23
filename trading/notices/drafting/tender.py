"""The unsigned documents of a tender: policy and schedule of each lot, and the tender notice (S3.3, T2, NOT-04).

The platform proposes the bytes; whoever signs them reads them first (``mingbiao sign`` says in words what they are).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from trading.bids.rules.policy import parse_custodian_key
from trading.custody import queries as custody
from trading.documents import queries as documents
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.kernel.errors import IntegrityFailure, RuleBroken
from trading.notices.drafting.head import head
from trading.notices.rules.documents import build_notice
from trading.procedures import queries as procedures
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.spec import (
    DocumentSpec,
    LotSpec,
    ProcedureSpec,
    chosen_json,
    criteria_json,
    parse_spec,
    preference_json,
)

# Order of the custodians in a policy: the index of a share never depends on who registered first.
_ROLE_ORDER: Final = ("agency", "operator", "supervisor", "notary", "association", "centre", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class LotDraft:
    """Unsigned policy and schedule of one lot and stage."""

    lot: str
    stage: str
    policy: bytes
    schedule: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TenderDraft:
    """Everything the agency signs before publication; the notice names the lots' documents by their digests."""

    notice: bytes
    lots: tuple[LotDraft, ...]


def tender_draft(
    conn: Connection, reference: str, *, at: int, demo: bool, intake: Mapping[str, str] | None = None
) -> TenderDraft:
    """Return the documents of a procedure in review, for publication at ``at`` (ms).

    ``intake`` is the supervisor's, by origin and vkey, where this platform knows one; named if the agency chose it.

    Raises:
        RuleBroken: ``intake.unknown``: the agency chose the intake, and there is none.
        RuleBroken: ``custodian.unproved``: too few custodians hold a proved key.
    """
    row = procedures.find(conn, reference)
    spec = parse_spec(loads_object(row.spec))
    if spec.intake and intake is None:
        raise RuleBroken("intake.unknown", "SB1 S7.6")
    named = dict(intake) if spec.intake and intake is not None else None
    lots = tuple(_lot_draft(conn, row, spec, lot, demo=demo, intake=named) for lot in procedures.lots_of(conn, row.id))
    offered = [offered_lot(spec, draft, lot) for draft, lot in zip(lots, procedures.lots_of(conn, row.id), strict=True)]
    fields = {**head(conn, row, at=at, kind="tender"), **said(spec), "changes": [], "lots": offered}
    return TenderDraft(notice=build_notice(fields), lots=lots)


def said(spec: ProcedureSpec) -> dict[str, Any]:
    """Return what a specification says to everybody about the whole procedure: texts, files, times (NOT-04)."""
    return {
        "bid_validity_days": spec.bid_validity_days,
        "documents": [{name: getattr(each, name) for name in each.__slots__} for each in _by_name(spec)],
        "questions_until": spec.questions_until,
        "supply_ends_at": spec.supply_ends_at,
        "text_en": spec.text_en,
        "text_zh": spec.text_zh,
    }


def _by_name(spec: ProcedureSpec) -> list[DocumentSpec]:
    return sorted(spec.documents, key=lambda each: each.name)


def _lot_draft(
    conn: Connection,
    row: ProcedureRow,
    spec: ProcedureSpec,
    lot: LotRow,
    *,
    demo: bool,
    intake: dict[str, str] | None,
) -> LotDraft:
    place = {"lot": lot.number, "stage": lot.stage, "tender": row.reference}
    policy = {
        **place,
        "bidder_factor": spec.sealing.bidder_factor,
        "custodians": _custodians(conn, row, lot, spec.sealing.n),
        "demo": demo,
        "k": spec.sealing.k,
        "parts": ["main", "price"],
        "price_bytes": spec.sealing.price_bytes,
        "suite": "SB1-XWING-AGE",
        "supersedes": None,
        "typ": "sb1.policy",
        "v": 1,
    }
    schedule: dict[str, Any] = {
        **place,
        "cause": None,
        "close": spec.close,
        "evidence": [],
        "extension_rule": None if spec.extension_rule is None else spec.extension_rule.to_json(),
        "factor_window_ms": spec.windows.factor_window_ms,
        "intake": intake,
        "objection_ms": spec.windows.objection_ms,
        "release_window_ms": spec.windows.release_window_ms,
        "rescue_ms": spec.windows.rescue_ms,
        "seq": 1,
        "share_check_ms": spec.windows.share_check_ms,
        "supersedes": None,
        "typ": "mb.schedule",
        "v": 1,
    }
    return LotDraft(lot=lot.number, stage=lot.stage, policy=dumps(policy), schedule=dumps(schedule))


def _custodians(conn: Connection, row: ProcedureRow, lot: LotRow, wanted: int) -> list[dict[str, Any]]:
    proved = [key for key in custody.keys_of_lot(conn, row.id, lot.number, lot.stage) if key.state == "proved"]
    if len(proved) != wanted:
        raise RuleBroken("custodian.unproved", "SB1 S3.2", proved=len(proved), wanted=wanted)
    proved.sort(key=lambda key: (_ROLE_ORDER.index(key.role), key.name))
    found = []
    for index, key in enumerate(proved, start=1):
        stored = documents.get(conn, bytes.fromhex(key.doc_sha256))
        if stored is None:
            raise IntegrityFailure(f"custodian key {key.doc_sha256} is missing")
        hpke_pk = b64u(parse_custodian_key(stored.doc).hpke_pk)
        found.append({"hpke_pk": hpke_pk, "i": index, "kid": key.kid, "name": key.name, "role": key.role})
    return found


def offered_lot(spec: ProcedureSpec, draft: LotDraft, lot: LotRow) -> dict[str, Any]:
    """Return what a notice says of one lot, with the digests of its policy and schedule."""
    declared = declared_lot(spec, lot)
    return {
        "budget": declared.budget,
        "category": declared.category.value,
        "ceiling": declared.ceiling,
        "criteria": criteria_json(declared),
        "currency": declared.currency,
        "items": [{name: getattr(item, name) for name in item.__slots__} for item in declared.items],
        "lot": lot.number,
        "method": declared.method.value,
        "policy_sha256": sha256_hex(draft.policy),
        "preference": preference_json(declared),
        "schedule_sha256": sha256_hex(draft.schedule),
        "stage": lot.stage,
        "tie_rule": declared.tie_rule.value,
        "title_en": declared.title_en,
        "title_zh": declared.title_zh,
        **chosen_json(declared),
    }


def declared_lot(spec: ProcedureSpec, lot: LotRow) -> LotSpec:
    """Return what the specification says of a lot."""
    return next(item for item in spec.lots if item.lot == lot.number)
