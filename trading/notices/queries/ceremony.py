"""Reads the opening of one lot as the public may see it now (SB1 S9, S11, OPN-04)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from trading.audit.tables import audit_entry
from trading.documents.cache import DOCUMENTS
from trading.kernel.calendar import WorkingDays
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound
from trading.notices.queries.journal import journal
from trading.notices.queries.log import public_log
from trading.notices.queries.opening import BidRow, Ceremony, Closing, Fault, KeyHolder, Refund, Windows
from trading.notices.queries.statements import PUBLIC_PHASES
from trading.notices.queries.values import Custodian
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.openings.queries import OpeningRow, Result
from trading.openings.rules.windows import WindowLengths
from trading.openings.service import on_the_spot
from trading.openings.tables import custodian_answer
from trading.parties import queries as parties
from trading.procedures import queries as procedures
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.service import edition_of
from trading.rulebook.keys import Key, Regime


def ceremony(conn: Connection, reference: str, lot: str, stage: str = "all", *, acts: bool = True) -> Ceremony:
    """Return the opening of one lot; its acts one by one only if asked for.

    Raises:
        NotFound: No such published procedure or lot.
    """
    procedure = procedures.find(conn, reference)
    if procedure.phase not in PUBLIC_PHASES:
        raise NotFound(reference)
    row = procedures.find_lot(conn, procedure.id, lot, stage)
    place = Place(procedure=reference, procedure_id=procedure.id, lot=lot, stage=stage)
    opening = openings.opening_row(conn, place)
    common = _common(procedure, row)
    log = [each for each in public_log(conn, procedure.id) if each.lot in {lot, None}]
    common["reason"] = next((each.reason for each in reversed(log) if each.reason is not None), None)
    if opening is None:
        return Ceremony(**common)
    policy, schedule = _document(conn, row.policy_sha256), _document(conn, row.schedule_sha256)
    ordered = _document(conn, opening.order_sha256)["bids"]
    results = openings.results(conn, place)
    told = journal(conn, place, {each["bid"] for each in ordered}) if acts else ()
    kinds = [act.kind for act in told]
    windows = _windows(opening, WindowLengths.of_schedule(schedule), factor=policy["bidder_factor"])
    if acts and all(each["bid"] in results for each in ordered):
        spot = on_the_spot.window(conn, procedure, place, ordered)
        windows = replace(windows, on_the_spot_end_at=spot.ends_at)
    return Ceremony(
        **common,
        step=opening.step,
        ordered_at=opening.ordered_at,
        order_sha256=opening.order_sha256,
        order_seq=opening.order_seq,
        k=policy["k"],
        bidder_factor=policy["bidder_factor"],
        windows=windows,
        holders=_holders(conn, place, opening.order_sha256, policy["custodians"]),
        bids=bids_of(conn, ordered, results),
        results_in=sum(each["bid"] in results for each in ordered),
        closing=_closing(conn, place),
        completed=next((each for each in log if each.kind == "opening.completed"), None),
        raised=kinds.count("objection.raised"),
        decided=kinds.count("objection.decided"),
        spoken=openings.spoken(conn, place) if acts else (),
        journal=told,
        refunds=_refunds(conn, procedure, opening.ordered_at),
    )


def _refunds(conn: Connection, procedure: ProcedureRow, at: int) -> tuple[Refund, ...]:
    """Return the periods that the edition of the procedure has for refunds of a bid security."""
    edition, regime = edition_of(conn, procedure, at), Regime(procedure.regime)
    keys = (Key.BID_SECURITY_REFUND_WITHDRAWN, Key.BID_SECURITY_REFUND_LOSERS)
    found = {key: edition.days(key, regime) for key in keys if edition.has(key, regime)}
    return tuple(
        Refund(key=key, count=days.count, working=isinstance(days, WorkingDays)) for key, days in found.items()
    )


def _common(procedure: ProcedureRow, row: LotRow) -> dict[str, Any]:
    """Return what is known of a lot before and after its order."""
    return {
        "reference": procedure.reference,
        "title_zh": procedure.title_zh,
        "title_en": procedure.title_en,
        "lot": row.number,
        "lot_zh": row.title_zh,
        "lot_en": row.title_en,
        "phase": row.phase,
        "close_at": row.close_at,
        "ceiling": row.ceiling,
        "currency": row.currency,
    }


def _document(conn: Connection, digest: str | None) -> dict[str, Any]:
    if digest is None:
        raise NotFound("the lot names no document")
    return DOCUMENTS.get(conn, bytes.fromhex(digest))


def _windows(row: OpeningRow, lengths: WindowLengths, *, factor: bool) -> Windows:
    """Return the ends as the ceremony's own rules count them (SB1 S9.2 to S9.7)."""
    objections_end_at = row.first_ordered_at + lengths.objection_ms
    begins = row.factor_closed_at if factor else objections_end_at
    return Windows(
        objections_end_at=objections_end_at,
        checks_end_at=row.ordered_at + lengths.share_check_ms,
        factor_ends_at=row.factor_ends_at,
        release_ends_at=None if begins is None else begins + lengths.release_window_ms,
        rescue_ends_at=row.gaps_at + lengths.rescue_ms if row.gaps_at is not None and row.gaps else None,
    )


def _holders(
    conn: Connection, place: Place, order_sha256: str, custodians: Sequence[Mapping[str, Any]]
) -> tuple[KeyHolder, ...]:
    query = select(custodian_answer.c.kind, custodian_answer.c.custodian).where(
        custodian_answer.c.procedure_id == place.procedure_id,
        custodian_answer.c.lot == place.lot,
        custodian_answer.c.stage == place.stage,
        custodian_answer.c.order_sha256 == bytes.fromhex(order_sha256),
    )
    given = {(kind, index) for kind, index in conn.execute(query)}
    return tuple(
        KeyHolder(
            custodian=Custodian(index=each["i"], name=each["name"], role=each["role"]),
            checked=("check", each["i"]) in given,
            released=("release", each["i"]) in given,
        )
        for each in custodians
    )


def bids_of(
    conn: Connection, ordered: Sequence[Mapping[str, Any]], results: Mapping[str, Result]
) -> tuple[BidRow, ...]:
    """Return the bids of an opening order, with their results if and only if every one has its result."""
    complete = all(each["bid"] in results for each in ordered)
    names = parties.organisations(conn, tuple({each["bidder"] for each in ordered}))
    rows = []
    for each in ordered:
        known = names.get(each["bidder"])
        rows.append(
            BidRow(
                reference=each["bid"],
                bidder_code=each["bidder"],
                bidder_zh=known.name_zh if known else each["bidder"],
                bidder_en=known.name_en if known else each["bidder"],
                envelope_sha256=each["envelope_sha256"],
                result_in=each["bid"] in results,
                **(_read_out(results[each["bid"]]) if complete else {}),
            )
        )
    return tuple(rows)


def _read_out(result: Result) -> dict[str, Any]:
    """Return what is read out of one bid: verdict, price and the terms that its price form states."""
    told: dict[str, Any] = {"verdict": result.verdict, "faults": _faults(result.faults)}
    if result.price is None:
        return told
    price = loads_object(result.price)
    terms = price.get("terms", {})
    days, sme = terms.get("delivery_days"), terms.get("sme")
    return {
        **told,
        "price": price["total"],
        "currency": price["currency"],
        "price_sha256": result.price_sha256,
        "delivery_days": days if isinstance(days, int) and not isinstance(days, bool) else None,
        "sme": sme if isinstance(sme, str) else None,
    }


def _faults(stored: object) -> tuple[Fault, ...]:
    faults = stored if isinstance(stored, list) else []
    return tuple(Fault(code=str(each["code"]), custodian=int(each["custodian"])) for each in faults)


def _closing(conn: Connection, place: Place) -> Closing | None:
    query = select(audit_entry.c.record).where(
        audit_entry.c.procedure_id == place.procedure_id, audit_entry.c.kind == "tender.closed"
    )
    for (record,) in conn.execute(query):
        body = json.loads(bytes(record))["body"]
        if (body["lot"], body["stage"]) == (place.lot, place.stage):
            return Closing(count=body["count"], bids_root=body["bids_root"], closed_at=body["closed_at"])
    return None
