"""Use case: rank the opened bids of a lot, or fail it when too few are left (MET-01, EVL-05, OPN-15)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.documents import queries as documents
from trading.evaluation import store
from trading.evaluation.rules.ranking import OpenedBid, Ranking, RankingRules, rank
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.openings.rules.transcripts import parse_transcript
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow, find_lot
from trading.procedures.rules.lifecycle import Act, LotPhase
from trading.procedures.rules.spec import parse_spec
from trading.rulebook.keys import Regime


def evaluate(ledger: Ledger, actor: Actor, reference: str, number: str, stage: str) -> tuple[Ranking, Recorded]:
    """Rank a lot whose opening is complete, or record its failure.

    Raises:
        NotFound: No such lot.
        RuleBroken: ``act.wrong_phase``.
    """
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        lot = find_lot(uow.connection, row.id, number, stage)
        place = Place(procedure=reference, procedure_id=row.id, lot=number, stage=stage)
        rules = ranking_rules(uow.connection, row, lot, uow.at)
        opened = opened_bids(uow.connection, place)
        ranking = rank(opened, rules)
        facts = {
            "effective_bids": len(opened),
            "conforming_bids": sum(item.reason is None for item in ranking.items),
        }
        if ranking.failure is not None:
            move = procedures.step(uow.connection, row, Act.FAIL, actor, at=uow.at, lot=lot, **facts)
            recorded = uow.record(procedures.lot_failed(row, lot, ranking.failure))
        else:
            move = procedures.step(uow.connection, row, Act.EVALUATE, actor, at=uow.at, lot=lot, **facts)
            body = ranking.body(rules)
            recorded = uow.record(_ranked(body, row))
            store.add(uow, recorded, row.id, body)
        procedures.move_lot(uow, recorded, lot, LotPhase(move.target))
    return ranking, recorded


def _ranked(body: dict[str, Any], row: ProcedureRow) -> Event:
    return Event(
        kind="bids.ranked",
        subject=f"lot:{body['lot']}",
        body=body,
        procedure=row.reference,
        procedure_id=row.id,
        article="87-54, 87-56",
    )


def ranking_rules(conn: Connection, row: ProcedureRow, lot: LotRow, at: int) -> RankingRules:
    """Return how the lot is ranked, as its specification and edition fixed it before the first bid."""
    spec = parse_spec(loads_object(row.spec))
    declared = next(item for item in spec.lots if item.lot == lot.number)
    return RankingRules(
        lot=lot.number,
        stage=lot.stage,
        currency=lot.currency,
        method=declared.method,
        tie_rule=declared.tie_rule,
        ceiling=lot.ceiling,
        regime=Regime(row.regime),
        edition=procedures.edition_of(conn, row, at),
    )


def opened_bids(conn: Connection, place: Place) -> list[OpenedBid]:
    """Return the bids with verdict OK, with the price that was read out and the identity that opens it (OPN-16)."""
    identities = _price_identities(conn, place)
    found = []
    for result in openings.results(conn, place).values():
        if result.verdict != "OK" or result.price is None:
            continue
        price = loads_object(result.price)
        identity = identities.get(result.bid)
        if identity is None:
            raise IntegrityFailure(f"the transcript has no price identity of {result.bid}")
        quote = {"currency": price["currency"], "price": price["total"]}
        found.append(OpenedBid(bid=result.bid, bidder=result.bidder, identity_price=identity, **quote))
    return found


def _price_identities(conn: Connection, place: Place) -> dict[str, str]:
    for record in openings.entries(conn, place, ("opening.completed",)):
        body = record["body"]
        if (body["lot"], body["stage"]) != (place.lot, place.stage):
            continue
        for digest in body["transcript_sha256s"]:
            stored = documents.get(conn, bytes.fromhex(digest))
            if stored is not None:
                items = parse_transcript(stored.doc).items
                return {item.bid: item.identity_price for item in items if item.identity_price is not None}
    raise IntegrityFailure("an opened lot without a transcript")
