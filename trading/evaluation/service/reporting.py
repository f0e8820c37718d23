"""The report of the committee: drafted by itself when nothing is left to do, signed by every member (B10.7, EXP-20)."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.documents import store as documents
from trading.evaluation import queries, store
from trading.evaluation.model import of_procedure
from trading.evaluation.queries import SittingRow
from trading.evaluation.rules.documents import REPORT
from trading.evaluation.rules.examination import deviations_json
from trading.evaluation.rules.recheck import Doubt, Ground, require_settled
from trading.evaluation.service.masking import reveal_masks
from trading.evaluation.service.members import require_seat, require_sitting
from trading.evaluation.service.state import LotState, load_lots, open_sheets
from trading.experts import queries as experts
from trading.experts import store as seats
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import ProcedureRow

_DISSENT_LIMIT: Final = 4_000


def draft_if_ready(uow: UnitOfWork, row: ProcedureRow) -> Recorded | None:
    """Draft the report if every lot is examined, scored, re-checked and settled; a newer one replaces an older.

    Called at the end of every act of the committee that may have been the last one missing.
    """
    conn = uow.connection
    sitting = require_sitting(conn, row.id)
    states = load_lots(conn, row, uow.at)
    lots = [line for state in states if (line := _lot(conn, state)) is not None]
    if len(lots) < len(states):
        return None
    for state in states:  # a lot that fails is never scored; the report names its bidders all the same
        reveal_masks(uow, state)
    older = queries.report_of(conn, row.id)
    number = 1 if older is None else older.number + 1
    document = {
        "drafted_at": uow.at,
        "edition_sha256": procedures.edition_of(conn, row, uow.at).digest.hex(),
        "lots": lots,
        "number": number,
        "replaced": _replaced(conn, row),
        "seats": sorted(sitting.seats),
        "tender": row.reference,
    }
    raw = REPORT.write(document)
    body = {"number": number, "report_sha256": sha256_hex(raw)}
    recorded = uow.record(of_procedure("report.drafted", row.reference, row.id, **body))
    store.add_report(uow, recorded, row.id, number, sha256_hex(raw))
    documents.add(uow, recorded, row.id, SignedDocument(raw))
    return recorded


def _lot(conn: Connection, state: LotState) -> dict[str, Any] | None:
    """Return the part of the report about one lot, None while something about it is open."""
    sheets = open_sheets(conn, state.place)
    if not state.examined_fully and not state.fails:
        return None
    if state.scored and not sheets:
        return None
    explained = queries.recheck_explanations(conn, state.place)
    doubts = state.doubts(sheets) if state.scored else []
    try:
        require_settled(doubts, frozenset(explained))
    except RuleBroken:
        return None
    ranking = state.ranking(sheets if state.scored else ())
    return {
        "doubts": [_doubt(each, explained) for each in doubts],
        "failure": None if ranking.failure is None else ranking.failure.rule,
        "findings": [_finding(each) for each in state.findings if not each.void],
        "items": [item.body() for item in ranking.items],
        "lot": state.place.lot,
        "method": state.rules.method.value,
        "sheets": list(queries.scoring_of(conn, state.place) or ()),
        "stage": state.place.stage,
    }


def _finding(row: queries.FindingRow) -> dict[str, Any]:
    found = row.finding
    return {
        "bid": found.bid,
        "outcome": found.outcome.value,
        "preference": found.preference,
        "reason": row.reason,
        "step": found.step.value,
        **({"deviations": deviations_json(found.deviations)} if found.deviations else {}),
    }


def _doubt(doubt: Doubt, explained: dict[tuple[str, str, str], str]) -> dict[str, Any]:
    words = explained.get((doubt.bid, doubt.criterion, doubt.seat or "")) if doubt.ground is Ground.OUTLIER else None
    return {**doubt.to_json(), "explanation": words}


def _replaced(conn: Connection, row: ProcedureRow) -> list[dict[str, Any]]:
    place = Place(procedure=row.reference, procedure_id=row.id, lot="", stage="")
    return [record["body"] for record in openings.entries(conn, place, ("member.replaced",))]


def sign_report(
    ledger: Ledger, actor: Actor, reference: str, report_sha256: str, *, dissent: str | None = None
) -> Recorded:
    """Sign the report that the member has read; whoever disagrees says why, and signs all the same (EXP-20).

    Raises:
        NotFound: No member who sits.
        RuleBroken: ``report.not_drafted``, ``report.changed`` (it was drafted anew), ``report.signed_already``,
            ``report.dissent_empty`` (EXP-20).
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        sitting, seat = require_seat(uow.connection, row.id, actor)
        report = queries.report_of(uow.connection, row.id)
        if report is None or report.number != sitting.report_number:
            raise RuleBroken("report.not_drafted", "B10.7")
        if report.sha256 != report_sha256:
            raise RuleBroken("report.changed", "B10.7")
        _require_whole(uow, row.id, sitting)
        if seat in report.signatures:
            raise RuleBroken("report.signed_already", "EXP-20")
        words = None if dissent is None else dissent.strip()
        if words is not None and not 0 < len(words) <= _DISSENT_LIMIT:
            raise RuleBroken("report.dissent_empty", "EXP-20", limit=_DISSENT_LIMIT)
        body = {"dissent": words, "report_sha256": report.sha256, "seat": seat, "second_factor": True}
        recorded = uow.record(of_procedure("report.signed", reference, row.id, **body))
        store.add_report_signature(uow, recorded, row.id, report.number, seat=seat, dissent=words)
        if {*report.signatures, seat} >= set(sitting.seats):
            done = uow.record(of_procedure("evaluation.reported", reference, row.id, report_sha256=report.sha256))
            store.set_sitting(uow, done, row.id, reported_at=done.at)
    return recorded


def _require_whole(uow: UnitOfWork, procedure_id: int, sitting: SittingRow) -> None:
    """Refuse signatures while a seat stands empty; the committee's row is held, so nobody leaves meanwhile (EXP-17)."""
    seats.lock_committee(uow, procedure_id)
    committee = experts.committee_of(uow.connection, procedure_id)
    members = () if committee is None else committee.members
    if not {each.seat for each in members if each.state == "present"}.issuperset(sitting.seats):
        raise RuleBroken("report.member_left", "EXP-17")
