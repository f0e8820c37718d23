"""Use case: determine the award in the order of the ranking (AWD-09)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.audit.queries import entry_by_h
from trading.audit.runtime import Runtime
from trading.awards import store
from trading.evaluation.queries import RankingRow, ranking_of
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure, NotFound, RuleBroken
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import find_lot
from trading.procedures.rules.grounds import ground
from trading.procedures.rules.lifecycle import Act, LotPhase


def determine(
    ledger: Ledger, actor: Actor, reference: str, number: str, stage: str, *, chosen: str | None = None
) -> Recorded:
    """Award the lot to the first of the ranking; naming another bid is refused with its rule.

    Raises:
        NotFound: There is no such lot, or it has no ranking.
        RuleBroken: ``award.not_first``, ``act.wrong_phase``; ``award.buyer_decides`` for the platform itself.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        lot = find_lot(uow.connection, row.id, number, stage)
        ranking = ranking_of(uow.connection, row.id, number, stage)
        if ranking is None:
            raise NotFound("ranking")
        first = ranking.first
        move = procedures.step(
            uow.connection,
            row,
            Act.DETERMINE,
            actor,
            at=uow.at,
            lot=lot,
            ranked_at=_ranked_at(uow.connection, ranking),
            first_ranked=first["bid"],
            chosen=chosen or first["bid"],
        )
        body = {
            "bid": first["bid"],
            "bidder": first["bidder"],
            "lot": number,
            "price": first["price"],
            "ranked_h": ranking.h,
            "stage": stage,
        }
        event = Event(
            kind="award.determined",
            subject=f"lot:{number}",
            body=body,
            procedure=reference,
            procedure_id=row.id,
            article=ground("award.determined", row.regime),
        )
        recorded = uow.record(event)
        store.add(uow, recorded, row.id, body)
        procedures.move_lot(uow, recorded, lot, LotPhase(move.target))
    return recorded


def _ranked_at(conn: Connection, ranking: RankingRow) -> int:
    entry = entry_by_h(conn, bytes.fromhex(ranking.h))
    if entry is None:
        raise IntegrityFailure(f"the ranking {ranking.h} has no record")
    return int(loads_object(entry.record)["at"])


def deem(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Award the lot to the first of its ranking when the buyer has said nothing in time (AWD-09): the errand.

    Nothing is left to do where somebody has decided, or the procedure has ended otherwise.
    """
    place = (arg["procedure"], arg["lot"], arg["stage"])
    try:
        determine(runtime.ledger, Actor.system("worker"), *place)
    except RuleBroken as refusal:
        if refusal.code != "act.wrong_phase":
            raise
    return None
