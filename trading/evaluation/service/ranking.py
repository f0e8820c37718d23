"""Use case: rank a lot, or fail it when too few bids are left (MET-01, MET-02, EVL-05, OPN-15).

Under the law a ranking is the committee's: it follows from the report that every member has signed (EXP-20).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.evaluation import queries, store
from trading.evaluation.model import of_lot
from trading.evaluation.rules.ranking import Ranking
from trading.evaluation.service.state import LotState, load_opened, open_sheets
from trading.kernel.errors import RuleBroken
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.lifecycle import Act, LotPhase
from trading.procedures.rules.silence import silence_ends
from trading.rulebook.keys import Regime


def evaluate(ledger: Ledger, actor: Actor, reference: str, number: str, stage: str) -> tuple[Ranking, Recorded]:
    """Rank a lot whose opening is complete, or record its failure.

    Raises:
        NotFound: No such lot.
        RuleBroken: ``act.wrong_phase``; ``evaluation.report_unsigned`` (EXP-20): the committee has not finished.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        state = load_opened(uow.connection, row, number, stage, uow.at)
        lot = state.lot
        ranking = _ranked(uow.connection, state)
        facts: dict[str, Any] = {
            "effective_bids": len(state.opened),
            "conforming_bids": sum(item.reason is None for item in ranking.items),
            "report_signed": _reported(uow.connection, row.id),
        }
        if ranking.failure is not None:
            move = procedures.step(uow.connection, row, Act.FAIL, actor, at=uow.at, lot=lot, **facts)
            recorded = uow.record(procedures.lot_failed(row, lot, ranking.failure))
        else:
            move = procedures.step(uow.connection, row, Act.EVALUATE, actor, at=uow.at, lot=lot, **facts)
            body = ranking.body(state.rules)
            recorded = uow.record(_event(body, state))
            store.add(uow, recorded, row.id, body)
            _wake_for_silence(uow, row, lot)
        procedures.move_lot(uow, recorded, lot, LotPhase(move.target))
    return ranking, recorded


def _event(body: dict[str, Any], state: LotState) -> Event:
    rest = {name: value for name, value in body.items() if name not in {"lot", "stage"}}
    return of_lot("bids.ranked", state.place, **rest)


def _ranked(conn: Connection, state: LotState) -> Ranking:
    sheets = open_sheets(conn, state.place)
    if state.scored and not sheets:
        raise RuleBroken("evaluation.report_unsigned", "EXP-20")
    return state.ranking(sheets)


def _reported(conn: Connection, procedure_id: int) -> bool:
    sitting = queries.sitting_of(conn, procedure_id)
    return sitting is not None and sitting.reported_at is not None


def _wake_for_silence(uow: UnitOfWork, row: ProcedureRow, lot: LotRow) -> None:
    """Look again when the buyer's time to decide is over (AWD-09)."""
    edition, regime = procedures.edition_of(uow.connection, row, uow.at), Regime(row.regime)
    ends_at = silence_ends(uow.at, edition, regime, procedures.work_calendar(uow.connection))
    if ends_at is not None:
        uow.wake("awards.deem", {"lot": lot.number, "procedure": row.reference, "stage": lot.stage}, ends_at)
