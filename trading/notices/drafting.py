"""The unsigned documents that the agency signs: policy and schedule of each lot, and notices (S3.3, T2, NOT-04).

The platform proposes the bytes; whoever signs them reads them first (``mingbiao sign`` says in words what they are).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from trading.bids.rules.policy import parse_custodian_key
from trading.bids.rules.schedule import Schedule, parse_schedule
from trading.custody import queries as custody
from trading.documents import queries as documents
from trading.evaluation.queries import ranking_of
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.kernel.errors import IntegrityFailure, NotFound, RuleBroken
from trading.notices.queries.chain import newest_notice
from trading.notices.rules.documents import build_notice
from trading.parties.queries import Organisation, organisations
from trading.procedures import queries as procedures
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.spec import LotSpec, ProcedureSpec, parse_spec
from trading.procedures.service import edition_of

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


def tender_draft(conn: Connection, reference: str, *, at: int, demo: bool) -> TenderDraft:
    """Return the documents of a procedure in review, for publication at ``at`` (ms).

    Raises:
        RuleBroken: ``custodian.unproved``: too few custodians hold a proved key.
    """
    row = procedures.find(conn, reference)
    spec = parse_spec(loads_object(row.spec))
    lots = tuple(_lot_draft(conn, row, spec, lot, demo=demo) for lot in procedures.lots_of(conn, row.id))
    offered = [_offered(spec, draft, lot) for draft, lot in zip(lots, procedures.lots_of(conn, row.id), strict=True)]
    texts = {"text_zh": spec.text_zh, "text_en": spec.text_en}
    fields = {**_head(conn, row, at=at, kind="tender"), **texts, "changes": [], "lots": offered}
    return TenderDraft(notice=build_notice(fields), lots=lots)


def _lot_draft(conn: Connection, row: ProcedureRow, spec: ProcedureSpec, lot: LotRow, *, demo: bool) -> LotDraft:
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
        "extension_rule": None,
        "factor_window_ms": spec.windows.factor_window_ms,
        "intake": None,
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


def _offered(spec: ProcedureSpec, draft: LotDraft, lot: LotRow) -> dict[str, Any]:
    declared = _declared(spec, lot)
    return {
        "ceiling": lot.ceiling,
        "currency": lot.currency,
        "items": [{name: getattr(item, name) for name in item.__slots__} for item in declared.items],
        "lot": lot.number,
        "method": declared.method.value,
        "policy_sha256": sha256_hex(draft.policy),
        "schedule_sha256": sha256_hex(draft.schedule),
        "stage": lot.stage,
        "tie_rule": declared.tie_rule.value,
        "title_en": lot.title_en,
        "title_zh": lot.title_zh,
    }


def _declared(spec: ProcedureSpec, lot: LotRow) -> LotSpec:
    return next(item for item in spec.lots if item.lot == lot.number)


def _head(conn: Connection, row: ProcedureRow, *, at: int, kind: str) -> dict[str, Any]:
    known = organisations(conn, (row.buyer_code, row.agency_code))
    before = newest_notice(conn, row.id)
    return {
        "agency": _party(known, row.agency_code),
        "buyer": _party(known, row.buyer_code),
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


def _party(known: dict[str, Organisation], code: str) -> dict[str, str]:
    if code not in known:
        raise NotFound(f"organisation {code}")
    return {"code": code, "name_en": known[code].name_en, "name_zh": known[code].name_zh}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionDraft:
    """Unsigned correction notice and the new schedule of each lot that it moves."""

    notice: bytes
    schedules: dict[tuple[str, str], bytes]


def extension_draft(
    conn: Connection, reference: str, *, at: int, new_close: int, texts: dict[str, str]
) -> ExtensionDraft:
    """Return a correction that moves the deadline of every open lot to ``new_close`` (ms).

    Args:
        conn: Where to read.
        reference: The procedure.
        at: Instant of publication (ms).
        new_close: The later deadline (ms).
        texts: ``text_zh`` and ``text_en`` of the correction.
    """
    row = procedures.find(conn, reference)
    spec = parse_spec(loads_object(row.spec))
    schedules: dict[tuple[str, str], bytes] = {}
    offered, changes = [], []
    for lot in procedures.lots_of(conn, row.id):
        before = _schedule(conn, lot)
        if before is None:
            continue
        digest, document = before
        after = {**loads_object(document.raw), "close": new_close, "seq": document.seq + 1, "supersedes": digest}
        schedules[(lot.number, lot.stage)] = dumps(after)
        draft = LotDraft(lot=lot.number, stage=lot.stage, policy=b"", schedule=dumps(after))
        offered.append({**_offered(spec, draft, lot), "policy_sha256": lot.policy_sha256})
        changes.append({"field": f"lot {lot.number} close", "new": str(new_close), "old": str(document.close)})
    fields = {**_head(conn, row, at=at, kind="correction"), **texts, "changes": changes, "lots": offered}
    return ExtensionDraft(notice=build_notice(fields), schedules=schedules)


def _schedule(conn: Connection, lot: LotRow) -> tuple[str, Schedule] | None:
    stored = None if lot.schedule_sha256 is None else documents.get(conn, bytes.fromhex(lot.schedule_sha256))
    return None if stored is None or lot.phase != "open" else (stored.sha256, parse_schedule(stored.doc))


def closing_draft(conn: Connection, reference: str, *, at: int, kind: str, texts: dict[str, str]) -> bytes:
    """Return a result, failure or cancellation notice: every lot with its award, or the reason why there is none."""
    row = procedures.find(conn, reference)
    lots = []
    for lot in procedures.lots_of(conn, row.id):
        ranking = ranking_of(conn, row.id, lot.number, lot.stage)
        first = None if ranking is None or lot.phase not in {"determined", "concluded"} else ranking.first
        if kind == "result" and first is None:
            continue
        award = None if first is None else {name: first[name] for name in ("bid", "bidder", "price")}
        lots.append(
            {
                "award": award,
                "lot": lot.number,
                "ranked_h": None if ranking is None else ranking.h,
                "reason": None if first is not None else lot.phase,
                "stage": lot.stage,
            }
        )
    return build_notice({**_head(conn, row, at=at, kind=kind), **texts, "changes": [], "lots": lots})
